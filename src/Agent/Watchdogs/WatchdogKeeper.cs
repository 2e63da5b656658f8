using Microsoft.Extensions.Logging;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Watchdogs;

/// <summary>
/// Keeps the kernel's watchdog for the agent: started before PostgreSQL may become writable, kept alive by the HA loop while the lease leaves it
/// time, stopped once nothing is writable any more. An agent that hangs keeps nothing alive, so that the machine is reset before the lease is over.
/// </summary>
/// <param name="settings">The configuration in force.</param>
/// <param name="logger">Log.</param>
internal sealed partial class WatchdogKeeper(Func<WatchdogSettings> settings, ILogger<WatchdogKeeper> logger) : IDisposable
{
    private WatchdogDevice? device;
    private (int Wanted, int Actual) timeout;
    private string said = "";
    private (string Reason, long AtMs) refused = ("", 0);

    /// <summary>Whether a watchdog runs.</summary>
    public bool IsActive => device is not null;

    /// <summary>Why this node must not lead: a watchdog is required and cannot be used. Null when it may.</summary>
    public string? Problem(DynamicConfiguration dynamic, long nowMs)
    {
        WatchdogSettings wanted = settings();
        if (wanted.Mode != WatchdogMode.Required) return null;
        if (WatchdogRules.WhyUnusable(dynamic, wanted.SafetyMarginSeconds) is { } timing) return timing;
        if (device is not null) return null;
        if (!WatchdogDevice.IsUsable(wanted.Device)) return $"{wanted.Device} cannot be written to";
        return refused.Reason.Length > 0 && nowMs - refused.AtMs < dynamic.TtlMs ? refused.Reason : null;
    }

    /// <summary>Starts it before PostgreSQL may become writable; false when it is required and could not be.</summary>
    public bool Activate(DynamicConfiguration dynamic)
    {
        WatchdogSettings wanted = settings();
        if (wanted.Mode == WatchdogMode.Off || device is not null) return true;
        string? problem = WatchdogRules.WhyUnusable(dynamic, wanted.SafetyMarginSeconds) ?? Open(wanted, dynamic);
        if (problem is null) return true;
        refused = (problem, BootClock.NowMs);
        Say(problem, wanted.Mode);
        return wanted.Mode != WatchdogMode.Required;
    }

    /// <summary>Once a turn of the HA loop.</summary>
    /// <param name="mayBeWritable">Whether PostgreSQL may be writable.</param>
    /// <param name="lease">The lease in force; in pause (unbounded) there is no watchdog.</param>
    /// <param name="dynamic">Dynamic settings.</param>
    public void Turn(bool mayBeWritable, HeldLease? lease, DynamicConfiguration dynamic)
    {
        WatchdogSettings wanted = settings();
        if (!mayBeWritable || lease is { Unbounded: true } || wanted.Mode == WatchdogMode.Off)
        {
            Disable();
            return;
        }
        if (lease is null) return;
        if (device is null && refused.Reason.Length > 0 && BootClock.NowMs - refused.AtMs < dynamic.TtlMs) return;
        Activate(dynamic);
        if (device is null) return;
        if (WatchdogRules.TimeoutSeconds(dynamic.TtlMs, wanted.SafetyMarginSeconds) != timeout.Wanted && Adjust(wanted, dynamic) is { } problem)
        {
            Say(problem, wanted.Mode);
            return;
        }
        if (WatchdogRules.MayKeepAlive(lease, timeout.Actual, BootClock.NowMs) && device?.KeepAlive() is { } failure) Say(failure, wanted.Mode);
    }

    /// <summary>When the last moment comes at which it may be kept alive, CLOCK_BOOTTIME milliseconds; null when it does not run.</summary>
    public long? LastKeepAliveMs(HeldLease lease) => device is null ? null : lease.DeadlineMs - (timeout.Actual * 1000L);

    /// <summary>Stops it: nothing is writable any more.</summary>
    public void Disable()
    {
        if (device is not { } open) return;
        bool stops = open.CanBeDisabled;
        string? problem = open.Disable();
        device = null;
        if (problem is not null) LogProblem(problem);
        else if (!stops) LogCannotStop();
        else LogStopped();
    }

    /// <summary>Leaves it running if it runs: whoever may be writable still needs it.</summary>
    public void Dispose() => device?.Dispose();

    private string? Open(WatchdogSettings wanted, DynamicConfiguration dynamic)
    {
        (WatchdogDevice? open, string? error) = WatchdogDevice.Open(wanted.Device);
        if (open is null) return error;
        device = open;
        if (Adjust(wanted, dynamic) is { } problem) return problem;
        LogActive(wanted.Device, timeout.Actual);
        if (!open.CanBeDisabled) LogCannotStop();
        refused = ("", 0);
        said = "";
        return null;
    }

    /// <summary>Brings the timeout into force. A device that cannot have a safe one is closed again, and stopped where it can be.</summary>
    private string? Adjust(WatchdogSettings wanted, DynamicConfiguration dynamic)
    {
        int seconds = WatchdogRules.TimeoutSeconds(dynamic.TtlMs, wanted.SafetyMarginSeconds);
        (int actual, string? problem) = device!.SetTimeout(seconds);
        problem ??= WatchdogRules.WhyUnusable(dynamic, wanted.SafetyMarginSeconds);
        problem ??= actual > seconds ? $"its timeout is {actual} s and cannot be made {seconds} s, within which the machine must be reset"
            : actual * 1000L < dynamic.LoopWaitMs ? $"its timeout of {actual} s is shorter than loop_wait of {dynamic.LoopWaitMs} ms"
            : null;
        timeout = (seconds, actual);
        if (problem is null) return null;
        device.Disable();
        device = null;
        return problem;
    }

    private void Say(string problem, WatchdogMode mode)
    {
        if (said == problem) return;
        said = problem;
        if (mode == WatchdogMode.Required) LogRequired(problem);
        else LogWithout(problem);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The watchdog {Device} is active with a timeout of {Seconds} s")]
    private partial void LogActive(string device, int seconds);
    [LoggerMessage(Level = LogLevel.Information, Message = "The watchdog is stopped")]
    private partial void LogStopped();
    [LoggerMessage(Level = LogLevel.Warning, Message = "This watchdog cannot be stopped: the machine is reset when the agent no longer keeps it alive")]
    private partial void LogCannotStop();
    [LoggerMessage(Level = LogLevel.Error, Message = "A watchdog is required and not usable: {Problem}")]
    private partial void LogRequired(string problem);
    [LoggerMessage(Level = LogLevel.Information, Message = "Going on without a watchdog: {Problem}")]
    private partial void LogWithout(string problem);
    [LoggerMessage(Level = LogLevel.Warning, Message = "The watchdog could not be stopped: {Problem}")]
    private partial void LogProblem(string problem);
}
