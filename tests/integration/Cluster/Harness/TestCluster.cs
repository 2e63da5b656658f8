using System.Text;
using System.Text.Json.Nodes;
using Patroni.Raft.Consensus;
using Patroni.Raft.Postgres.Guard;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>A cluster of real agents and real PostgreSQL in a directory of its own, described by one file as in cluster.sample.json.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    public const string Scope = "badday";
    public const string ReplicationUser = "replicator";
    public const string SuperuserPassword = "postgres-secret";
    private const string RaftSecret = "only-for-this-test-and-long-enough";
    // Replaced, never changed: the watch goes through it all the time.
    private volatile TestNode[] nodes = [];
    private readonly ClusterOptions options;
    private readonly JsonObject document;
    private PrimaryWatch? watch;

    public TestCluster(ClusterOptions options)
    {
        this.options = options;
        // Short: it holds unix sockets, whose paths end at 108 bytes.
        Root = Directory.CreateTempSubdirectory("c").FullName;
        nodes = [.. Enumerable.Range(1, options.DataNodes).Select(i => new TestNode(this, $"node{i}", false) { RaftProxy = options.RaftProxies ? new() : null }), .. options.Witness ? [new TestNode(this, "witness1", true)] : Array.Empty<TestNode>()];
        document = Template();
        if (options.Dynamic is { } dynamic)
        {
            JsonNode bootstrap = document["bootstrap"]!;
            document["postgresql"]!["pg_hba"] = bootstrap["dcs"]!["postgresql"]!["pg_hba"]!.DeepClone();
            bootstrap["dcs"] = JsonNode.Parse(dynamic);
        }
        foreach (TestNode node in nodes) document["nodes"]![node.Name] = node.Section();
        WriteFile();
    }

    /// <summary>What holders of the cluster's secret send as a bearer token.</summary>
    public static string Token { get; } = NodeToken.Of(RaftSecurity.Password(RaftSecret, Scope))!.Value;

    public string Root { get; }
    public string File => Path.Combine(Root, "cluster.json");
    /// <summary>The cluster file's content.</summary>
    public JsonObject Document => document;
    public IReadOnlyList<TestNode> Nodes => nodes;
    public IEnumerable<TestNode> DataNodes => nodes.Where(node => !node.IsWitness);
    public TestNode this[string name] => nodes.Single(node => node.Name == name);

    /// <summary>Forms a cluster, runs the scenario, checks at the end that at no time two nodes answered as primary; a failure tells the nodes' logs.</summary>
    public static async Task RunAsync(ClusterOptions options, Func<TestCluster, Task> scenario)
    {
        await using var cluster = new TestCluster(options);
        await cluster.RunAsync(async () =>
        {
            await cluster.FormAsync();
            await scenario(cluster);
        });
    }

    /// <summary>Runs a scenario on this cluster; a failure tells the nodes' logs.</summary>
    public async Task RunAsync(Func<Task> scenario)
    {
        watch ??= new(this);
        try
        {
            await scenario();
            Assert.Empty(watch.Doubles);
        }
        catch (Exception e)
        {
            throw new ScenarioFailedException($"{e.GetType().Name}: {e.Message}\n{await DescribeAsync()}", e);
        }
    }

    public async Task FormAsync()
    {
        foreach (TestNode node in nodes) node.Start();
        await WholeAsync();
    }

    /// <summary>Adds a node's section to the file; the node is started by the caller.</summary>
    public TestNode AddNode(string name, IEnumerable<string>? join, bool witness = false)
    {
        var node = new TestNode(this, name, witness);
        nodes = [.. nodes, node];
        document["nodes"]![name] = node.Section(join);
        WriteFile();
        return node;
    }

    /// <summary>Forgets a node that left the cluster.</summary>
    public void DropNode(TestNode node)
    {
        nodes = [.. nodes.Where(other => other != node)];
        (document["nodes"] as JsonObject)!.Remove(node.Name);
        WriteFile();
    }

    /// <summary>The one node that answers as primary.</summary>
    public Task<TestNode> PrimaryAsync(int seconds = Wait.Seconds) => Wait.ForAsync("one primary", async () =>
    {
        TestNode[] found = await WhereAsync(node => node.IsPrimaryAsync());
        return found.Length == 1 ? found[0] : null;
    }, seconds);

    public async Task<TestNode> ReplicaAsync()
    {
        TestNode primary = await PrimaryAsync();
        return DataNodes.First(node => node != primary);
    }

    /// <summary>Waits until one node is primary and every other data node streams on its timeline.</summary>
    public Task WholeAsync(int seconds = 180) => Wait.UntilAsync("one primary and all others streaming on its timeline", async () =>
    {
        if ((await WhereAsync(node => node.IsPrimaryAsync())).Length != 1) return false;
        var timelines = new HashSet<string>();
        foreach (TestNode node in DataNodes)
        {
            JsonNode? status = (await node.GetAsync("/patroni")).Json;
            if (status is null || (string?)status["state"] != "running") return false;
            timelines.Add(status["timeline"]?.ToString() ?? "");
        }
        return timelines.Count == 1 && (await WhereAsync(node => node.StreamsAsync())).Length == DataNodes.Count() - 1
            && (string?)(await StateAsync())["lifecycle"]?["phase"] == "led";
    }, seconds);

    /// <summary>The replicated state as the first node that answers has applied it.</summary>
    public Task<JsonNode> StateAsync() => Wait.ForAsync("a node that tells the state", async () =>
    {
        foreach (TestNode node in nodes.Where(node => node.AgentRuns))
            if (await node.GetAsync("/state") is { Status: 200, Json: { } state }) return state;
        return null;
    });

    public async Task<string> EpochAsync() => (await StateAsync())["lifecycle"]!["lease"]!["epoch"]!.ToString();

    public async Task<ApiAnswer> PatchConfigAsync(JsonNode patch)
    {
        ApiAnswer answer = new(0, "no node runs");
        foreach (TestNode node in nodes.Where(node => node.AgentRuns))
        {
            answer = await Rest.SendAsync(HttpMethod.Patch, node.ApiUrl + "/config", patch);
            if (answer.Status == 200) return answer;
        }
        return answer;
    }

    /// <summary>
    /// Makes commits wait for all standbys, by hand: replication is asynchronous by default, and then a failover may lose rows. ANY 2 of two,
    /// because the product's own synchronous mode does not choose the candidates here.
    /// </summary>
    public async Task MakeSynchronousAsync()
    {
        await Wait.UntilAsync("the patch of synchronous_standby_names", async () => (await PatchConfigAsync(JsonNode.Parse(
            """{"postgresql": {"parameters": {"synchronous_standby_names": "ANY 2 (*)", "synchronous_commit": "on"}}}""")!)).Status == 200);
        await Wait.UntilAsync("two synchronous standbys", async () =>
            (long)(await (await PrimaryAsync()).SqlAsync("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'"))! == 2);
    }

    /// <summary>Waits until every replica has replayed what the primary has written by now.</summary>
    public async Task CaughtUpAsync()
    {
        TestNode primary = await PrimaryAsync();
        string end = (string)(await primary.SqlAsync("SELECT pg_current_wal_insert_lsn()::text"))!;
        foreach (TestNode replica in DataNodes.Where(node => node != primary))
        {
            await Wait.UntilAsync($"{replica.Name} to replay up to {end}", async () =>
                (bool)(await replica.SqlAsync($"SELECT coalesce(pg_last_wal_replay_lsn() >= '{end}'::pg_lsn, false)"))!);
        }
    }

    /// <summary>The Raft leader's node, when the nodes agree on one.</summary>
    public Task<TestNode> RaftLeaderAsync() => Wait.ForAsync("a Raft leader", async () =>
    {
        TestNode[] leaders = await WhereAsync(async node => (string?)(await node.GetAsync("/patroni")).Json?["raft"]?["role"] == "leader");
        return leaders.Length == 1 ? leaders[0] : null;
    });

    /// <summary>Runs the command line against all nodes of the cluster, with its secret.</summary>
    public Task<ProductResult> CommandAsync(params string[] arguments) =>
        Product.RunAsync(Root, [.. arguments, "-c", File, "-d", string.Join(',', nodes.Select(node => node.ApiUrl))]);

    public async Task<TestNode[]> WhereAsync(Func<TestNode, Task<bool>> condition)
    {
        TestNode[] asked = nodes;
        bool[] answers = await Task.WhenAll(asked.Select(condition));
        return [.. asked.Where((_, i) => answers[i])];
    }

    public async ValueTask DisposeAsync()
    {
        if (watch is not null) await watch.DisposeAsync();
        foreach (TestNode node in nodes) node.SignalAgent(ProcessControl.SigCont);
        foreach (TestNode node in nodes) node.KillAgent();
        foreach (TestNode node in DataNodes)
        {
            await node.QuitPostgresAsync();
            node.KillGuard();
            // Those who are killed leave their lease and socket on tmpfs, outside of the cluster's directory.
            new GuardFiles(node.DataDirectory).Remove();
        }
        foreach (TestNode node in nodes) node.RaftProxy?.Dispose();
        Directory.Delete(Root, recursive: true);
    }

    /// <summary>Writes <see cref="Document"/>; the nodes read it at their next start or reload.</summary>
    public void WriteFile() => System.IO.File.WriteAllText(File, document.ToJsonString());

    private JsonObject Template() => (JsonObject)JsonNode.Parse($$"""
        {
          "scope": "{{options.Scope}}",
          "raft": { "password": "{{RaftSecret}}" },
          "bootstrap": {
            "dcs": {
              "ttl": {{options.Ttl}}, "loop_wait": {{options.LoopWait}}, "retry_timeout": {{options.RetryTimeout}},
              "maximum_lag_on_failover": 104857600,
              "postgresql": {
                "use_pg_rewind": true, "use_slots": true,
                "parameters": { "max_connections": 50, "shared_buffers": "16MB", "wal_keep_size": "128MB", "max_wal_size": "256MB" },
                "pg_hba": [ "local all all trust", "host all all 127.0.0.1/32 scram-sha-256", "host replication replicator 127.0.0.1/32 scram-sha-256" ]
              }
            },
            "initdb": [ { "encoding": "UTF8" }, { "locale": "C" }, "data-checksums" ]
          },
          "postgresql": {
            "bin_dir": "{{Product.PostgresBinaries}}",
            "authentication": {
              "superuser": { "username": "postgres", "password": "{{SuperuserPassword}}" },
              "replication": { "username": "{{ReplicationUser}}", "password": "replicator-secret" },
              "rewind": { "username": "rewind_user", "password": "rewind-secret" }
            },
            "parameters": { "unix_socket_directories": "{{Root}}" }
          },
          "nodes": {}
        }
        """)!;

    private async Task<string> DescribeAsync()
    {
        var text = new StringBuilder();
        foreach (TestNode node in nodes)
        {
            ApiAnswer status = await node.GetAsync("/patroni");
            text.AppendLine($"--- {node.Name}: agent {(node.AgentRuns ? "runs" : "does not run")}, PostgreSQL processes {string.Join(' ', node.PostgresProcesses)}, "
                + $"/primary {(await node.GetAsync("/primary")).Status}, /patroni {status.Status}: {status.Body}");
            text.AppendLine(Tail(node.Log, 60));
            foreach (string log in Directory.Exists(node.Directory) ? Directory.EnumerateFiles(node.Directory, "postgres*.log", SearchOption.AllDirectories) : [])
                text.AppendLine($"--- {log}").AppendLine(Tail(log, 25));
        }
        return text.ToString();
    }

    private static string Tail(string file, int lines) => System.IO.File.Exists(file) ? string.Join('\n', System.IO.File.ReadAllLines(file).TakeLast(lines)) : "";
}

/// <summary>A scenario failed; the message ends with what every node says.</summary>
public sealed class ScenarioFailedException(string message, Exception cause) : Exception(message, cause);
