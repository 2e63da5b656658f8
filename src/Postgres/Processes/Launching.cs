using System.Collections.Immutable;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Processes;

/// <summary>How PostgreSQL is started.</summary>
public enum LaunchMode
{
    /// <summary>With standby.signal: it cannot become writable without a promotion.</summary>
    Standby,
    /// <summary>Writable as soon as it is up; needs a lease.</summary>
    Primary,
    /// <summary>Writable but reachable only through a private socket directory: bootstrap's start. Existing signal files are left alone.</summary>
    Private,
}

/// <summary>An order to start PostgreSQL.</summary>
/// <param name="Mode">How.</param>
/// <param name="Epoch">The leadership under which a writable start is made; recorded, and <see cref="Epoch.None"/> for a standby.</param>
/// <param name="Options">Command line after <c>-D</c>, from ServerConfiguration.</param>
public sealed record LaunchRequest(LaunchMode Mode, Epoch Epoch, ImmutableArray<string> Options);

/// <summary>A launch with all that the one who carries it out has to know.</summary>
/// <param name="Request">The order.</param>
/// <param name="ServerBinary">Path of <c>postgres</c>.</param>
/// <param name="LogFile">File that its output is appended to.</param>
/// <param name="Environment">All of its environment, NAME=VALUE.</param>
internal sealed record LaunchOrder(LaunchRequest Request, string ServerBinary, string LogFile, ImmutableArray<string> Environment);

/// <summary>Carries out what makes PostgreSQL run or writable: in this process, or in the guard.</summary>
internal interface ILauncher
{
    /// <summary>Starts PostgreSQL in a directory in which nothing of it runs; a string says why it was not started.</summary>
    (ProcessWatch? Watch, string? Error) Launch(LaunchOrder order);

    /// <summary>Writes the marker, then tells the postmaster to promote.</summary>
    SignalResult Promote(Postmaster postmaster, PromotionMarker marker);
}

/// <summary>A postmaster, launched or adopted.</summary>
public sealed class Postmaster
{
    internal Postmaster(ProcessWatch watch, LaunchRequest? request)
    {
        Watch = watch;
        Request = request;
    }

    internal ProcessWatch Watch { get; }

    /// <summary>Its process number.</summary>
    public int Pid => Watch.Pid;
    /// <summary>What it was launched with; null when it was found running.</summary>
    public LaunchRequest? Request { get; }
    /// <summary>Whether it was found running rather than launched by us.</summary>
    public bool IsAdopted => Request is null;
    /// <summary>Completes as soon as it has exited; its backends may still live.</summary>
    public Task<ProcessExit> Exited => Watch.Exited;
    /// <summary>Whether it has exited.</summary>
    public bool HasExited => Watch.Exited.IsCompleted;
}

/// <summary>Outcome of a launch.</summary>
public abstract record LaunchResult
{
    private LaunchResult() { }
    /// <summary>The process runs; whether PostgreSQL comes up is seen later.</summary>
    public sealed record Launched(Postmaster Postmaster) : LaunchResult;
    /// <summary>Nothing was started.</summary>
    public sealed record Refused(string Reason) : LaunchResult;
}

/// <summary>Outcome of an order to a running postmaster.</summary>
public abstract record SignalResult
{
    private SignalResult() { }
    /// <summary>The order was given; its effect is seen later.</summary>
    public sealed record Sent : SignalResult;
    /// <summary>It was not given.</summary>
    public sealed record Refused(string Reason) : SignalResult;
}

/// <summary>How to stop.</summary>
public enum StopMode
{
    /// <summary>SIGINT: ends sessions, writes the shutdown checkpoint, sends it to standbys.</summary>
    Fast,
    /// <summary>SIGQUIT: crash recovery at the next start.</summary>
    Immediate,
}

/// <summary>Outcome of a stop.</summary>
public abstract record StopResult
{
    private StopResult() { }
    /// <summary>No process is left.</summary>
    /// <param name="Proof">For release, rewind, wipe.</param>
    /// <param name="PostmasterGone">Until the postmaster had exited.</param>
    /// <param name="Elapsed">Until it was verified that nothing is left.</param>
    public sealed record Stopped(VerifiedStopped Proof, TimeSpan PostmasterGone, TimeSpan Elapsed) : StopResult;
    /// <summary>Time ran out.</summary>
    /// <param name="Left">What still runs.</param>
    public sealed record TimedOut(InstanceProcesses Left) : StopResult;
    /// <summary>It could not be asked to.</summary>
    public sealed record Refused(string Reason) : StopResult;
}

/// <summary>Outcome of fencing.</summary>
/// <param name="Proof">Null when something is left: then nothing may be released.</param>
/// <param name="Killed">Processes that were killed.</param>
/// <param name="Signalled">Until the last of them was sent SIGKILL: nothing of them commits after that.</param>
/// <param name="Elapsed">From the call to the second empty scan, or to giving up.</param>
/// <param name="Left">What was left at the last scan.</param>
public sealed record FenceReport(VerifiedStopped? Proof, int Killed, TimeSpan Signalled, TimeSpan Elapsed, InstanceProcesses Left);

/// <summary>How far a start got.</summary>
public abstract record StartProgress
{
    private StartProgress() { }
    /// <summary>Accepts connections (or, without hot standby, replays).</summary>
    public sealed record Ready : StartProgress;
    /// <summary>The postmaster has exited; its log says why.</summary>
    /// <param name="Exit">How.</param>
    /// <param name="LastLogLines">The end of its output.</param>
    public sealed record Exited(ProcessExit Exit, string LastLogLines) : StartProgress;
    /// <summary>Still starting when time ran out: it may be recovering.</summary>
    public sealed record StillStarting : StartProgress;
}
