using System.Diagnostics;
using System.Text.Json.Nodes;
using Npgsql;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>One node: its agent process, its PostgreSQL's processes, its ports and directories.</summary>
internal sealed class TestNode(TestCluster cluster, string name, bool witness)
{
    // Other threads ask about it; one that ended is left to the collector, because they may still hold it.
    private volatile Process? agent;
    private readonly int raftPort = Ports.Free();

    public string Name { get; } = name;
    public bool IsWitness { get; } = witness;
    public int ApiPort { get; } = Ports.Free();
    public int RaftPort => RaftProxy?.Port ?? raftPort;
    public int PostgresPort { get; } = Ports.Free();
    /// <summary>In front of the Raft port, when the cluster has proxies.</summary>
    public RaftProxy? RaftProxy { get; init; }
    public string ApiUrl => $"http://127.0.0.1:{ApiPort}";
    public string RaftAddress => $"127.0.0.1:{RaftPort}";
    public string Directory => Path.Combine(cluster.Root, Name);
    public string DataDirectory => Path.Combine(Directory, "pgdata");
    public string RaftDirectory => Path.Combine(Directory, "raft");
    public string Log => Path.Combine(cluster.Root, Name + ".log");
    public bool AgentRuns => agent is { HasExited: false };
    public IReadOnlyList<int> PostgresProcesses => ProcessControl.WorkingIn(DataDirectory);

    /// <summary>This node's section of the cluster file.</summary>
    public JsonObject Section(IEnumerable<string>? join = null)
    {
        var raft = new JsonObject { ["self_addr"] = RaftAddress, ["data_dir"] = RaftDirectory };
        if (RaftProxy is { } proxy) raft["bind_addr"] = $"127.0.0.1:{proxy.TargetPort}";
        if (join is not null) raft["join"] = new JsonArray([.. join.Select(url => JsonValue.Create(url))]);
        var section = new JsonObject { ["restapi"] = new JsonObject { ["listen"] = $"127.0.0.1:{ApiPort}" }, ["raft"] = raft };
        if (!IsWitness)
        {
            section["postgresql"] = new JsonObject
            {
                ["listen"] = $"127.0.0.1:{PostgresPort}", ["data_dir"] = DataDirectory, ["pgpass"] = Path.Combine(Directory, "pgpass"),
            };
        }
        return section;
    }

    /// <summary>Starts the agent with the cluster's file, or with one of its own and options that change it.</summary>
    public void Start(string? file = null, params string[] options)
    {
        if (AgentRuns) return;
        System.IO.Directory.CreateDirectory(Directory);
        agent = Product.StartLogged(cluster.Root, Log, file is null
            ? [IsWitness ? "witness" : "run", cluster.File, "--name", Name]
            : [IsWitness ? "witness" : "run", file, .. options]);
    }

    public void SignalAgent(int signal)
    {
        if (AgentRuns) ProcessControl.Signal(agent!.Id, signal);
    }

    public void KillAgent()
    {
        SignalAgent(ProcessControl.SigKill);
        agent?.WaitForExit();
    }

    public void KillPostgres() => ProcessControl.KillAllIn(DataDirectory);

    /// <summary>The guard's process; null while there is none.</summary>
    public int? GuardId() => ProcessControl.GuardsOf(DataDirectory) is [var id, ..] ? id : null;

    public void KillGuard()
    {
        foreach (int id in ProcessControl.GuardsOf(DataDirectory)) ProcessControl.Signal(id, ProcessControl.SigKill);
    }

    /// <summary>Ends PostgreSQL at once but with its own hand: killed, it would leave its shared memory behind.</summary>
    public async Task QuitPostgresAsync()
    {
        if (File.Exists(Path.Combine(DataDirectory, "postmaster.pid")) && PostgresProcesses.Contains(PostmasterId()))
        {
            ProcessControl.Signal(PostmasterId(), ProcessControl.SigQuit);
            for (int i = 0; i < 200 && PostgresProcesses.Count > 0; i++) await Task.Delay(50);
        }
        KillPostgres();
    }

    /// <summary>The crash of a host: neither agent nor guard can react to the end of PostgreSQL, nor the other way round.</summary>
    public void Crash()
    {
        KillAgent();
        KillGuard();
        KillPostgres();
    }

    /// <summary>The postmaster's id from its pid file.</summary>
    public int PostmasterId() => int.Parse(File.ReadLines(Path.Combine(DataDirectory, "postmaster.pid")).First());

    public async Task<int> AgentExitAsync(int seconds = Wait.Seconds)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        try
        {
            await agent!.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"the agent of {Name} did not end within {seconds} s");
        }
        return agent.ExitCode;
    }

    public Task<ApiAnswer> GetAsync(string path) => Rest.SendAsync(HttpMethod.Get, ApiUrl + path);

    /// <summary>Number of the newest event.</summary>
    public async Task<long> LastEventAsync() => (long)(await GetAsync("/events?limit=0")).Json!["last_id"]!;

    /// <summary>Unix milliseconds, by the clock of who proposed it, of the first event of a type after another that fulfils a condition.</summary>
    public async Task<long> EventTimeAsync(long since, string type, Func<JsonNode, bool>? condition = null) => (long)(await Wait.ForAsync($"an event {type}", async () =>
        ((await GetAsync($"/events?since={since}&limit=1000")).Json?["events"] as JsonArray)?
            .FirstOrDefault(record => (string?)record!["event"]!["type"] == type && condition?.Invoke(record["event"]!) != false)))["unix_ms"]!;

    public async Task<bool> IsPrimaryAsync() => (await GetAsync("/primary")).Status == 200;

    public async Task<bool> StreamsAsync() =>
        await GetAsync("/replica") is { Status: 200, Json: { } json } && (string?)json["replication_state"] == "streaming";

    public string ConnectionString(string database = "postgres") => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1", Port = PostgresPort, Username = "postgres", Password = TestCluster.SuperuserPassword, Database = database, Pooling = false,
        Timeout = 10, CommandTimeout = 60,
    }.ConnectionString;

    public async Task<object?> SqlAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString());
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }
}
