using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

public static partial class ClusterStateMachine
{
    private static Vacancy NewVacancy(
        Step step, VacancyReason reason, string detail, LeaderLease? former, Lsn shutdownLsn, NodeName? candidate, Lsn lastLsn) =>
        new(new(step.State.Generation, step.Index), reason, detail, former?.Holder, candidate, shutdownLsn, lastLsn,
            ImmutableSortedDictionary<NodeName, Stand>.Empty, ImmutableSortedDictionary<NodeName, Decline>.Empty,
            reason == VacancyReason.PromotionFailed ? former!.Barred.Add(former.Holder) : ImmutableSortedSet<NodeName>.Empty, 0, 0);

    private static Outcome? CheckAnswer(Step step, VacancyId named, NodeName node)
    {
        if (step.State.Vacancy is not { } vacancy) return step.Illegal();
        if (vacancy.Id != named) return step.Reject(OutcomeCode.StaleVacancy, $"The open vacancy is {vacancy.Id}, not {named}.");
        if (!step.State.Members.ContainsKey(node)) return step.Reject(OutcomeCode.UnknownNode, $"{node} is not a member of the cluster.");
        return null;
    }

    private static Outcome Stand(Step step, StandForElection c)
    {
        if (CheckAnswer(step, c.Vacancy, c.Node) is { } refusal) return refusal;
        if (!c.EndOfWal.IsValid || !c.Timeline.IsKnown)
            return step.Reject(OutcomeCode.Invalid, $"{c.Node} stands with timeline {c.Timeline} and end of WAL {c.EndOfWal}; both must be known.");
        Vacancy vacancy = step.State.Vacancy!;
        var stand = new Stand(step.Id, c.Node, c.Incarnation, c.Timeline, c.EndOfWal, c.ReplayLsn, c.FailoverPriority, c.History, step.Index);
        string rule = step.Move(ClusterTrigger.Answer, new Vacant(vacancy with
        {
            Stands = vacancy.Stands.SetItem(c.Node, stand),
            Declines = vacancy.Declines.Remove(c.Node),
            LastAnswerIndex = step.Index,
        }));
        step.Record(rule, new NodeStood(vacancy.Id, c.Node, c.Timeline, c.EndOfWal, c.FailoverPriority));
        return CloseWhenAnswered(step);
    }

    private static Outcome Decline(Step step, DeclineElection c)
    {
        if (CheckAnswer(step, c.Vacancy, c.Node) is { } refusal) return refusal;
        Vacancy vacancy = step.State.Vacancy!;
        string rule = step.Move(ClusterTrigger.Answer, new Vacant(vacancy with
        {
            Stands = vacancy.Stands.Remove(c.Node),
            Declines = vacancy.Declines.SetItem(c.Node, new(c.Node, c.Incarnation, c.Reason, step.Index)),
            LastAnswerIndex = step.Index,
        }));
        step.Record(rule, new NodeDeclined(vacancy.Id, c.Node, c.Reason));
        return CloseWhenAnswered(step);
    }

    private static Outcome Withdraw(Step step, WithdrawFromElection c)
    {
        if (CheckAnswer(step, c.Vacancy, c.Node) is { } refusal) return refusal;
        Vacancy vacancy = step.State.Vacancy!;
        if (!vacancy.Stands.ContainsKey(c.Node) && !vacancy.Declines.ContainsKey(c.Node)) return step.Accept();
        string rule = step.Move(ClusterTrigger.Answer, new Vacant(vacancy with
        {
            Stands = vacancy.Stands.Remove(c.Node),
            Declines = vacancy.Declines.Remove(c.Node),
            LastAnswerIndex = step.Index,
        }));
        step.Record(rule, new NodeWithdrew(vacancy.Id, c.Node, c.Reason));
        return step.Accept();
    }

    private static Outcome Close(Step step, CloseElection c)
    {
        if (step.State.Vacancy is not { } vacancy) return step.Illegal();
        if (vacancy.Id != c.Vacancy) return step.Reject(OutcomeCode.StaleVacancy, $"The open vacancy is {vacancy.Id}, not {c.Vacancy}.");
        return Conclude(step, vacancy);
    }

    /// <summary>Closes as soon as nobody is left to wait for: the named candidate, or else every registered data member but the former holder, has answered.</summary>
    private static Outcome CloseWhenAnswered(Step step)
    {
        Vacancy vacancy = step.State.Vacancy!;
        if (vacancy.Candidate is { } candidate)
        {
            bool answered = vacancy.Stands.ContainsKey(candidate) || vacancy.Declines.ContainsKey(candidate);
            return answered ? Conclude(step, vacancy) : step.Accept();
        }
        foreach (Peer peer in step.State.Peers.Values)
        {
            if (peer.Kind != PeerKind.Data || peer.Name == vacancy.FormerHolder) continue;
            if (!vacancy.Stands.ContainsKey(peer.Name) && !vacancy.Declines.ContainsKey(peer.Name)) return step.Accept();
        }
        return Conclude(step, vacancy);
    }

    private static Outcome Conclude(Step step, Vacancy vacancy)
    {
        ElectionResult result = ElectionRules.Judge(step.State, vacancy);
        if (result.Winner is not { } winner)
        {
            string fruitless = step.Move(ClusterTrigger.CloseFruitless, new Vacant(vacancy with
            {
                Candidate = null,
                LastFruitlessIndex = step.Index,
            }));
            bool somethingNew = vacancy.LastFruitlessIndex == 0 || vacancy.LastAnswerIndex > vacancy.LastFruitlessIndex || vacancy.Candidate is not null;
            if (somethingNew) step.Record(fruitless, new ElectionFruitless(vacancy.Id, result.Verdicts, vacancy.Candidate));
            return step.Accept();
        }

        LeaderLease lease = NewLease(step, winner.Node, winner.Id, winner.EndOfWal) with { Barred = vacancy.Barred };
        string rule = step.Move(ClusterTrigger.Elect, new Elected(lease));
        step.Record(rule, new LeaderElected(vacancy.Id, winner.Node, lease.Epoch, result.Verdicts));
        if (step.State.Sync.Leader is not null)
            step.State = step.State with { Sync = new(winner.Node, [], 0, step.Index) };
        if (step.State.Failover is { } request && (request.ScheduledAtUnixMs is null || vacancy.Reason is VacancyReason.Switchover or VacancyReason.Failover))
        {
            step.State = step.State with { Failover = null };
            step.Record(rule, new FailoverCleared(request.RequestIndex, $"{winner.Node} was elected"));
        }
        return step.Accept();
    }

    private static LeaderLease NewLease(Step step, NodeName holder, CommandId grantedBy, Lsn lastLsn) =>
        new(holder, new(step.State.Generation, step.Index), step.State.Settings.TtlMs, step.Index, grantedBy, false, false, lastLsn, [], ImmutableSortedSet<NodeName>.Empty);
}
