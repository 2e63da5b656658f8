namespace Patroni.Raft.StateMachine;

public static partial class ClusterStateMachine
{
    private static Outcome ScheduleRestart(Step step, ScheduleRestart c)
    {
        if (!step.State.Members.TryGetValue(c.Node, out Member? member))
            return step.Reject(OutcomeCode.UnknownNode, $"{c.Node} is not a member of the cluster.");
        if (c.Conditions.PostgresVersion is { } version && ServerVersionText.Explain(version, out _) is { } problem)
            return step.Reject(OutcomeCode.Invalid, problem);
        if (member.ScheduledRestart is { } known)
            return step.Reject(OutcomeCode.RequestConflict, $"A restart of {c.Node} is scheduled for {known.AtText} already.");
        var restart = new ScheduledRestart(c.AtUnixMs, Step.Brief(c.AtText), c.Conditions, c.TimeoutMs, c.PostmasterStartUnixUs, step.Index);
        Keep(step, member with { ScheduledRestart = restart });
        step.Record("restart.schedule", new RestartScheduled(c.Node, restart));
        return step.Accept();
    }

    private static Outcome ClearRestart(Step step, ClearRestart c)
    {
        if (!step.State.Members.TryGetValue(c.Node, out Member? member) || member.ScheduledRestart is not { } restart)
            return step.Reject(OutcomeCode.RequestConflict, $"No restart of {c.Node} is scheduled.");
        if (c.RequestIndex != 0 && c.RequestIndex != restart.RequestIndex)
            return step.Reject(OutcomeCode.StaleVersion, $"The scheduled restart is {restart.RequestIndex}, not {c.RequestIndex}.");
        Keep(step, member with { ScheduledRestart = null });
        step.Record("restart.clear", new RestartCleared(c.Node, restart.RequestIndex, Step.Brief(c.Reason)));
        return step.Accept();
    }

    private static void Keep(Step step, Member member) => step.State = step.State with { Members = step.State.Members.SetItem(member.Name, member) };
}
