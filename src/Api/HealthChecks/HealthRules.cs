using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Documents;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.HealthChecks;

/// <summary>
/// Whether a health check succeeds: pure, from the last snapshot and the clock at the request, so that an answer neither waits for
/// PostgreSQL nor for a quorum. Source: the table of the REST API in the compatibility contract; Patroni's api.py where it is silent.
/// </summary>
internal static class HealthRules
{
    /// <summary>Whether the answer is 200 (else 503).</summary>
    /// <param name="check">The question.</param>
    /// <param name="view">The node.</param>
    /// <param name="nowMs">CLOCK_BOOTTIME milliseconds at the request.</param>
    /// <param name="query">Its parameters.</param>
    public static bool Passes(HealthCheck check, StatusView view, long nowMs, in HealthQuery query) => check switch
    {
        HealthCheck.Primary => IsPrimary(view, nowMs),
        HealthCheck.Leader => view.Snapshot.HoldsLease(nowMs),
        HealthCheck.StandbyLeader => IsStandbyLeader(view, nowMs),
        HealthCheck.Replica => IsReplica(view, nowMs, query) && HasTags(view, query),
        HealthCheck.ReadOnly => IsAnyLeaderOr(IsReplica(view, nowMs, query), view, nowMs) && HasTags(view, query),
        HealthCheck.Synchronous => view.IsSyncStandby && IsReplica(view, nowMs, query) && HasTags(view, query),
        HealthCheck.Quorum => view.IsQuorumStandby && IsReplica(view, nowMs, query) && HasTags(view, query),
        HealthCheck.Asynchronous => !view.IsSyncStandby && !view.IsQuorumStandby && IsReplica(view, nowMs, query) && HasTags(view, query),
        HealthCheck.ReadOnlySynchronous => IsAnyLeaderOr(view.IsSyncStandby && IsReplica(view, nowMs, query), view, nowMs) && HasTags(view, query),
        HealthCheck.ReadOnlyQuorum => IsAnyLeaderOr(view.IsQuorumStandby && IsReplica(view, nowMs, query), view, nowMs) && HasTags(view, query),
        HealthCheck.Health => view.IsRunning && HasTags(view, query),
        HealthCheck.Liveness => IsAlive(view, nowMs),
        HealthCheck.Readiness => IsReady(view, nowMs, query),
        _ => false,
    };

    /// <summary>The rule that keeps two primaries from being offered: only before the lease's deadline, only after the promotion is in the log.</summary>
    private static bool IsPrimary(StatusView view, long nowMs) => !view.IsStandbyCluster && view.Snapshot.IsPrimary(nowMs);

    private static bool IsStandbyLeader(StatusView view, long nowMs) =>
        view.IsStandbyCluster && view.Snapshot.HoldsLease(nowMs) && view.Role is PostgresRole.Replica or PostgresRole.StandbyLeader;

    private static bool IsAnyLeaderOr(bool otherwise, StatusView view, long nowMs) =>
        otherwise || IsPrimary(view, nowMs) || IsStandbyLeader(view, nowMs);

    private static bool IsReplica(StatusView view, long nowMs, in HealthQuery query)
    {
        if (view.Role != PostgresRole.Replica || !view.IsRunning || view.Known.NoLoadBalance) return false;
        if (view.IsStandbyCluster && view.Snapshot.HoldsLease(nowMs)) return false;
        if (query.ReplicationState is { } wanted && !string.Equals(wanted, view.ReplicationState, StringComparison.Ordinal)) return false;
        return query.LagBytes is not { } limit || Lag(view, view.Replayed) <= limit;
    }

    private static long Lag(StatusView view, Lsn position) => Lsn.Lag(position, view.LeaderLsn);

    private static bool HasTags(StatusView view, in HealthQuery query)
    {
        if (query.Tags is null) return true;
        foreach (KeyValuePair<string, string> wanted in query.Tags)
            if (!string.Equals(view.Tags[wanted.Key], wanted.Value, StringComparison.Ordinal)) return false;
        return true;
    }

    /// <summary>The HA loop turned within ttl (primary) or twice of it (replica); in pause nobody minds.</summary>
    private static bool IsAlive(StatusView view, long nowMs)
    {
        if (view.State.Settings.Pause) return true;
        long ttlMs = view.State.Lease is { } lease && lease.Holder == view.Snapshot.Self ? lease.TtlMs : view.State.Settings.TtlMs;
        bool isPrimary = view.Snapshot.Report is { Role: PostgresRole.Primary, State: PostgresState.Running };
        return nowMs - view.Snapshot.LastTurnMs <= (isPrimary ? ttlMs : 2 * ttlMs);
    }

    private static bool IsReady(StatusView view, long nowMs, in HealthQuery query)
    {
        if (view.Snapshot.HoldsLease(nowMs)) return true;
        if (!view.IsRunning || view.ReplicationState != "streaming") return false;
        long limit = query.LagBytes ?? view.State.Settings.MaximumLagOnFailover;
        return Lag(view, query.ModeWrite ? view.Received : view.Replayed) <= limit;
    }
}
