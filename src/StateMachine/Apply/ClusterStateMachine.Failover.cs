namespace Patroni.Raft.StateMachine;

public static partial class ClusterStateMachine
{
    private static Outcome RequestFailover(Step step, RequestFailover c)
    {
        ClusterState state = step.State;
        if (state.Leadership.Phase is ClusterPhase.Uninitialized or ClusterPhase.Initializing) return step.Illegal();
        if (c.Candidate is { } wanted && !state.Members.ContainsKey(wanted))
            return step.Reject(OutcomeCode.UnknownNode, $"candidate {wanted} is not a member of the cluster.");
        if (c.Kind == FailoverKind.Failover && (c.Candidate is null || c.ScheduledAtUnixMs is not null))
            return step.Reject(OutcomeCode.Invalid, "A failover needs a candidate and cannot be scheduled.");
        if (c.Candidate is null && state.Settings.Pause)
            return step.Reject(OutcomeCode.RequestConflict, "Switchover is possible only to a specific candidate in a paused state.");
        if (c.Kind == FailoverKind.Switchover && state.Leader is null)
            return step.Reject(OutcomeCode.NotReady, "The cluster has no leader to switch over from.");
        if (c.Leader is { } named && state.Leader is { } leader && named != leader)
            return step.Reject(OutcomeCode.RequestConflict, $"The leader is {leader}, not {named}.");
        if (c.Candidate is { } self && self == state.Leader)
            return step.Reject(OutcomeCode.RequestConflict, $"{self} is the leader already.");
        if (state.Failover is { ScheduledAtUnixMs: null } pending)
            return step.Reject(OutcomeCode.RequestConflict, $"A {pending.Kind.ToString().ToLowerInvariant()} requested at {pending.RequestIndex} is under way.");

        var request = new FailoverRequest(c.Kind, c.Leader, c.Candidate, c.ScheduledAtUnixMs, c.ScheduledAtText, step.Index);
        step.State = state with { Failover = request };
        step.Record("failover.request", new FailoverRequested(request));
        if (c.ScheduledAtUnixMs is null && state.Vacancy is { } vacancy && c.Candidate is { } candidate)
        {
            step.Move(ClusterTrigger.Answer, new Vacant(vacancy with { Candidate = candidate }));
            return CloseWhenAnswered(step);
        }
        return step.Accept();
    }

    private static Outcome ClearFailover(Step step, ClearFailover c)
    {
        if (step.State.Failover is not { } request) return step.Reject(OutcomeCode.RequestConflict, "No switchover or failover is requested.");
        if (c.RequestIndex != 0 && c.RequestIndex != request.RequestIndex)
            return step.Reject(OutcomeCode.StaleVersion, $"The pending request is {request.RequestIndex}, not {c.RequestIndex}.");
        step.State = step.State with { Failover = null };
        step.Record("failover.clear", new FailoverCleared(request.RequestIndex, Step.Brief(c.Reason)));
        return step.Accept();
    }
}
