namespace Patroni.Raft.StateMachine;

/// <summary>
/// A restart of one member that an operator asked for at a time; kept with the member, so that it survives its agent and both leaders.
/// </summary>
/// <param name="AtUnixMs">When, in Unix milliseconds.</param>
/// <param name="AtText">The time as the operator wrote it (ISO 8601 with offset).</param>
/// <param name="Conditions">What must hold when the time has come.</param>
/// <param name="TimeoutMs">How long PostgreSQL may take to start, in milliseconds; null for <c>primary_start_timeout</c>.</param>
/// <param name="PostmasterStartUnixUs">Start of the postmaster that is to be restarted, in Unix microseconds; 0 when none answered then, and whichever answers later counts as started since.</param>
/// <param name="RequestIndex">Log index of the request; its identity.</param>
public sealed record ScheduledRestart(
    long AtUnixMs, string AtText, RestartConditions Conditions, long? TimeoutMs, long PostmasterStartUnixUs, long RequestIndex)
{
    /// <summary>Whether the time has come.</summary>
    /// <param name="unixNowMs">Wall clock in Unix milliseconds.</param>
    public bool IsDue(long unixNowMs) => unixNowMs >= AtUnixMs;

    /// <summary>
    /// Why it will not be done any more, or null: PostgreSQL was restarted otherwise since, which is what it was for, or its time passed
    /// while nobody could act.
    /// </summary>
    /// <param name="postmasterStartUnixUs">Start of the postmaster that runs now; 0 when none answers.</param>
    /// <param name="unixNowMs">Wall clock in Unix milliseconds.</param>
    /// <param name="settings">Settings in force.</param>
    public string? WhyOver(long postmasterStartUnixUs, long unixNowMs, DynamicConfiguration settings)
    {
        if (postmasterStartUnixUs != 0 && postmasterStartUnixUs != PostmasterStartUnixUs)
            return "PostgreSQL was started again since it was scheduled";
        return !settings.Pause && Schedules.IsStale(AtUnixMs, unixNowMs, settings) ? $"the time {AtText} passed while it could not be done" : null;
    }
}

/// <summary>When PostgreSQL is to be restarted; what is not set does not count.</summary>
/// <param name="Role">Only while it has this role.</param>
/// <param name="PostgresVersion">Only while its version is below this one, as written.</param>
/// <param name="PendingOnly">Only while a changed setting waits for a restart.</param>
public sealed record RestartConditions(PostgresRole? Role, string? PostgresVersion, bool PendingOnly)
{
    /// <summary>No conditions.</summary>
    public static RestartConditions None { get; } = new(null, null, false);

    /// <summary>Which condition does not hold, or null when all do.</summary>
    /// <param name="report">What the member says of itself.</param>
    public string? WhyNot(MemberReport report)
    {
        if (Role is { } role && role != report.Role) return $"its role is {Word(report.Role)}, not {Word(role)}";
        if (PostgresVersion is { } text && (!ServerVersionText.TryParse(text, out int below) || below <= report.ServerVersion))
            return $"its PostgreSQL is {report.ServerVersion}, not below {text}";
        return PendingOnly && report.PendingRestartJson.Length == 0 ? "no restart is pending" : null;
    }

    private static string Word(PostgresRole role) => role switch
    {
        PostgresRole.StandbyLeader => "standby_leader",
        _ => role.ToString().ToLowerInvariant(),
    };
}

/// <summary>Times that operators set.</summary>
public static class Schedules
{
    private const long LeastPatienceMs = 15_000;

    /// <summary>
    /// Whether a time is so long past that nothing is done for it any more: nobody expects at noon what was to happen at night. The bound is
    /// Patroni's, one and a half <c>loop_wait</c>, with the value that its default gives as the least.
    /// </summary>
    public static bool IsStale(long atUnixMs, long unixNowMs, DynamicConfiguration settings) =>
        unixNowMs - atUnixMs > Math.Max(LeastPatienceMs, settings.LoopWaitMs * 3 / 2);
}
