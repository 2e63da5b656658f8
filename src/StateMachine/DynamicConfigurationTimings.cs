namespace Patroni.Raft.StateMachine;

/// <summary>
/// The one rule for lease timings (architecture, "Leadership of PostgreSQL is a lease", rules 2 and 8). Everything that
/// can delay a renewal must fit into what is left of ttl once the drift margin and the kill budget are taken off.
/// </summary>
public static class LeaseTimings
{
    /// <summary>Time that fencing may take: it starts this long before the deadline.</summary>
    public const long KillBudgetMs = 250;

    /// <summary>Upper election timeout of Raft when <c>raft.election_timeout</c> says nothing else.</summary>
    public const long DefaultElectionUpperMs = 1000;

    /// <summary>Shortest allowed ttl.</summary>
    public const long MinTtlMs = 3000;

    /// <summary>Shortest allowed loop_wait, and shortest interval between renewals.</summary>
    public const long MinLoopWaitMs = 500;

    /// <summary>Shortest allowed retry_timeout.</summary>
    public const long MinRetryTimeoutMs = 1000;

    /// <summary>Longest allowed value of each; keeps sums far from overflow and catches milliseconds written as seconds.</summary>
    public const long MaxMs = 86_400_000;

    /// <summary>Allowance for clocks that run at different speed: 2 % of ttl and 50 ms.</summary>
    public static long DriftMarginMs(long ttlMs) => (ttlMs / 50) + 50;

    /// <summary>What is usable of a lease: ttl without margin and budget.</summary>
    public static long UsableMs(long ttlMs) => ttlMs - DriftMarginMs(ttlMs) - KillBudgetMs;

    /// <summary>
    /// The interval at which the holder renews: loop_wait, or less where loop_wait leaves no room for two elections or two
    /// retries. Patroni's usual 30/10/10 leaves none (10 + 2*10 = 30 s of 29.1 s), so its lease is renewed every 9.1 s.
    /// </summary>
    public static long RenewalIntervalMs(long ttlMs, long loopWaitMs, long retryTimeoutMs, long electionUpperMs = DefaultElectionUpperMs) =>
        Math.Min(loopWaitMs, UsableMs(ttlMs) - (2 * Math.Max(retryTimeoutMs, electionUpperMs)));

    /// <summary>
    /// The sentence that says why the timings cannot go together, naming every number; <c>null</c> when they can.
    /// <c>loop_wait + 2*retry_timeout</c> may use all of ttl, as in Patroni, only because renewals are then sent more often.
    /// </summary>
    public static string? Conflict(long ttlMs, long loopWaitMs, long retryTimeoutMs, long electionUpperMs = DefaultElectionUpperMs)
    {
        var renewal = RenewalIntervalMs(ttlMs, loopWaitMs, retryTimeoutMs, electionUpperMs);
        var needed = loopWaitMs + (2 * retryTimeoutMs);
        if (needed <= ttlMs && renewal >= MinLoopWaitMs)
        {
            return null;
        }

        static string S(long ms) => SettingHints.Seconds(ms);
        return $"timings do not fit together: two upper election timeouts plus one renewal interval (2*{S(electionUpperMs)} + {S(Math.Min(loopWaitMs, Math.Max(renewal, MinLoopWaitMs)))} s)"
            + $" and loop_wait + 2*retry_timeout ({S(loopWaitMs)} + 2*{S(retryTimeoutMs)} = {S(needed)} s) must fit in ttl - margin - budget"
            + $" ({S(ttlMs)} - {S(DriftMarginMs(ttlMs))} - {S(KillBudgetMs)} = {S(UsableMs(ttlMs))} s); raise ttl, or lower loop_wait or retry_timeout";
    }
}
