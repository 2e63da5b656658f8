namespace Patroni.Raft.StateMachine;

public static partial class NodeDecisions
{
    private static Decision WhenVacant(NodeView view, Vacancy vacancy)
    {
        if (vacancy.Stands.TryGetValue(view.Self, out Stand? stand))
        {
            return view.Server is StandbyServer && view.Data is PresentData held && held.Incarnation == stand.Incarnation && !view.Disks.IsTroubled
                ? Decision.Wait("election.stood", $"stood for election with {stand.EndOfWal}; waiting for the others")
                : Decision.Do("election.withdraw", "what this node stood with is no longer true",
                    new Propose(new WithdrawFromElection(vacancy.Id, view.Self,
                        view.Disks.IsTroubled ? view.Disks.Reason : "its PostgreSQL is no longer a running standby")));
        }
        if (WhyDecline(view) is { } reason) return DeclineOnce(view, vacancy, reason);
        if (IsPromised(view))
            return Decision.Wait("failsafe.promised", $"{view.Promise!.Holder} was promised that nobody stands while it is primary without quorum; the replica stays as it is");
        if (view.State.Settings.Pause && vacancy.Candidate != view.Self)
            return Decision.Wait("pause.no-election", "automatic failover is paused");

        if (RaceBackoff(view, vacancy) is { } backoff) return backoff;

        switch (view.Server)
        {
            case ServerStopped when FailedHere(view, ActionKind.StartStandby) && TooSoon(view, ActionKind.StartStandby):
                return DeclineOnce(view, vacancy, $"PostgreSQL does not start: {view.LastAction!.Reason}");
            case ServerStopped:
                return Decision.Do("election.recover", "PostgreSQL recovers as a standby, so that the end of its WAL is known", new RunAction(new StartStandbyAction(null)));
            case StandbyServer { Upstream: not null } when !FailedHere(view, ActionKind.Follow):
                // The winner, or a former winner that comes back, may be promoted under the timeline number that the next one takes too.
                return Detach("election.detach", "replication is disconnected before it stands, so that nothing comes from a promotion that the log does not know of");
            case StandbyServer when view.SeenBeforeVacancy:
                return Decision.Wait("election.look-again", "PostgreSQL is looked at once more: the last WAL of the former primary came with its stop");
            case StandbyServer { EndOfWal.IsValid: true } server:
                var data = (PresentData)view.Data;
                return Decision.Do("election.stand", $"stands for election with timeline {server.Timeline} and {server.EndOfWal}",
                    new Propose(new StandForElection(vacancy.Id, view.Self, data.Incarnation, server.Timeline, server.EndOfWal, server.ReplayLsn,
                        view.Traits.FailoverPriority, server.History)));
            case StandbyServer:
                return Decision.Wait("election.end-unknown", "the end of the local WAL is not known yet; recovery goes on");
            default:
                return Decision.Wait("election.recovering", "PostgreSQL is not ready to stand for election");
        }
    }

    /// <summary>Whether a promise of failsafe mode forbids to stand, and to use a leadership won by a stand that was on its way when it was given.</summary>
    internal static bool IsPromised(NodeView view) => view.Promise is { } promise && promise.Binds(view.State, view.NowMs);

    /// <summary>
    /// <c>primary_race_backoff</c>: a primary whose WAL still arrives lives, and only its agent is unresponsive. As long as that lasts, at most for
    /// the configured time, nobody stands; and for one <c>loop_wait</c> in any case, because what arrived last says nothing yet. What was released
    /// after a verified stop, or is asked for by an operator, needs no such doubt.
    /// </summary>
    private static Decision? RaceBackoff(NodeView view, Vacancy vacancy)
    {
        DynamicConfiguration settings = view.State.Settings;
        if (settings.PrimaryRaceBackoffMs <= 0 || vacancy.Reason != VacancyReason.LeaseExpired || vacancy.Candidate is not null) return null;
        if (settings.Pause || settings.IsStandbyCluster || view.Server is not StandbyServer || view.WalArrivedAtMs == 0) return null;
        long leftMs = view.VacancyAtMs + settings.PrimaryRaceBackoffMs - view.NowMs;
        bool advancing = view.Server is StandbyServer { IsStreaming: true } && view.NowMs - view.WalArrivedAtMs <= settings.LoopWaitMs;
        return leftMs > 0 && (advancing || leftMs > settings.PrimaryRaceBackoffMs - settings.LoopWaitMs)
            ? Decision.Wait("election.race-backoff", $"WAL of the former primary may still arrive; primary_race_backoff lets it have {leftMs} ms more")
            : null;
    }

    private static string? WhyDecline(NodeView view) => view.Data switch
    {
        NoData => "it has no data",
        UnfinishedData unfinished => $"{unfinished.Work} of its data was interrupted",
        UnusableData unusable => unusable.Reason,
        _ when view.Disks.IsTroubled => view.Disks.Reason,
        _ when view.Traits.FailoverPriority <= 0 => "nofailover is set",
        _ when IsOutsideLineage(view) => "its last promotion is not in the recorded lineage; it must be cloned anew",
        _ when UnknownOrigin(view) is { } unknown => $"{unknown}; it must be cloned anew from a leader",
        _ => WhyUnprotected(view),
    };

    private static Decision DeclineOnce(NodeView view, Vacancy vacancy, string reason)
    {
        if (vacancy.Declines.TryGetValue(view.Self, out Decline? known) && known.Reason == reason)
            return Decision.Wait("election.declined", reason);
        Incarnation incarnation = view.Data is PresentData data ? data.Incarnation : default;
        return Decision.Do("election.decline", reason, new Propose(new DeclineElection(vacancy.Id, view.Self, incarnation, reason)));
    }

    /// <summary>
    /// A promotion was begun here that the log never recorded, and another was recorded since: both may have written the same timeline
    /// number, and no tool can tell the two apart. A winner whose promotion crashed before it was reported is promoted once more under its epoch: what
    /// was recorded of an earlier promotion says nothing of the last.
    /// </summary>
    private static bool IsOutsideLineage(NodeView view)
    {
        if (view.Mark is not { } mark || view.State.LatestPromotion is not { } latest || latest.Epoch.CompareTo(mark.Epoch) <= 0) return false;
        foreach (Promotion promotion in view.State.Lineage)
            if (promotion.Epoch == mark.Epoch && promotion.Timeline > mark.TimelineBefore) return false;
        return true;
    }
}
