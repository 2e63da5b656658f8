using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Documents;

/// <summary>Readings of the replicated state that several documents share.</summary>
internal static class ClusterView
{
    /// <summary>
    /// The primary's last known write position: of its last renewal or report, whichever is newer; without a leader the last one known.
    /// It is what lag is measured against (Patroni's status.optime).
    /// </summary>
    public static Lsn LeaderLsn(ClusterState state)
    {
        if (state.Lease is not { } lease) return state.Vacancy?.LastLeaderLsn ?? Lsn.Zero;
        Lsn reported = state.Members.TryGetValue(lease.Holder, out Member? leader) && leader.Report.Role == PostgresRole.Primary
            ? leader.Report.WriteLsn
            : Lsn.Zero;
        return Lsn.Max(lease.LastLsn, reported);
    }

    /// <summary>A standby's position: everything it received or replayed.</summary>
    public static Lsn Position(MemberReport report) => Lsn.Max(report.ReceiveLsn, report.ReplayLsn);
}
