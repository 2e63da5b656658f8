using System.Collections;
using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>How to start a guard.</summary>
/// <param name="File">The program.</param>
/// <param name="Arguments">What stands before the verb.</param>
public sealed record GuardCommand(string File, ImmutableArray<string> Arguments)
{
    /// <summary>The program that this process runs.</summary>
    public static GuardCommand ThisProgram()
    {
        string file = Environment.ProcessPath ?? "/proc/self/exe";
        // Started as "dotnet program.dll": the runtime is the executable, the program its first argument.
        return Path.GetFileNameWithoutExtension(file) == "dotnet" ? new(file, [Environment.GetCommandLineArgs()[0]]) : new(file, []);
    }
}

/// <summary>
/// The agent's side of the guard: finds a running one or starts it, tells it of the lease, has it launch and promote PostgreSQL, notices at once
/// when it is gone and brings another. While there is none nothing is launched or promoted, and the agent's own fence is all there is.
/// </summary>
public sealed partial class GuardKeeper : ILauncher, IDisposable
{
    private static readonly TimeSpan HelloLimit = TimeSpan.FromSeconds(5), StartLimit = TimeSpan.FromSeconds(20), PingInterval = TimeSpan.FromSeconds(2),
        PingLimit = TimeSpan.FromSeconds(5), TellLimit = TimeSpan.FromSeconds(1), OrderLimit = TimeSpan.FromSeconds(60), ConnectPause = TimeSpan.FromMilliseconds(5),
        RetryPause = TimeSpan.FromMilliseconds(250);
    private readonly GuardFiles files;
    private readonly GuardCommand command;
    private readonly string version;
    private readonly ILogger log;
    private readonly Lock gate = new();
    private readonly ManualResetEventSlim connected = new();
    private readonly ManualResetEventSlim disposing = new();
    private GuardClient? client;
    private HeldLease? lease;
    private bool mayBeWritable;
    private (HeldLease? Lease, bool MayBeWritable) told;
    private long missingSinceMs = BootClock.NowMs;
    private int ownPid;
    private string problem = "it is being started";
    private FenceFacts? fenced;

    /// <summary>Prepares; <see cref="Start"/> begins.</summary>
    /// <param name="dataDir">Data directory.</param>
    /// <param name="command">How to start a guard.</param>
    /// <param name="logger">Log.</param>
    /// <param name="version">This build; null for the program's own.</param>
    public GuardKeeper(string dataDir, GuardCommand command, ILogger<GuardKeeper> logger, string? version = null)
    {
        files = new(dataDir);
        this.command = command;
        this.version = version ?? GuardProgram.Version;
        log = logger;
    }

    /// <summary>Raised when the guard came, went, or fenced.</summary>
    public event Action? Changed;

    /// <summary>Since when there is no guard, CLOCK_BOOTTIME milliseconds; null while there is one.</summary>
    public long? MissingSinceMs
    {
        get
        {
            lock (gate) return client is null ? missingSinceMs : null;
        }
    }

    /// <summary>Why there is none, in words.</summary>
    public string Problem
    {
        get
        {
            lock (gate) return problem;
        }
    }

    /// <summary>The guard's process number; null while there is none.</summary>
    public int? Pid
    {
        get
        {
            lock (gate) return client?.Pid;
        }
    }

    /// <summary>The newest fence that a guard of this instance reported and that was not forgotten; null when there is none.</summary>
    public FenceFacts? Fenced
    {
        get
        {
            lock (gate) return fenced;
        }
    }

    /// <summary>The cluster's history has the report: it need not be kept any longer.</summary>
    public void Forget(FenceFacts report)
    {
        files.Forget(report);
        lock (gate)
            if (fenced == report) fenced = null;
    }

    /// <summary>Makes the directory of the lease file and the guard; a string says why it cannot be used.</summary>
    public string? Prepare() => files.Prepare();

    /// <summary>Begins to keep a guard. What an earlier life of the agent left has been told by now: a running guard believes what it hears first.</summary>
    public void Start() => new Thread(Keep, 256 * 1024) { IsBackground = true, Name = "guard" }.Start();

    /// <summary>
    /// Tells the lease in force. A renewal under the same epoch needs no message: the guard finds it in the lease file. What shortens or ends a lease is
    /// sent, and with <paramref name="wait"/> it has been acknowledged when this returns true.
    /// </summary>
    public bool Tell(HeldLease? held, bool wait)
    {
        Task<GuardMessage.Done>? answer;
        lock (gate)
        {
            lease = held;
            if (client is null) return false;
            answer = Say(client);
        }
        return answer is null || !wait || answer.Wait(TellLimit) && answer.Result.Refusal is null;
    }

    /// <summary>Declares whether the instance may be writable under the lease; the guard keeps to its own orders besides.</summary>
    public void Declare(bool writable)
    {
        lock (gate)
        {
            mayBeWritable = writable;
            if (client is not null) Say(client);
        }
    }

    (ProcessWatch? Watch, string? Error) ILauncher.Launch(LaunchOrder order)
    {
        // Nothing runs now: the moment to replace a guard of another version.
        GuardClient? old;
        lock (gate) old = client;
        if (old is not null && IsOutdated(old)) Replace(old, $"is of version {old.Welcome.GuardVersion}");
        if (Order(new GuardMessage.Launch(order)) is not { } done) return (null, Unanswered);
        if (done.Refusal is { } refusal) return (null, refusal);
        if (ProcessWatch.TryOpen(done.Pid) is { } watch) return (watch, null);
        string[] lines = DurableFile.Tail(order.LogFile, 2048).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return (null, $"PostgreSQL exited as soon as it was started: {lines.LastOrDefault() ?? "its log is empty"}");
    }

    SignalResult ILauncher.Promote(Postmaster postmaster, PromotionMarker marker) => Order(new GuardMessage.Promote(marker)) switch
    {
        null => new SignalResult.Refused(Unanswered),
        { Refusal: { } refusal } => new SignalResult.Refused(refusal),
        _ => new SignalResult.Sent(),
    };

    /// <summary>Ends the guard if nothing of the instance is left, and removes its files; false when it stays.</summary>
    public bool End(TimeSpan limit)
    {
        GuardClient? asked;
        lock (gate) asked = client;
        disposing.Set();
        if (asked?.Ask(new GuardMessage.End(), limit) is not { Refusal: null }) return false;
        asked.WaitClosed(limit);
        files.Remove();
        return true;
    }

    /// <summary>Leaves the guard to the next agent.</summary>
    public void Dispose()
    {
        disposing.Set();
        lock (gate) client?.Dispose();
    }

    private string Unanswered => $"the guard did not answer ({Problem})";

    private GuardMessage.Done? Order(GuardMessage.Request request)
    {
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < HelloLimit + HelloLimit)
        {
            GuardClient? asked;
            lock (gate) asked = client;
            if (asked is { IsClosed: false }) return asked.Ask(request, OrderLimit);
            if (disposing.IsSet) return null;
            connected.Wait(RetryPause);
        }
        return null;
    }

    /// <summary>Sends what the guard does not know yet; null when it knows all. Under the gate, so that nothing older overtakes it.</summary>
    private Task<GuardMessage.Done>? Say(GuardClient to, bool all = false)
    {
        (HeldLease? Lease, bool MayBeWritable) now = (lease, mayBeWritable && lease is not null);
        bool needed = all || NeedsMessage(told, now);
        // Also without a message: the guard may have found it in the file.
        told = now;
        return needed ? to.Ask(new GuardMessage.Lease(now.Lease, now.MayBeWritable)) : null;
    }

    private static bool NeedsMessage((HeldLease? Lease, bool MayBeWritable) told, (HeldLease? Lease, bool MayBeWritable) now) =>
        told.MayBeWritable != now.MayBeWritable || told.Lease?.Epoch != now.Lease?.Epoch
        || now.Lease is { Unbounded: false } held && (told.Lease!.Unbounded || held.DeadlineMs < told.Lease.DeadlineMs);

    private void Keep()
    {
        while (!disposing.IsSet)
        {
            if (Find() is { } found)
            {
                Serve(found);
                continue;
            }
            disposing.Wait(RetryPause);
        }
    }

    private void Serve(GuardClient found)
    {
        lock (gate)
        {
            client = found;
            // What was told to another guard, or by another agent, counts for nothing.
            Say(found, all: true);
        }
        connected.Set();
        LogConnected(found.Pid, found.Welcome.IsArmed ? $"armed under epoch {found.Welcome.ArmedUnder}" : "not armed");
        foreach (string note in found.Welcome.Notes) LogNote(note);
        TellReport();
        Changed?.Invoke();
        while (!found.WaitClosed(PingInterval))
        {
            if (disposing.IsSet || found.Ask(new GuardMessage.Ping(), PingLimit) is not null) continue;
            LogSilent(found.Pid);
            found.Kill();
        }
        lock (gate)
        {
            client = null;
            missingSinceMs = BootClock.NowMs;
            problem = "it is gone";
        }
        connected.Reset();
        if (disposing.IsSet) return;
        LogLost(found.Pid);
        Changed?.Invoke();
    }

    private GuardClient? Find()
    {
        (GuardClient? found, int? silent) = GuardClient.Connect(files.Socket, version, HelloLimit, OnFenced);
        if (silent is { } pid && pid != Environment.ProcessId)
        {
            LogSilent(pid);
            _ = Libc.Kill(pid, Libc.SigKill);
        }
        found ??= silent is null ? StartNew() : null;
        if (found is null) return null;
        if (found.Welcome.Version == 0) return Replace(found, "speaks another version of the protocol");
        return IsOutdated(found) ? Replace(found, $"is of version {found.Welcome.GuardVersion}") : found;
    }

    /// <summary>One that this agent started is never replaced: its program may have been replaced on the disk, and the next would be the same.</summary>
    private bool IsOutdated(GuardClient found) => found.Welcome.GuardVersion != version && found.Pid != ownPid;

    /// <summary>A guard of another version goes as soon as nothing runs; until then one that can be talked to stays.</summary>
    private GuardClient? Replace(GuardClient found, string why)
    {
        if (found.Welcome.Version != 0)
        {
            if (found.Ask(new GuardMessage.End(), PingLimit) is not { Refusal: null }) return found;
        }
        else if (InstanceProcesses.Scan(files.DataDir).IsEmpty) found.Kill();
        else
        {
            Complain($"the running guard (process {found.Pid}) {why}; PostgreSQL has to be stopped before it can be replaced");
            found.Dispose();
            return null;
        }
        LogReplaced(found.Pid, why);
        found.WaitClosed(PingLimit);
        found.Dispose();
        return null;
    }

    private GuardClient? StartNew()
    {
        if (files.Prepare() is { } reason)
        {
            Complain(reason);
            return null;
        }
        (ChildProcess? child, string? error) = ChildProcess.Start(new()
        {
            File = command.File,
            Arguments = [.. command.Arguments, GuardProgram.Verb, files.DataDir],
            WorkingDirectory = files.Directory,
            Environment = GuardEnvironment(),
            LogFile = files.Log,
        });
        if (child is null)
        {
            Complain(error!);
            return null;
        }
        ownPid = child.Pid;
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < StartLimit && !disposing.IsSet)
        {
            if (GuardClient.Connect(files.Socket, version, HelloLimit, OnFenced) is { Client: { } found }) return found;
            if (child.Exited.Wait(ConnectPause))
            {
                string said = DurableFile.Tail(files.Log, 1024).Trim();
                // Another guard may be between lock and socket, or on its way out.
                if (child.Exited.Result.Code != GuardProgram.AlreadyGuarded) Complain($"it ended with {child.Exited.Result}{(said.Length > 0 ? ": " + said : "")}");
                return null;
            }
        }
        if (disposing.IsSet) return null;
        child.KillGroup();
        Complain($"it did not answer within {StartLimit.TotalSeconds:F0} s");
        return null;
    }

    /// <summary>A small heap, no helper threads, and what the runtime needs to be found.</summary>
    internal static Dictionary<string, string> GuardEnvironment()
    {
        Dictionary<string, string> environment = [];
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
            if (entry is { Key: string name, Value: string value } && name.StartsWith("DOTNET_", StringComparison.Ordinal)) environment[name] = value;
        environment["DOTNET_gcServer"] = environment["DOTNET_gcConcurrent"] = "0";
        // Hexadecimal without a prefix: a native binary does not read the other form, and says nothing (measured).
        environment["DOTNET_GCHeapHardLimit"] = "2000000";
        // The budget too, which otherwise grows to megabytes: a look at all processes of a machine allocates, and a guard lives for months.
        environment["DOTNET_GCgen0size"] = environment["DOTNET_GCgen0MaxBudget"] = "40000";
        environment["DOTNET_EnableDiagnostics"] = environment["DOTNET_TieredPGO"] = "0";
        return environment;
    }

    private void OnFenced()
    {
        TellReport();
        Changed?.Invoke();
    }

    private void TellReport()
    {
        if (files.ReadReport() is not { } report) return;
        bool isNew;
        lock (gate)
        {
            isNew = fenced != report;
            fenced = report;
        }
        if (isNew) LogReport(report.Epoch, report.Killed, report.SignalledMs, report.Left, report.Reason);
    }

    private void Complain(string reason)
    {
        bool isNew;
        lock (gate)
        {
            isNew = problem != reason;
            problem = reason;
        }
        if (isNew) LogProblem(reason);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The guard is process {Pid}, {State}")]
    private partial void LogConnected(int pid, string state);
    [LoggerMessage(Level = LogLevel.Debug, Message = "The guard has less than it asked for: {Note}")]
    private partial void LogNote(string note);
    [LoggerMessage(Level = LogLevel.Warning, Message = "The guard (process {Pid}) is gone; another is started")]
    private partial void LogLost(int pid);
    [LoggerMessage(Level = LogLevel.Warning, Message = "The guard (process {Pid}) does not answer and is killed")]
    private partial void LogSilent(int pid);
    [LoggerMessage(Level = LogLevel.Information, Message = "The guard (process {Pid}) {Why} and is replaced")]
    private partial void LogReplaced(int pid, string why);
    [LoggerMessage(Level = LogLevel.Critical, Message = "The guard fenced PostgreSQL under epoch {Epoch}: {Killed} processes killed within {Ms} ms, {Left} left ({Reason})")]
    private partial void LogReport(Epoch epoch, int killed, long ms, int left, string reason);
    [LoggerMessage(Level = LogLevel.Error, Message = "There is no guard: {Reason}")]
    private partial void LogProblem(string reason);
}
