using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Processes;

/// <summary>
/// The only component that launches, promotes, stops and kills PostgreSQL. It knows processes, signal files and the epoch it was
/// told, and nothing else: no SQL, no configuration, no decision. Thread-safe; a fence does not wait for a stop that hangs.
/// </summary>
public sealed partial class InstanceController : IDisposable
{
    private static readonly TimeSpan ScanPause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan StopWait = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan ReadyPoll = TimeSpan.FromMilliseconds(3);

    private readonly Lock _gate = new();
    private readonly ILogger _log;
    private readonly ILauncher _launcher;
    private Postmaster? _current;
    private long _launches;

    /// <summary>Makes a controller; touches nothing.</summary>
    /// <param name="dataDir">The data directory.</param>
    /// <param name="serverBinary">Path of <c>postgres</c>.</param>
    /// <param name="logFile">Where the output of the postmaster goes; a file, never a pipe: PostgreSQL survives the agent.</param>
    /// <param name="logger">Log.</param>
    public InstanceController(string dataDir, string serverBinary, string logFile, ILogger<InstanceController> logger)
        : this(dataDir, serverBinary, logFile, logger, new DirectLauncher(dataDir))
    {
    }

    /// <summary>Makes a controller whose PostgreSQL is launched and promoted by its guard.</summary>
    public InstanceController(string dataDir, string serverBinary, string logFile, ILogger<InstanceController> logger, GuardKeeper guard)
        : this(dataDir, serverBinary, logFile, logger, (ILauncher)guard)
    {
    }

    internal InstanceController(string dataDir, string serverBinary, string logFile, ILogger logger, ILauncher launcher)
    {
        DataDir = dataDir;
        ServerBinary = serverBinary;
        LogFile = logFile;
        _log = logger;
        _launcher = launcher;
    }

    /// <summary>The data directory.</summary>
    public string DataDir { get; }
    /// <summary>Path of <c>postgres</c>.</summary>
    public string ServerBinary { get; }
    /// <summary>File with the output of the postmaster.</summary>
    public string LogFile { get; }
    /// <summary>The postmaster launched or adopted last, while it lives.</summary>
    public Postmaster? Current => _current is { HasExited: false } running ? running : null;
    /// <summary>Number of launches so far; makes older proofs of a stop void.</summary>
    internal long Launches => Volatile.Read(ref _launches);

    /// <summary>All processes of the instance, orphans included.</summary>
    public InstanceProcesses Scan() => InstanceProcesses.Scan(DataDir);

    /// <summary>
    /// Takes over a postmaster that runs already: the process of postmaster.pid, if it works in the data directory and runs the
    /// server's executable. Null when there is none.
    /// </summary>
    public Postmaster? Adopt()
    {
        lock (_gate)
        {
            if (Current is { } running) return running;
            if (PostmasterPidFile.Read(DataDir) is not { IsStandalone: false } file) return null;
            // The pidfd is opened first: what is checked afterwards is the very process we then hold.
            if (ProcessWatch.TryOpen(file.Pid) is not { } watch) return null;
            InstanceProcess? process = Scan().All.FirstOrDefault(p => p.Pid == file.Pid);
            if (process is not { IsServer: true })
            {
                watch.Dispose();
                return null;
            }
            _current = new(watch, null);
            LogAdopted(file.Pid, DataDir);
            return _current;
        }
    }

    /// <summary>
    /// Starts PostgreSQL. Refuses while any process of the instance lives. The signal files are set here, so that the mode cannot
    /// differ from what PostgreSQL finds: no start as standby is ever writable.
    /// </summary>
    public LaunchResult Launch(LaunchRequest request) =>
        CarryOut(new LaunchOrder(request, ServerBinary, LogFile, [.. ChildProcess.MergedEnvironment(LaunchEnvironment())]));

    internal LaunchResult CarryOut(LaunchOrder order)
    {
        lock (_gate)
        {
            InstanceProcesses before = Scan();
            if (!before.IsEmpty) return new LaunchResult.Refused($"processes of the instance in {DataDir} still run: {before}");
            // Odd while a launch is under way: no proof can be made then, and older ones are void.
            Interlocked.Increment(ref _launches);
            try
            {
                (ProcessWatch? watch, string? error) = _launcher.Launch(order);
                if (watch is null) return new LaunchResult.Refused(error!);
                _current = new(watch, order.Request);
                LogLaunched(watch.Pid, order.Request.Mode, order.Request.Epoch, DataDir);
                return new LaunchResult.Launched(_current);
            }
            finally
            {
                Interlocked.Increment(ref _launches);
            }
        }
    }

    /// <summary>Waits until the postmaster is ready, has exited, or the time is over.</summary>
    public async Task<StartProgress> WaitReadyAsync(Postmaster postmaster, TimeSpan timeout, CancellationToken cancel = default)
    {
        long begin = Stopwatch.GetTimestamp();
        while (true)
        {
            if (postmaster.Exited.IsCompleted) return new StartProgress.Exited(await postmaster.Exited, DurableFile.Tail(LogFile, 4096));
            if (PostmasterPidFile.Read(DataDir) is { State: PostmasterState.Ready or PostmasterState.Standby } file && file.Pid == postmaster.Pid)
                return new StartProgress.Ready();
            if (Stopwatch.GetElapsedTime(begin) >= timeout) return new StartProgress.StillStarting();
            await Task.WhenAny(postmaster.Exited, Task.Delay(ReadyPoll, cancel));
            cancel.ThrowIfCancellationRequested();
        }
    }

    /// <summary>
    /// Orders a promotion: fsyncs the marker, then tells the postmaster. The marker is on disk before anything can become writable.
    /// </summary>
    public SignalResult Promote(PromotionMarker marker)
    {
        lock (_gate)
        {
            if (Current is not { } running) return new SignalResult.Refused($"PostgreSQL in {DataDir} is not running");
            LogPromote(running.Pid, marker.Epoch);
            return _launcher.Promote(running, marker);
        }
    }

    /// <summary>SIGHUP: read the configuration files again.</summary>
    public SignalResult Reload() =>
        Current is { } running ? Send(running, Libc.SigHup) : new SignalResult.Refused($"PostgreSQL in {DataDir} is not running");

    /// <summary>
    /// Stops and verifies. On timeout nothing more is done: the caller decides between patience, <see cref="StopMode.Immediate"/> and a fence.
    /// </summary>
    public async Task<StopResult> StopAsync(StopMode mode, TimeSpan timeout, CancellationToken cancel = default)
    {
        long begin = Stopwatch.GetTimestamp();
        Postmaster? running = Current ?? Adopt();
        if (running is not null)
        {
            LogStop(running.Pid, mode);
            if (Send(running, mode == StopMode.Fast ? Libc.SigInt : Libc.SigQuit) is SignalResult.Refused refused && !running.HasExited)
                return new StopResult.Refused(refused.Reason);
            await Task.WhenAny(running.Exited, Task.Delay(timeout, cancel));
            cancel.ThrowIfCancellationRequested();
            if (!running.HasExited) return new StopResult.TimedOut(Scan());
        }
        TimeSpan gone = Stopwatch.GetElapsedTime(begin);
        InstanceProcesses left;
        do
        {
            if (TryVerify(out left) is { } proof)
            {
                LogStopped(DataDir, Stopwatch.GetElapsedTime(begin).TotalMilliseconds);
                return new StopResult.Stopped(proof, gone, Stopwatch.GetElapsedTime(begin));
            }
            await Task.Delay(ScanPause, cancel);
        }
        while (Stopwatch.GetElapsedTime(begin) < timeout);
        return new StopResult.TimedOut(left);
    }

    /// <summary>The proof that nothing of the instance runs; null when something does.</summary>
    public VerifiedStopped? VerifyStopped() => TryVerify(out _);

    /// <summary>
    /// Kills everything: SIGSTOP the postmaster, so that it starts no more children; SIGKILL them, it, and every process of the instance;
    /// scan again until two scans are empty. Synchronous and free of disk writes: it must work when all else hangs.
    /// </summary>
    /// <param name="limit">When to stop trying; processes in uninterruptible sleep do not die.</param>
    public FenceReport Fence(TimeSpan limit)
    {
        long begin = Stopwatch.GetTimestamp();
        HashSet<int> killed = [];
        // Not through Adopt, which waits for a launch under way; a postmaster that nobody adopted is found by the scan.
        if (Current is { } running) KillFamily(running, killed);
        InstanceProcesses left;
        long signalled = Stopwatch.GetTimestamp();
        while (true)
        {
            TimeSpan remaining = limit - Stopwatch.GetElapsedTime(begin);
            int before = killed.Count;
            InstanceProcesses.KillFound(DataDir, remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero, killed, out long now);
            if (killed.Count != before) signalled = now;
            if (TryVerify(out left) is { } proof)
            {
                TimeSpan elapsed = Stopwatch.GetElapsedTime(begin);
                LogFenced(DataDir, killed.Count, elapsed.TotalMilliseconds);
                return new(proof, killed.Count, Stopwatch.GetElapsedTime(begin, signalled), elapsed, left);
            }
            // Descendants that left the data directory, among others.
            foreach (InstanceProcess process in left.All)
                if (Libc.Kill(process.Pid, Libc.SigKill) == 0) killed.Add(process.Pid);
            if (Stopwatch.GetElapsedTime(begin) >= limit) break;
            Thread.Sleep(ScanPause);
        }
        LogNotFenced(DataDir, left.ToString(), Stopwatch.GetElapsedTime(begin).TotalMilliseconds);
        return new(null, killed.Count, Stopwatch.GetElapsedTime(begin, signalled), Stopwatch.GetElapsedTime(begin), left);
    }

    /// <summary><see cref="Fence"/> on a thread of its own, so that a starved thread pool does not delay it.</summary>
    public Task<FenceReport> FenceAsync(TimeSpan limit) =>
        Task.Factory.StartNew(() => Fence(limit), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Forgets the postmaster; it keeps running.</summary>
    public void Dispose() => _current?.Watch.Dispose();

    private VerifiedStopped? TryVerify(out InstanceProcesses left)
    {
        long launches = Launches;
        left = Scan();
        // A process can be born behind the cursor of one pass over /proc by a parent that dies before the cursor reaches it: hence two.
        if (left.IsEmpty) left = Scan();
        return left.IsEmpty && launches % 2 == 0 && launches == Launches ? new(this, launches, DataDir) : null;
    }

    // The quickest way to silence all backends on a busy machine: a handful of system calls instead of a look at every process.
    // The stopped postmaster can neither start children nor reap them, so their numbers stay theirs until it is killed last.
    private static void KillFamily(Postmaster postmaster, HashSet<int> killed)
    {
        if (postmaster.Watch.Signal(Libc.SigStop) != 0) return;
        long begin = Stopwatch.GetTimestamp();
        while (ProcFs.ReadStat(postmaster.Pid) is { State: not ('T' or 'Z') } && Stopwatch.GetElapsedTime(begin) < StopWait) Thread.Yield();
        if (ProcFs.ReadStat(postmaster.Pid) is { State: 'T' })
            foreach (int child in ProcFs.Children(postmaster.Pid) ?? [])
                if (Libc.Kill(child, Libc.SigKill) == 0) killed.Add(child);
        if (postmaster.Watch.Signal(Libc.SigKill) == 0) killed.Add(postmaster.Pid);
    }

    internal static SignalResult Send(Postmaster postmaster, int signal) => postmaster.Watch.Signal(signal) switch
    {
        0 => new SignalResult.Sent(),
        int error => new SignalResult.Refused($"cannot signal postmaster {postmaster.Pid}: {Libc.Describe(error)}"),
    };

    // A stale postmaster.pid whose number belongs to an unrelated process now would make PostgreSQL refuse to start;
    // it ignores the number that this variable names. Removing the file instead would race with a starting postmaster.
    private Dictionary<string, string> LaunchEnvironment()
    {
        Dictionary<string, string> environment = [];
        if (PostmasterPidFile.Read(DataDir) is { } stale && ProcFs.ReadStat(stale.Pid) is not null)
            environment["PG_GRANDPARENT_PID"] = stale.Pid.ToString();
        return environment;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Took over the running postmaster {Pid} in {DataDir}")]
    private partial void LogAdopted(int pid, string dataDir);
    [LoggerMessage(Level = LogLevel.Information, Message = "Launched postmaster {Pid} as {Mode} (epoch {Epoch}) in {DataDir}")]
    private partial void LogLaunched(int pid, LaunchMode mode, Epoch epoch, string dataDir);
    [LoggerMessage(Level = LogLevel.Information, Message = "Told postmaster {Pid} to promote under epoch {Epoch}")]
    private partial void LogPromote(int pid, Epoch epoch);
    [LoggerMessage(Level = LogLevel.Information, Message = "Stopping postmaster {Pid} ({Mode})")]
    private partial void LogStop(int pid, StopMode mode);
    [LoggerMessage(Level = LogLevel.Information, Message = "PostgreSQL in {DataDir} is stopped and no process of it is left, after {ElapsedMs:F1} ms")]
    private partial void LogStopped(string dataDir, double elapsedMs);
    [LoggerMessage(Level = LogLevel.Warning, Message = "Fenced PostgreSQL in {DataDir}: killed {Killed} processes, none is left after {ElapsedMs:F1} ms")]
    private partial void LogFenced(string dataDir, int killed, double elapsedMs);
    [LoggerMessage(Level = LogLevel.Critical, Message = "Could not fence PostgreSQL in {DataDir}: still running after {ElapsedMs:F0} ms: {Left}")]
    private partial void LogNotFenced(string dataDir, string left, double elapsedMs);
}
