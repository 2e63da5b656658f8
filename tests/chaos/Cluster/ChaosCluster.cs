using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Patroni.Raft.ChaosTests.Network;

namespace Patroni.Raft.ChaosTests.Cluster;

/// <summary>What a run wants of its cluster.</summary>
internal sealed record ChaosOptions
{
    public int Nodes { get; init; } = 3;

    /// <summary>Seconds.</summary>
    public double Ttl { get; init; } = 10;

    public double LoopWait { get; init; } = 2;

    public double RetryTimeout { get; init; } = 3;

    /// <summary>Whether commits wait for all standbys: whoever is elected then has all that was acknowledged.</summary>
    public bool Synchronous { get; init; } = true;
}

/// <summary>Real agents, guards and PostgreSQL in network namespaces.</summary>
internal sealed class ChaosCluster : IAsyncDisposable
{
    public const string SuperuserPassword = "postgres-secret";

    public ChaosCluster(ChaosOptions options)
    {
        Options = options;
        // Short: it holds unix sockets, whose paths end at 108 bytes.
        Root = Directory.CreateTempSubdirectory("n").FullName;
        Network = new(options.Nodes);
        Nodes = [.. Enumerable.Range(1, options.Nodes).Select(number => new ChaosNode(this, number))];
        JsonObject document = Template();
        foreach (ChaosNode node in Nodes) document["nodes"]![node.Name] = node.Section();
        System.IO.File.WriteAllText(File, document.ToJsonString());
    }

    public ChaosOptions Options { get; }
    public string Root { get; }
    public string File => Path.Combine(Root, "cluster.json");
    public NodeNetwork Network { get; }
    public IReadOnlyList<ChaosNode> Nodes { get; }

    /// <summary>Forms a cluster and runs a scenario on it; a failure tells what every node says.</summary>
    public static async Task RunAsync(ChaosOptions options, Func<ChaosCluster, Task> scenario)
    {
        await using var cluster = new ChaosCluster(options);
        await cluster.ExplainAsync(async () =>
        {
            await cluster.FormAsync();
            await scenario(cluster);
        });
    }

    public async Task FormAsync()
    {
        foreach (ChaosNode node in Nodes) node.StartAgent();
        await WholeAsync();
        if (Options.Synchronous) await MakeSynchronousAsync();
    }

    /// <summary>Runs a scenario; a failure tells what every node says.</summary>
    public async Task ExplainAsync(Func<Task> scenario)
    {
        try
        {
            await scenario();
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{e.GetType().Name}: {e.Message}\n{e.StackTrace}\n{await DescribeAsync()}", e);
        }
    }

    public ChaosNode this[int number] => Nodes[number - 1];

    public async Task<ChaosNode[]> WhereAsync(Func<ChaosNode, Task<bool>> condition)
    {
        bool[] answers = await Task.WhenAll(Nodes.Select(condition));
        return [.. Nodes.Where((_, i) => answers[i])];
    }

    public Task<ChaosNode> PrimaryAsync(int seconds = Wait.Seconds) => Wait.ForAsync("one primary", FindPrimaryAsync, seconds);

    /// <summary>The one node that answers as primary now, or null.</summary>
    public async Task<ChaosNode?> FindPrimaryAsync() => await WhereAsync(node => node.IsPrimaryAsync()) is [var only] ? only : null;

    /// <summary>The node that leads the Raft group now, or null when they do not agree.</summary>
    public async Task<ChaosNode?> FindRaftLeaderAsync() =>
        await WhereAsync(async node => (string?)(await node.GetAsync("/patroni")).Json?["raft"]?["role"] == "leader") is [var only] ? only : null;

    /// <summary>Waits until one node is primary and every other streams on its timeline; returns how long it took.</summary>
    public async Task<TimeSpan> WholeAsync(int seconds = 180)
    {
        var watch = Stopwatch.StartNew();
        await Wait.UntilAsync("one primary and all others streaming on its timeline", IsWholeAsync, seconds);
        return watch.Elapsed;
    }

    public async Task<bool> IsWholeAsync()
    {
        if (await FindPrimaryAsync() is not { } primary) return false;
        string? timeline = (await primary.GetAsync("/patroni")).Json?["timeline"]?.ToString();
        ChaosNode[] streaming = await WhereAsync(async node =>
            await node.GetAsync("/replica") is { Status: 200, Json: { } json } && (string?)json["replication_state"] == "streaming" && json["timeline"]?.ToString() == timeline);
        return streaming.Length == Nodes.Count - 1;
    }

    public ValueTask DisposeAsync()
    {
        foreach (ChaosNode node in Nodes) node.KillAll();
        foreach (ChaosNode node in Nodes)
        {
            node.DataDisk.Remove();
            node.RaftDisk.Remove();
        }
        Network.Dispose();
        if (Environment.GetEnvironmentVariable("CHAOS_KEEP") != "1") Directory.Delete(Root, recursive: true);
        return ValueTask.CompletedTask;
    }

    private async Task MakeSynchronousAsync()
    {
        int standbys = Nodes.Count - 1;
        JsonNode patch = JsonNode.Parse($$$"""{ "postgresql": { "parameters": { "synchronous_standby_names": "ANY {{{standbys}}} (*)", "synchronous_commit": "on" } } }""")!;
        ChaosNode primary = await PrimaryAsync();
        await Wait.UntilAsync("the patch of synchronous_standby_names", async () => (await Rest.SendAsync(HttpMethod.Patch, primary.ApiUrl + "/config", patch)).Status == 200);
        await Wait.UntilAsync("synchronous standbys", async () =>
            await primary.SqlAsync<long>("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'") == standbys);
    }

    private async Task<string> DescribeAsync()
    {
        var text = new StringBuilder();
        foreach (ChaosNode node in Nodes)
        {
            ApiAnswer status = await node.GetAsync("/patroni");
            text.AppendLine($"--- {node.Name}: agent {(node.AgentRuns ? "runs" : "does not run")}, processes {string.Join(' ', node.Processes())}, "
                + $"/primary {(await node.GetAsync("/primary")).Status}, /patroni {status.Status}: {status.Body}");
            text.AppendLine(Tail(node.Log, 60));
            foreach (string log in Directory.EnumerateFiles(node.DataDisk.Path, "postgres*.log", SearchOption.AllDirectories))
                text.AppendLine($"--- {log}").AppendLine(Tail(log, 25));
        }
        return text.ToString();
    }

    private static string Tail(string file, int lines) => System.IO.File.Exists(file) ? string.Join('\n', System.IO.File.ReadAllLines(file).TakeLast(lines)) : "";

    private JsonObject Template() => (JsonObject)JsonNode.Parse($$"""
        {
          "scope": "chaos",
          "raft": { "password": "only-for-this-test-and-long-enough" },
          "bootstrap": {
            "dcs": {
              "ttl": {{Options.Ttl}}, "loop_wait": {{Options.LoopWait}}, "retry_timeout": {{Options.RetryTimeout}},
              "maximum_lag_on_failover": 104857600,
              "postgresql": {
                "use_pg_rewind": true, "use_slots": true,
                "parameters": { "max_connections": 60, "shared_buffers": "16MB", "wal_keep_size": "64MB", "max_wal_size": "128MB", "wal_log_hints": "on", "log_min_messages": "log", "log_min_error_statement": "panic" },
                "pg_hba": [ "local all all trust", "host all all 10.77.0.0/16 scram-sha-256", "host replication replicator 10.77.0.0/16 scram-sha-256" ]
              }
            },
            "initdb": [ { "encoding": "UTF8" }, { "locale": "C" }, "data-checksums" ]
          },
          "postgresql": {
            "bin_dir": "{{Product.PostgresBinaries}}", "remove_data_directory_on_rewind_failure": true,
            "authentication": {
              "superuser": { "username": "postgres", "password": "{{SuperuserPassword}}" },
              "replication": { "username": "replicator", "password": "replicator-secret" },
              "rewind": { "username": "rewind_user", "password": "rewind-secret" }
            }
          },
          "nodes": {}
        }
        """)!;
}
