namespace Patroni.Raft.StateMachine;

/// <summary>
/// Timing of the kernel's watchdog (Patroni's documentation, "Watchdog support"): it resets the machine when it was not kept alive for its
/// timeout, and that must happen before the lease is over. Whole seconds, as its interface has.
/// </summary>
public static class WatchdogRules
{
    /// <summary>The value of <c>safety_margin</c> that means half of ttl.</summary>
    public const int HalfOfTtl = -1;

    /// <summary>The timeout: ttl less the safety margin, in seconds; not positive when they do not fit.</summary>
    public static int TimeoutSeconds(long ttlMs, int safetyMarginSeconds) =>
        (int)((safetyMarginSeconds == HalfOfTtl ? ttlMs / 2 : ttlMs - (safetyMarginSeconds * 1000L)) / 1000);

    /// <summary>Why a watchdog cannot be used with these settings, or null when it can.</summary>
    /// <param name="settings">Dynamic settings.</param>
    /// <param name="safetyMarginSeconds"><c>watchdog.safety_margin</c>.</param>
    public static string? WhyUnusable(DynamicConfiguration settings, int safetyMarginSeconds)
    {
        int timeout = TimeoutSeconds(settings.TtlMs, safetyMarginSeconds);
        if (timeout < 1) return $"ttl of {settings.TtlMs} ms less safety_margin of {safetyMarginSeconds} s leaves no time for a watchdog";
        if (timeout * 1000L < settings.LoopWaitMs) return $"its timeout of {timeout} s is shorter than loop_wait of {settings.LoopWaitMs} ms";
        return timeout * 1000L + settings.RenewalIntervalMs + LeaseTimings.DriftMarginMs(settings.TtlMs) > settings.TtlMs
            ? $"its timeout of {timeout} s and a renewal every {settings.RenewalIntervalMs} ms do not fit into ttl of {settings.TtlMs} ms; raise safety_margin"
            : null;
    }

    /// <summary>
    /// Whether it may be kept alive: only while a machine that hangs from now on is reset before the lease is over. A lease that is not renewed thus
    /// stops it, at the latest when the fence has had its time.
    /// </summary>
    public static bool MayKeepAlive(HeldLease lease, int timeoutSeconds, long nowMs) => nowMs + (timeoutSeconds * 1000L) <= lease.DeadlineMs;
}
