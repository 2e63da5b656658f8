using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

public static partial class ClusterStateMachine
{
    private static Vacancy NewVacancy(
        Step step, VacancyReason reason, string detail, LeaderLease? former, Lsn shutdownLsn, NodeName? candidate, Lsn lastLsn) =>
        new(new(step.State.Generation, step.Index), reason, detail, former?.Holder, candidate, shutdownLsn, lastLsn,
            ImmutableSortedDictionary<NodeName, Stand>.Empty, ImmutableSortedDictionary<NodeName, Decline>.Empty,
            BarredAfter(reason, former), 0, 0) { FormerEpoch = former?.Epoch ?? default };

    /// <summary>Who failed stays barred through further vacancies until somebody was promoted, which empties the lease's set.</summary>
    private static ImmutableSortedSet<NodeName> BarredAfter(VacancyReason reason, LeaderLease? former)
    {
        if (former is null) return ImmutableSortedSet<NodeName>.Empty;
        return reason is VacancyReason.PromotionFailed or VacancyReason.StartFailed ? former.Barred.Add(former.Holder) : former.Barred;
    }

    private static Outcome? CheckAnswer(Step step, VacancyId named, NodeName node)
    {
        if (step.State.Vacancy is not { } vacancy) return step.Illegal();
        if (vacancy.Id != named) return step.Reject(OutcomeCode.StaleVacancy, $"The open vacancy is {vacancy.Id}, not {named}.");
        if (!step.State.Members.ContainsKey(node)) return step.Reject(OutcomeCode.UnknownNode, $"{node} is not a member of the cluster.");
        return vacancy.NewestAnswers.TryGetValue(node, out CommandId newest) && step.IsOvertakenBy(newest)
            ? step.Reject(OutcomeCode.TooOld, $"{node} answered by proposal {newest} already, before {step.Id} arrived.")
            : null;
    }

    /// <summary>Why a stand cannot count, or null: it must speak of the data directory that the node reported last, and of this database cluster.</summary>
    private static Outcome? CheckStand(Step step, StandForElection c)
    {
        if (CheckAnswer(step, c.Vacancy, c.Node) is { } refusal) return refusal;
        if (!c.EndOfWal.IsValid || !c.Timeline.IsKnown)
            return step.Reject(OutcomeCode.Invalid, $"{c.Node} stands with timeline {c.Timeline} and end of WAL {c.EndOfWal}; both must be known.");
        MemberReport report = step.State.Members[c.Node].Report;
        if (c.Incarnation == Incarnation.None || report.Incarnation != c.Incarnation)
            return step.Reject(OutcomeCode.StaleVersion, $"{c.Node} stands with data {c.Incarnation}, and last reported {report.Incarnation}.");
        return report.SystemIdentifier == step.State.SystemIdentifier
            ? null
            : step.Reject(OutcomeCode.SystemIdentifierMismatch, $"{c.Node} has data of system {report.SystemIdentifier}; this cluster is {step.State.SystemIdentifier}.");
    }

    /// <summary>The move of an answer: what a node said last, and by which proposal.</summary>
    private static string Answer(Step step, Vacancy vacancy, NodeName node, Stand? stand, Decline? decline) =>
        step.Move(ClusterTrigger.Answer, new Vacant(vacancy with
        {
            Stands = stand is null ? vacancy.Stands.Remove(node) : vacancy.Stands.SetItem(node, stand),
            Declines = decline is null ? vacancy.Declines.Remove(node) : vacancy.Declines.SetItem(node, decline),
            NewestAnswers = vacancy.NewestAnswers.SetItem(node, step.Id),
            LastAnswerIndex = step.Index,
        }));

    private static Outcome Stand(Step step, StandForElection c)
    {
        if (CheckStand(step, c) is { } refusal) return refusal;
        Vacancy vacancy = step.State.Vacancy!;
        var stand = new Stand(step.Id, c.Node, c.Incarnation, c.Timeline, c.EndOfWal, c.ReplayLsn, c.FailoverPriority, c.History, step.Index);
        string rule = Answer(step, vacancy, c.Node, stand, null);
        step.Record(rule, new NodeStood(vacancy.Id, c.Node, c.Timeline, c.EndOfWal, c.FailoverPriority));
        return CloseWhenAnswered(step);
    }

    private static Outcome Decline(Step step, DeclineElection c)
    {
        if (CheckAnswer(step, c.Vacancy, c.Node) is { } refusal) return refusal;
        Vacancy vacancy = step.State.Vacancy!;
        string reason = Step.Brief(c.Reason);
        string rule = Answer(step, vacancy, c.Node, null, new(c.Node, c.Incarnation, reason, step.Index));
        step.Record(rule, new NodeDeclined(vacancy.Id, c.Node, reason));
        return CloseWhenAnswered(step);
    }

    private static Outcome Withdraw(Step step, WithdrawFromElection c)
    {
        if (CheckAnswer(step, c.Vacancy, c.Node) is { } refusal) return refusal;
        Vacancy vacancy = step.State.Vacancy!;
        bool answered = vacancy.Stands.ContainsKey(c.Node) || vacancy.Declines.ContainsKey(c.Node);
        // Noted even when there is nothing to withdraw yet: the stand may still be on its way, and must not count when it arrives.
        string rule = Answer(step, vacancy, c.Node, null, null);
        if (answered) step.Record(rule, new NodeWithdrew(vacancy.Id, c.Node, Step.Brief(c.Reason)));
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
        // In pause nobody is elected but a named candidate: the answers are kept for the resume.
        if (step.State.Settings.Pause) return step.Accept();
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
            // In pause there is nobody else whom a narrowing that lapsed would let in: the candidate may only be slow.
            bool lapses = vacancy.Candidate is not null && !step.State.Settings.Pause;
            string fruitless = step.Move(ClusterTrigger.CloseFruitless, new Vacant(vacancy with
            {
                Candidate = lapses ? null : vacancy.Candidate,
                LastFruitlessIndex = step.Index,
            }));
            bool somethingNew = vacancy.LastFruitlessIndex == 0 || vacancy.LastAnswerIndex > vacancy.LastFruitlessIndex || lapses;
            if (somethingNew) step.Record(fruitless, new ElectionFruitless(vacancy.Id, result.Verdicts, lapses ? vacancy.Candidate : null) { Unanswered = Unanswered(step.State, vacancy) });
            return step.Accept();
        }

        // The former leader's position stays the measure of lag until the winner is promoted; a series of failed winners must not lower it.
        LeaderLease lease = NewLease(step, winner.Node, winner.Id, Lsn.Max(winner.EndOfWal, vacancy.LastLeaderLsn)) with { Barred = vacancy.Barred };
        string rule = step.Move(ClusterTrigger.Elect, new Elected(lease));
        step.Record(rule, new LeaderElected(vacancy.Id, winner.Node, lease.Epoch, result.Verdicts) { Unanswered = Unanswered(step.State, vacancy) });
        if (step.State.Sync.Leader is not null)
            step.State = step.State with { Sync = new(winner.Node, [], 0, step.Index) { LeaderIncarnation = winner.Incarnation } };
        if (step.State.Failover is { } request && IsSettledBy(request, vacancy, winner.Node))
        {
            step.State = step.State with { Failover = null };
            step.Record(rule, new FailoverCleared(request.RequestIndex, $"{winner.Node} was elected"));
        }
        return step.Accept();
    }

    /// <summary>Registered nodes with data that neither stood nor declined, by name.</summary>
    private static ImmutableArray<NodeName> Unanswered(ClusterState state, Vacancy vacancy) =>
    [
        .. state.Peers.Values.Where(peer => peer.Kind == PeerKind.Data && !vacancy.Stands.ContainsKey(peer.Name) && !vacancy.Declines.ContainsKey(peer.Name))
            .Select(static peer => peer.Name),
    ];

    /// <summary>Whether an election leaves nothing of a request to do: it was for now, it caused the vacancy, or it speaks of another leader than the winner.</summary>
    private static bool IsSettledBy(FailoverRequest request, Vacancy vacancy, NodeName winner) =>
        request.ScheduledAtUnixMs is null
        || vacancy.Reason is VacancyReason.Switchover or VacancyReason.Failover
        || request.Candidate == winner
        || (request.Leader is { } named && named != winner);

    private static LeaderLease NewLease(Step step, NodeName holder, CommandId grantedBy, Lsn lastLsn) =>
        new(holder, new(step.State.Generation, step.Index), step.State.Settings.TtlMs, step.Index, grantedBy, false, false, lastLsn, [], ImmutableSortedSet<NodeName>.Empty) { RenewedUnixMs = step.UnixMs };
}
