using Patroni.Raft.Api.Documents;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Failover;

/// <summary>What a request comes to before anything is proposed.</summary>
internal abstract record FailoverPlan
{
    private FailoverPlan() { }

    /// <summary>Refused; nothing changed.</summary>
    public sealed record Refused(int Status, string Reason) : FailoverPlan;

    /// <summary>To be proposed.</summary>
    /// <param name="Command">The request.</param>
    /// <param name="Action">switchover or failover, for the words of the answer.</param>
    public sealed record Accepted(RequestFailover Command, string Action) : FailoverPlan;
}

/// <summary>
/// The checks of <c>POST /switchover</c> and <c>POST /failover</c> in Patroni's order and words (api.py, do_POST_failover and
/// is_failover_possible). Patroni asks every candidate over HTTP; here their last reports are in the replicated state.
/// </summary>
internal static class FailoverRules
{
    public static FailoverPlan Plan(ClusterState state, FailoverBody body, bool isFailover, DateTimeOffset now)
    {
        bool paused = state.Settings.Pause;
        if (isFailover && body.Candidate is null) return new FailoverPlan.Refused(400, "Failover could be performed only to a specific candidate");
        if (!isFailover && body.Leader is null) return new FailoverPlan.Refused(400, "Switchover could be performed only from a specific leader");

        Schedule? schedule = null;
        if (body.ScheduledAt is { } text)
        {
            if (isFailover) return new FailoverPlan.Refused(400, "Failover can't be scheduled");
            if (paused) return new FailoverPlan.Refused(400, "Can't schedule switchover in the paused state");
            schedule = Schedule.Parse(text, "switchover", now);
            if (schedule is { Status: not 0 } refused) return new FailoverPlan.Refused(refused.Status, refused.Refusal);
        }
        if (paused && body.Candidate is null)
            return new FailoverPlan.Refused(400, "Switchover is possible only to a specific candidate in a paused state");
        if (body.Leader is not null && body.Leader == body.Candidate) return new FailoverPlan.Refused(400, "Switchover target and source are the same");

        // A failover that names the leader is a switchover, as in Patroni.
        bool switchover = !isFailover || body.Leader is not null;
        if (schedule is null && WhyImpossible(state, body, switchover) is { } reason) return new FailoverPlan.Refused(412, reason);
        var command = new RequestFailover(
            switchover ? FailoverKind.Switchover : FailoverKind.Failover, body.Leader, body.Candidate,
            schedule?.At.ToUnixTimeMilliseconds(), schedule?.Text);
        return new FailoverPlan.Accepted(command, switchover ? "switchover" : "failover");
    }

    private static string? WhyImpossible(ClusterState state, FailoverBody body, bool switchover)
    {
        string action = switchover ? "switchover" : "failover";
        if (body.Leader is { } leader && state.Leader != leader) return "leader name does not match";
        bool synchronous = state.Settings.SynchronousMode == SynchronousMode.On;
        List<Member> members;
        if (body.Candidate is { } candidate)
        {
            if (switchover && synchronous && !IsSynchronous(state, candidate)) return "candidate name does not match with sync_standby";
            if (!state.Members.TryGetValue(candidate, out Member? member)) return "candidate does not exists";
            members = [member];
        }
        else if (synchronous)
        {
            members = [.. state.Members.Values.Where(member => IsSynchronous(state, member.Name))];
            if (members.Count == 0) return $"{action} is not possible: can not find sync_standby";
        }
        else
        {
            members = [.. state.Members.Values.Where(member => member.Name != state.Leader)];
            if (members.Count == 0) return $"{action} is not possible: cluster does not have members except leader";
        }

        List<string> limitations = [];
        foreach (Member member in members)
        {
            if (Limitation(state, member, switchover) is not { } limitation) return null;
            limitations.Add($"{member.Name}: {limitation}");
        }
        return $"{action} is not possible: no good candidates have been found ({string.Join("; ", limitations)})";
    }

    private static bool IsSynchronous(ClusterState state, NodeName node) => state.Sync.Standbys.Any(member => member.Node == node);

    /// <summary>
    /// Why a member cannot take over, or null. A switchover asks what the leader will ask before it gives way; in a failover the
    /// operator decides about lag and timelines.
    /// </summary>
    private static string? Limitation(ClusterState state, Member member, bool switchover)
    {
        if (member.Name == state.Leader) return "it is the leader";
        if (switchover) return SwitchoverRules.WhyUnfit(state, member, (state.Leadership as Led)?.Promotion.Timeline ?? default);
        if (member.Presence != MemberPresence.Alive) return "it does not report";
        if (member.Report.State != PostgresState.Running) return $"its PostgreSQL is {PostgresText.Of(member.Report.State)}";
        return MemberTags.Of(member.Report).FailoverPriority <= 0 ? "nofailover is set" : null;
    }
}
