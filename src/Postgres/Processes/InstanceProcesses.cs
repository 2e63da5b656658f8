using System.Collections.Immutable;
using System.Diagnostics;

namespace Patroni.Raft.Postgres.Processes;

/// <summary>One process that belongs to an instance.</summary>
/// <param name="Pid">Process number.</param>
/// <param name="ParentPid">Parent; 1 (or a subreaper) for an orphan.</param>
/// <param name="Command">Its short name.</param>
/// <param name="IsServer">Whether it runs the PostgreSQL server's executable, so that it can write to the database.</param>
public sealed record InstanceProcess(int Pid, int ParentPid, string Command, bool IsServer);

/// <summary>
/// All processes of one instance at one moment: those whose working directory is the data directory, and their descendants.
/// Measured: each backend calls setsid and survives the postmaster and its process group, still committing; the working
/// directory is what it cannot lose. Processes of other programs with a terminal (somebody's shell) are not counted.
/// </summary>
/// <param name="All">Ordered by number.</param>
/// <param name="ForeignPostmaster">The process of postmaster.pid, when it runs as another user, so that we can neither see its directory nor stop it.</param>
public sealed record InstanceProcesses(ImmutableArray<InstanceProcess> All, int? ForeignPostmaster)
{
    /// <summary>Nothing of the instance runs.</summary>
    public bool IsEmpty => All.IsEmpty && ForeignPostmaster is null;

    /// <summary>Names and numbers, for messages.</summary>
    public override string ToString() => IsEmpty ? "none"
        : string.Join(", ", All.Take(10).Select(p => $"{p.Command} ({p.Pid})"))
          + (All.Length > 10 ? $" and {All.Length - 10} more" : "")
          + (ForeignPostmaster is { } pid ? $" postmaster {pid} of another user" : "");

    /// <summary>Looks at every process of the machine; about 10 microseconds each.</summary>
    public static InstanceProcesses Scan(string dataDir)
    {
        FileIdentity? directory = Libc.Identify(dataDir);
        Dictionary<int, ProcessStat> stats = [];
        Dictionary<int, InstanceProcess> found = [];
        HashSet<int> inside = [];
        int self = Environment.ProcessId;
        foreach (int pid in ProcFs.Pids())
        {
            if (pid == self) continue;
            if (directory is { } wanted && WorksIn(pid, wanted)) inside.Add(pid);
            // Kernel threads and others' processes have no readable directory: their children cannot be ours either way.
            if (ProcFs.ReadStat(pid) is { } stat) stats[pid] = stat;
        }
        foreach (int pid in inside)
            if (stats.TryGetValue(pid, out ProcessStat stat) && stat.State != 'Z')
            {
                bool server = IsServer(pid, stat);
                if (server || stat.Terminal == 0) found[pid] = new(pid, stat.ParentPid, stat.Command, server);
            }
        AddDescendants(stats, found);
        return new([.. found.Values.OrderBy(p => p.Pid)], ForeignPostmasterOf(dataDir, found));
    }

    /// <summary>
    /// The quick blow of a fence: kills what works in the data directory and waits until it is gone. Whether anything is left is
    /// for <see cref="Scan"/> to say. First all are found, then all are signalled: dying processes would take the processor from the search.
    /// </summary>
    /// <param name="dataDir">Data directory.</param>
    /// <param name="limit">Longest wait.</param>
    /// <param name="killed">Gets the numbers of those signalled.</param>
    /// <param name="signalled">When the last was signalled; from then on none of them runs another instruction of its own.</param>
    internal static void KillFound(string dataDir, TimeSpan limit, HashSet<int> killed, out long signalled)
    {
        List<(int Pid, int Pidfd)> victims = [];
        if (Libc.Identify(dataDir) is { } wanted)
            foreach (int pid in ProcFs.Pids())
                if (pid != Environment.ProcessId && WorksIn(pid, wanted) && Libc.PidfdOpen(pid) is >= 0 and int pidfd)
                {
                    // Looked at again behind the descriptor: the number may have been reused in between.
                    if (ProcFs.ReadStat(pid) is { } stat && (stat.Terminal == 0 || IsServer(pid, stat)) && WorksIn(pid, wanted)) victims.Add((pid, pidfd));
                    else Libc.Close(pidfd);
                }
        foreach ((int pid, int pidfd) in victims)
            if (Libc.PidfdSendSignal(pidfd, Libc.SigKill) == 0) killed.Add(pid);
        signalled = Stopwatch.GetTimestamp();
        foreach ((_, int pidfd) in victims)
        {
            Libc.WaitReadable(pidfd, limit - Stopwatch.GetElapsedTime(signalled));
            Libc.Close(pidfd);
        }
    }

    private static bool WorksIn(int pid, FileIdentity directory) =>
        ProcFs.WorkingDirectory(pid) is { } actual && actual with { Owner = 0 } == directory with { Owner = 0 };

    private static bool IsServer(int pid, ProcessStat stat) =>
        (ProcFs.Executable(pid) ?? stat.Command) is "postgres" or "postmaster" || stat.Command is "postgres" or "postmaster";

    private static void AddDescendants(Dictionary<int, ProcessStat> stats, Dictionary<int, InstanceProcess> found)
    {
        bool grew = found.Count != 0;
        while (grew)
        {
            grew = false;
            foreach ((int pid, ProcessStat stat) in stats)
                if (stat.State != 'Z' && !found.ContainsKey(pid) && found.ContainsKey(stat.ParentPid) && pid != Environment.ProcessId)
                {
                    found[pid] = new(pid, stat.ParentPid, stat.Command, IsServer(pid, stat));
                    grew = true;
                }
        }
    }

    private static int? ForeignPostmasterOf(string dataDir, Dictionary<int, InstanceProcess> found)
    {
        if (PostmasterPidFile.Read(dataDir) is not { } file || found.ContainsKey(file.Pid)) return null;
        // Readable directory: ours to judge, and it was not the data directory, so the file is stale.
        if (ProcFs.WorkingDirectory(file.Pid) is not null) return null;
        return ProcFs.ReadStat(file.Pid) is { State: not 'Z', Command: "postgres" or "postmaster" } ? file.Pid : null;
    }
}

/// <summary>
/// Proof that no process of the instance was left: two successive scans found none. Only <see cref="InstanceController"/>
/// makes it. Releasing leadership, wiping, cloning and rewinding ask for it, so that none can happen beside a living backend.
/// </summary>
public sealed class VerifiedStopped
{
    private readonly InstanceController _controller;
    private readonly long _launches;
    private readonly long _timestamp = Stopwatch.GetTimestamp();

    internal VerifiedStopped(InstanceController controller, long launches, string dataDir)
    {
        _controller = controller;
        _launches = launches;
        DataDir = dataDir;
    }

    /// <summary>The data directory that was verified.</summary>
    public string DataDir { get; }

    /// <summary>Time since the second empty scan.</summary>
    public TimeSpan Age => Stopwatch.GetElapsedTime(_timestamp);

    /// <summary>Whether nothing was launched since: a proof from before a launch proves nothing.</summary>
    public bool IsCurrent => _controller.Launches == _launches;

    /// <summary>Refuses to be used for another directory or after a launch.</summary>
    /// <exception cref="InvalidOperationException">It is used so: a bug in the caller.</exception>
    internal void Require(string dataDir)
    {
        if (!IsCurrent || !string.Equals(DataDir, dataDir, StringComparison.Ordinal))
            throw new InvalidOperationException($"The proof that PostgreSQL in {DataDir} is stopped does not hold for {dataDir} any more.");
    }
}
