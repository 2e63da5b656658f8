using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Npgsql;
using Patroni.Raft.ChaosTests.Network;

namespace Patroni.Raft.ChaosTests.Cluster;

/// <summary>One node in a network namespace of its own, with disks of its own: agent, guard and PostgreSQL are the processes in that namespace.</summary>
internal sealed class ChaosNode
{
    private readonly ChaosCluster cluster;
    private readonly string netns;
    private volatile Process? agent;

    public ChaosNode(ChaosCluster cluster, int number)
    {
        this.cluster = cluster;
        Number = number;
        Name = $"node{number}";
        DataDisk = new(Path.Combine(cluster.Root, Name, "d"), 1024);
        RaftDisk = new(Path.Combine(cluster.Root, Name, "r"), 64);
        using Process probe = Process.Start(new ProcessStartInfo("nsenter", cluster.Network.Inside(number, "sleep", "60")))!;
        netns = WaitForNamespace(probe.Id);
        probe.Kill();
        probe.WaitForExit();
    }

    public int Number { get; }
    public string Name { get; }
    public string Address => cluster.Network.Address(Number);
    public string ApiUrl => $"http://{Address}:8008";
    public Disk DataDisk { get; }
    public Disk RaftDisk { get; }
    public string DataDirectory => Path.Combine(DataDisk.Path, "pgdata");
    public string RaftDirectory => Path.Combine(RaftDisk.Path, "raft");
    public string Log => Path.Combine(cluster.Root, Name + ".log");
    public bool AgentRuns => agent is { HasExited: false };

    /// <summary>This node's section of the cluster file.</summary>
    public JsonObject Section() => new()
    {
        ["restapi"] = new JsonObject { ["listen"] = $"{Address}:8008" },
        ["raft"] = new JsonObject { ["self_addr"] = $"{Address}:7008", ["data_dir"] = RaftDirectory },
        ["postgresql"] = new JsonObject
        {
            ["listen"] = $"{Address}:5432", ["data_dir"] = DataDirectory, ["pgpass"] = Path.Combine(cluster.Root, Name, "pgpass"),
            ["parameters"] = new JsonObject { ["unix_socket_directories"] = Path.Combine(cluster.Root, Name) },
        },
    };

    /// <summary>Starts the agent in the node's namespace, without any right that the tests have there.</summary>
    public void StartAgent()
    {
        if (AgentRuns) return;
        string[] prefix = ["nsenter", .. cluster.Network.Inside(Number, "setpriv", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs")];
        agent = Product.StartLogged(cluster.Root, Log, prefix, "run", cluster.File, "--name", Name);
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

    /// <summary>The guard's processes: those in the namespace whose command line says so.</summary>
    public IReadOnlyList<int> Guards => [.. Processes().Where(id => CommandLine(id).Contains("guard"))];

    public void KillGuard()
    {
        foreach (int id in Guards) ProcessControl.Signal(id, ProcessControl.SigKill);
    }

    /// <summary>The crash of the host: nothing of it can react to the end of anything else of it.</summary>
    public void KillAll()
    {
        // Stopped first, so that nothing acts between two kills.
        Freeze();
        while (Processes() is { Count: > 0 } left)
        {
            foreach (int id in left) ProcessControl.Signal(id, ProcessControl.SigKill);
            agent?.WaitForExit(5000);
            Thread.Sleep(5);
        }
    }

    /// <summary>Stops every process of the node, again and again until a look finds no other.</summary>
    public void Freeze()
    {
        for (int calm = 0; calm < 2;)
        {
            bool found = false;
            foreach (int id in Processes())
            {
                if (State(id) is 'T' or 't' or 'Z' or 'X') continue;
                ProcessControl.Signal(id, ProcessControl.SigStop);
                found = true;
            }
            calm = found ? 0 : calm + 1;
        }
    }

    public void Thaw()
    {
        foreach (int id in Processes()) ProcessControl.Signal(id, ProcessControl.SigCont);
    }

    public void KillPostmaster()
    {
        string file = Path.Combine(DataDirectory, "postmaster.pid");
        if (File.Exists(file) && int.TryParse(File.ReadLines(file).FirstOrDefault(), out int id) && Processes().Contains(id)) ProcessControl.Signal(id, ProcessControl.SigKill);
    }

    /// <summary>Every living process in the node's network namespace.</summary>
    public IReadOnlyList<int> Processes()
    {
        var found = new List<int>();
        foreach (string entry in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out int id)) continue;
            try
            {
                if (NodeNetwork.NamespaceOf(id) == netns && State(id) is not ('Z' or 'X')) found.Add(id);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended, or belongs to somebody else.
            }
        }
        return found;
    }

    public Task<ApiAnswer> GetAsync(string path, int seconds = 3) => Rest.SendAsync(HttpMethod.Get, ApiUrl + path, seconds: seconds);

    public async Task<bool> IsPrimaryAsync() => (await GetAsync("/primary")).Status == 200;

    public string ConnectionString => new NpgsqlConnectionStringBuilder
    {
        Host = Address, Port = 5432, Username = "postgres", Password = ChaosCluster.SuperuserPassword, Database = "postgres", Pooling = false,
        // A cancelled commit would be answered with success although no standby has it: a connection that takes too long is broken instead.
        Timeout = 3, CommandTimeout = 20, CancellationTimeout = -1,
    }.ConnectionString;

    public async Task<T> SqlAsync<T>(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    private static string WaitForNamespace(int processId)
    {
        string own = NodeNetwork.NamespaceOf(Environment.ProcessId);
        for (int i = 0; i < 1000; i++)
        {
            if (NodeNetwork.NamespaceOf(processId) is { Length: > 0 } found && found != own) return found;
            Thread.Sleep(5);
        }
        throw new TimeoutException("nsenter did not enter its namespace");
    }

    private static string[] CommandLine(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/cmdline").Split('\0');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>The letter of its state; X when it is gone.</summary>
    private static char State(int id)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{id}/stat");
            return stat[stat.LastIndexOf(')') + 2];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 'X';
        }
    }
}
