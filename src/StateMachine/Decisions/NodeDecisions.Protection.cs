namespace Patroni.Raft.StateMachine;

public static partial class NodeDecisions
{
    /// <summary>
    /// Why nothing here may become writable, or null: what would stop PostgreSQL in time should the agent not be able to is not there.
    /// </summary>
    public static string? WhyUnprotected(NodeView view) =>
        view.WatchdogProblem is { } watchdog ? $"a watchdog is required and not usable: {watchdog}"
        : IsUnguarded(view) ? $"its PostgreSQL has no guard: {view.GuardProblem}"
        : null;

    /// <summary>A guard that died is replaced within a second; one that could not be for half of a lease will not come.</summary>
    private static bool IsUnguarded(NodeView view) =>
        view.GuardMissingSinceMs is { } since && view.NowMs - since >= view.State.Settings.TtlMs / 2;

    /// <summary>
    /// A leader without protection gives leadership to a node that has it. Without a guard a running primary stops too; a watchdog that is lost
    /// only bars new promotions, as with Patroni. In pause nothing is stopped.
    /// </summary>
    private static Decision? LeadUnprotected(NodeView view, LeaderLease lease)
    {
        if (view.State.Settings.Pause || WhyUnprotected(view) is not { } reason) return null;
        return view.Server switch
        {
            ServerStopped => Release(view, lease, VacancyReason.StartFailed, reason),
            PrimaryServer or ServerStarting or ServerUnresponsive when !IsUnguarded(view) => null,
            ServerRemnants => null,
            _ => Decision.Do("leader.unprotected", $"{reason}; PostgreSQL stops so that another node may take over", new RunAction(new StopAction(false))),
        };
    }
}
