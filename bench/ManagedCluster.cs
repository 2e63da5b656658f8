using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Patroni.Raft.Bench;

/// <summary>
/// Three nodes under one manager. Both managers speak the same REST API and take the same configuration, so that only
/// starting them differs; everything that is measured goes through the code of this class.
/// </summary>
internal abstract class ManagedCluster : IAsyncDisposable
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(2) };
    private readonly Dictionary<string, Process> _agents = [];

    protected ManagedCluster(Workplace workplace, string prefix, Timing timing)
    {
        Workplace = workplace;
        Timing = timing;
        Directory = System.IO.Directory.CreateTempSubdirectory(prefix).FullName;
        Nodes = [.. Enumerable.Range(1, 3).Select(i =>
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"node{i}");
            var directory = Path.Combine(Directory, name);
            System.IO.Directory.CreateDirectory(directory);
            return new NodeAddress(name, directory, Settings.FreePort(), Settings.FreePort(), Settings.FreePort(), Settings.FreePort());
        })];
    }

    public IReadOnlyList<NodeAddress> Nodes { get; }

    protected Workplace Workplace { get; }

    protected Timing Timing { get; }

    protected string Directory { get; }

    /// <summary>Several hosts, one of which takes writes: what an application would be given.</summary>
    public string ConnectionString =>
        $"Host={string.Join(',', Nodes.Select(n => Settings.Local(n.PostgresPort)))};Username=postgres;Password=bench;Database=postgres;"
        + "Timeout=1;Command Timeout=2;Cancellation Timeout=-1;Pooling=false;Host Recheck Seconds=0";

    /// <summary>Carried by every process of the cluster, its store included.</summary>
    private string Mark => "PATRONI_RAFT_BENCH_CLUSTER=" + Directory;

    /// <summary>Starts everything from nothing and returns at once; <see cref="WaitHealthyAsync"/> says when it is whole.</summary>
    public void Start()
    {
        StartStore();
        foreach (var node in Nodes)
        {
            StartAgent(node);
        }
    }

    /// <summary>Starts (again) the agent of one node.</summary>
    public void StartAgent(NodeAddress node)
    {
        var environment = new Dictionary<string, string>
        {
            ["PATRONI_RAFT_BENCH_CLUSTER"] = Directory,
            ["PATRONI_RAFT_BENCH_NODE"] = node.Directory,
        };
        _agents[node.Name] = Processes.Start(Path.Combine(node.Directory, "agent.log"), environment, AgentCommand(node));
    }

    /// <summary>The crash of a host: the agent and every process of its PostgreSQL get SIGKILL.</summary>
    public void CrashHost(NodeAddress node)
    {
        Processes.KillAll(node.Mark, node.Directory, _agents[node.Name].Id);
        _agents[node.Name].WaitForExit();
    }

    /// <summary>SIGKILL to the postmaster alone.</summary>
    public static void CrashPostmaster(NodeAddress node)
    {
        var first = File.ReadLines(Path.Combine(node.DataDirectory, "postmaster.pid")).First();
        Processes.Kill(int.Parse(first, CultureInfo.InvariantCulture));
    }

    /// <summary>The processes of the manager: everything of this cluster that is not PostgreSQL.</summary>
    public IReadOnlyList<int> ManagerProcesses() =>
        [.. Processes.Find(Mark, Directory)
            .Where(id => Processes.Program(id) is { Length: > 0 } program && !program.StartsWith(Workplace.PostgresBin + "/", StringComparison.Ordinal))];

    /// <summary>Waits until one leader is known to all and both others stream from it; returns the leader.</summary>
    public async Task<NodeAddress> WaitHealthyAsync(TimeSpan limit)
    {
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < limit)
        {
            if (await HealthyLeaderAsync() is { } leader)
            {
                return leader;
            }

            await Task.Delay(20);
        }

        var logs = Nodes.Select(n => $"--- {n.Name}\n{Tail(Path.Combine(n.Directory, "agent.log"))}");
        throw new TimeoutException($"The cluster was not whole after {limit.TotalSeconds} s.\n{string.Join('\n', logs)}");
    }

    public async Task SwitchoverAsync(NodeAddress leader, NodeAddress candidate)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        var body = new JsonObject { ["leader"] = leader.Name, ["candidate"] = candidate.Name };
        // Patroni wants a Content-Length, so the body is written out first.
        using var content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync($"http://{Settings.Local(leader.ApiPort)}/switchover", content);
        if (answer.StatusCode != HttpStatusCode.OK)
        {
            throw new InvalidOperationException($"The switchover was answered {(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        Processes.KillAll(Mark, Directory);
        for (var attempt = 0; System.IO.Directory.Exists(Directory); attempt++)
        {
            try
            {
                System.IO.Directory.Delete(Directory, recursive: true);
            }
            catch (IOException) when (attempt < 20)
            {
                await Task.Delay(50);
            }
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>Starts what the agents need beside themselves.</summary>
    protected virtual void StartStore()
    {
    }

    protected abstract IEnumerable<string> AgentCommand(NodeAddress node);

    /// <summary>The command that lists the members, with the first node's configuration file.</summary>
    protected abstract IEnumerable<string> ListCommand { get; }

    /// <summary>Runs it and returns what it printed.</summary>
    public async Task<string> ListAsync()
    {
        var command = ListCommand.ToArray();
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{command[0]} did not start.");
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{string.Join(' ', command)} ended with {process.ExitCode}: {output}{await process.StandardError.ReadToEndAsync()}");
    }

    private async Task<NodeAddress?> HealthyLeaderAsync()
    {
        NodeAddress? leader = null;
        foreach (var node in Nodes)
        {
            if (await ReadAsync(node) is not { } status || status.State is not ("running" or "streaming"))
            {
                return null;
            }

            if (status.IsLeader)
            {
                if (leader is not null || status.Streaming < 2)
                {
                    return null;
                }

                leader = node;
            }
        }

        return leader;
    }

    private static async Task<(string State, bool IsLeader, int Streaming)?> ReadAsync(NodeAddress node)
    {
        try
        {
            using var answer = await Http.GetAsync($"http://{Settings.Local(node.ApiPort)}/patroni");
            using var document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
            var root = document.RootElement;
            var role = root.TryGetProperty("role", out var r) ? r.GetString() : null;
            var streaming = root.TryGetProperty("replication", out var rows) && rows.ValueKind == JsonValueKind.Array
                ? rows.EnumerateArray().Count(row => row.GetProperty("state").GetString() == "streaming")
                : 0;
            var state = root.TryGetProperty("state", out var s) ? s.GetString() ?? "" : "";
            return (state, role is "master" or "primary" or "leader", streaming);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or JsonException or IOException)
        {
            return null;
        }
    }

    private static string Tail(string file) => File.Exists(file) ? string.Join('\n', File.ReadLines(file).TakeLast(8)) : "(no log)";
}
