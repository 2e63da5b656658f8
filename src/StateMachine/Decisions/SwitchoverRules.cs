namespace Patroni.Raft.StateMachine;

/// <summary>Who a switchover goes to.</summary>
/// <param name="Candidate">The candidate, or null when nobody is fit.</param>
/// <param name="Refusal">Why nobody is, with every member's reason; empty otherwise.</param>
public sealed record SwitchoverChoice(NodeName? Candidate, string Refusal);

/// <summary>Fitness of members for a planned change of the primary.</summary>
public static class SwitchoverRules
{
    /// <summary>Chooses the named candidate if it is fit, or the best member.</summary>
    /// <param name="state">The applied state.</param>
    /// <param name="leader">The present primary.</param>
    /// <param name="request">The request.</param>
    /// <param name="timeline">The primary's timeline.</param>
    /// <param name="primaryRuns">Whether the primary still runs; once it is stopped nobody streams from it any more.</param>
    public static SwitchoverChoice Choose(ClusterState state, NodeName leader, FailoverRequest request, TimelineId timeline, bool primaryRuns)
    {
        List<Member> fit = [];
        List<string> refusals = [];
        foreach (Member member in state.Members.Values)
        {
            if (member.Name == leader || (request.Candidate is { } named && member.Name != named)) continue;
            if (WhyUnfit(state, member, timeline, primaryRuns) is { } reason) refusals.Add($"{member.Name}: {reason}");
            else fit.Add(member);
        }
        if (request.Candidate is { } wanted && !state.Members.ContainsKey(wanted)) return new(null, $"candidate {wanted} is not a member of the cluster");
        if (fit.Count == 0)
            return new(null, refusals.Count == 0 ? "no good candidates have been found: the cluster has no other member" : $"no good candidates have been found: {string.Join("; ", refusals)}");
        fit.Sort(static (left, right) =>
        {
            int order = Lsn.Max(right.Report.ReceiveLsn, right.Report.ReplayLsn).CompareTo(Lsn.Max(left.Report.ReceiveLsn, left.Report.ReplayLsn));
            if (order == 0) order = MemberTags.Of(right.Report).FailoverPriority.CompareTo(MemberTags.Of(left.Report).FailoverPriority);
            return order != 0 ? order : left.Name.CompareTo(right.Name);
        });
        return new(fit[0].Name, "");
    }

    /// <summary>Whether any other member could take over from a leader that does not run.</summary>
    /// <param name="state">The applied state.</param>
    /// <param name="leader">The leader.</param>
    /// <param name="timeline">Its timeline.</param>
    public static bool IsFailoverPossible(ClusterState state, NodeName leader, TimelineId timeline)
    {
        foreach (Member member in state.Members.Values)
            if (member.Name != leader && WhyUnfit(state, member, timeline, false) is null) return true;
        return false;
    }

    /// <summary>Why a member cannot take over, or null when it can.</summary>
    /// <param name="state">The applied state.</param>
    /// <param name="member">The member.</param>
    /// <param name="timeline">The primary's timeline.</param>
    /// <param name="primaryRuns">Whether the primary still runs, so that a fit member streams from it.</param>
    public static string? WhyUnfit(ClusterState state, Member member, TimelineId timeline, bool primaryRuns = true)
    {
        MemberReport report = member.Report;
        if (member.Presence != MemberPresence.Alive) return "it does not report";
        if (report.State != PostgresState.Running) return "its PostgreSQL does not run";
        if (report.Role != PostgresRole.Replica) return "it is not a replica";
        if (report.DiskTrouble.Length > 0) return report.DiskTrouble;
        if (MemberTags.Of(report).FailoverPriority <= 0) return "nofailover is set";
        if (report.WatchdogFailed) return "not watchdog capable";
        if (primaryRuns && report.ReplicationState != "streaming") return "it does not stream from the leader";
        if (report.Timeline < timeline) return $"it is on timeline {report.Timeline}, the leader on {timeline}";
        if (state.Sync.Leader is not null && !state.Sync.Contains(member.Name, report.Incarnation)) return "it is not synchronous";
        long lag = Lsn.Lag(Lsn.Max(report.ReceiveLsn, report.ReplayLsn), state.Lease?.LastLsn ?? default);
        long limit = state.Settings.MaximumLagOnFailover;
        return lag > limit ? $"it is {lag} bytes behind; maximum_lag_on_failover is {limit}" : null;
    }
}
