using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

public static partial class NodeDecisions
{
    private static Decision WhenLeading(NodeView view)
    {
        LeaderLease lease = view.State.Lease!;
        if (lease.Epoch.Generation != view.State.Generation) return OfFormerGeneration(view, lease);
        // An adopted primary goes on writing until its first renewal; nothing is begun before it.
        if (!lease.OwnRenewal || view.Lease is null || view.Lease.Epoch != lease.Epoch || !view.Lease.Permits(view.NowMs))
            return FirstRenewal();
        if (view.Data is not PresentData) return LostData(view, lease);
        if (LeadUnprotected(view, lease) is { } unprotected) return unprotected;
        return view.State.Leadership is Led led ? WhenLed(view, led) : WhenElected(view, lease);
    }

    /// <summary>
    /// The group was formed anew from a log that may lack that another node led since: this leadership is neither renewed nor used. An election finds
    /// out who has what.
    /// </summary>
    private static Decision OfFormerGeneration(NodeView view, LeaderLease lease)
    {
        string reason = $"epoch {lease.Epoch} is of an earlier generation than {view.State.Generation} of the group; an election decides who leads";
        return view.Server is ServerStopped
            ? Decision.Do("lease.former-generation", reason, new Propose(new ReleaseLeader(lease.Epoch, view.Self, VacancyReason.Shutdown, reason, ShutdownLsn(view), null)))
            : Decision.Do("lease.former-generation", reason, new RunAction(new StopAction(false)));
    }

    private static Decision LostData(NodeView view, LeaderLease lease)
    {
        string reason = view.Data is UnusableData unusable ? unusable.Reason : "the leader has no usable data";
        return view.Server is ServerStopped
            ? Release(view, lease, VacancyReason.StartFailed, reason)
            : Decision.Do("leader.lost-data", reason, new Fence());
    }

    private static Decision Release(NodeView view, LeaderLease lease, VacancyReason why, string detail, NodeName? candidate = null) =>
        view.RenewedEpoch != lease.Epoch ? FirstRenewal() : Decision.Do("lease.release", detail, new Propose(new ReleaseLeader(lease.Epoch, view.Self, why, detail, ShutdownLsn(view), candidate)));

    private static Decision WhenElected(NodeView view, LeaderLease lease)
    {
        bool created = view.State.Lineage.IsEmpty && view.Data is PresentData { IsStandby: false };
        switch (view.Server)
        {
            case ServerStopped when FailedHere(view, ActionKind.StartPrimary) || FailedHere(view, ActionKind.StartStandby) || FailedHere(view, ActionKind.Promote):
                return Release(view, lease, VacancyReason.PromotionFailed, view.LastAction!.Reason);
            case ServerStopped when created:
                return Decision.Do("leader.start-new", "starting the new cluster's first primary", new RunAction(new StartPrimaryAction(lease.Epoch)));
            case ServerStopped:
                return Decision.Do("leader.start-to-promote", "PostgreSQL stopped before its promotion; it starts as a standby", new RunAction(new StartStandbyAction(null)));
            case StandbyServer when FailedHere(view, ActionKind.Promote):
                return GiveUpPromotion(view);
            case StandbyServer:
                return Decision.Do("leader.promote", $"promoted itself to leader under epoch {lease.Epoch}", new RunAction(new PromoteAction(lease.Epoch)));
            case PrimaryServer primary:
                return ReportPromotion(view, lease, primary);
            case ServerStarting starting when IsOverdue(view, starting):
                return GiveUpStart(view);
            default:
                return Decision.Wait("leader.starting", "waiting for PostgreSQL to start");
        }
    }

    private static Decision ReportPromotion(NodeView view, LeaderLease lease, PrimaryServer primary)
    {
        if (UnrecordedHistory(view.State, view.Self, primary) is { IsEmpty: false } missing)
            return Decision.Do("leader.report-history", "earlier switches of timeline, among them promotions that were never reported, are recorded first",
                new Propose(new AppendHistory(lease.Epoch, missing)));
        bool first = view.State.Lineage.IsEmpty || primary.History.IsEmpty;
        TimelineFork? fork = first ? null : primary.History[^1];
        return Decision.Do("leader.report-promoted", $"PostgreSQL is primary on timeline {primary.Timeline}",
            new Propose(new ReportPromoted(lease.Epoch, view.Self, primary.Timeline, fork?.Timeline ?? default, fork?.SwitchLsn ?? default)));
    }

    /// <summary>
    /// Switches of timeline before the newest that the log does not know, or knows otherwise: a promotion whose report was lost, the past of an adopted cluster,
    /// or what another node said of promotions that came to nothing. Without them nobody could tell whether WAL of a timeline that was left there belongs to the
    /// leader's history. What precedes the newest recorded promotion is settled.
    /// </summary>
    private static ImmutableArray<HistoryEntry> UnrecordedHistory(ClusterState state, NodeName holder, PrimaryServer primary)
    {
        TimelineId last = state.History.IsEmpty ? default : state.History[^1].Timeline;
        TimelineId settled = state.LatestPromotion?.Timeline ?? default;
        var missing = ImmutableArray.CreateBuilder<HistoryEntry>();
        int earlier = state.Lineage.IsEmpty ? primary.History.Length : primary.History.Length - 1;
        for (int i = 0; i < earlier; i++)
        {
            TimelineFork fork = primary.History[i];
            bool unknown = fork.Timeline > last || (fork.Timeline >= settled && IsOtherwiseKnown(state, fork));
            // What follows a switch that the log knows otherwise came from there too.
            if (unknown || missing.Count > 0) missing.Add(new(fork.Timeline, fork.SwitchLsn, "", 0, holder));
        }
        return missing.ToImmutable();
    }

    private static bool IsOtherwiseKnown(ClusterState state, TimelineFork fork)
    {
        foreach (HistoryEntry entry in state.History)
            if (entry.Timeline == fork.Timeline) return entry.SwitchLsn != fork.SwitchLsn;
        return false;
    }

    private static Decision WhenLed(NodeView view, Led led)
    {
        switch (view.Server)
        {
            case ServerStopped:
                return WhenLedAndStopped(view, led);
            case StandbyServer when view.State.Settings.Pause:
                return Decision.Wait("pause.no-promotion", "the leader's PostgreSQL runs as a standby and the cluster is paused");
            case StandbyServer:
                return Decision.Do("leader.stop-standby", "the leader's PostgreSQL runs as a standby; it stops, because every promotion needs an epoch of its own", new RunAction(new StopAction(false)));
            case ServerStarting starting when IsOverdue(view, starting):
                return GiveUpStart(view);
            case PrimaryServer primary when primary.Timeline < led.Promotion.Timeline:
                return Decision.Do("leader.wrong-timeline", $"PostgreSQL writes timeline {primary.Timeline}, the log recorded {led.Promotion.Timeline}", new Fence());
            case PrimaryServer primary when primary.Timeline > led.Promotion.Timeline:
                return ReportPromotion(view, led.Lease, primary);
            case PrimaryServer primary when !led.Checkpointed:
                return primary.CheckpointTimeline == primary.Timeline
                    ? Decision.Do("leader.report-checkpointed", "the first checkpoint after the promotion is on disk",
                        new Propose(new ReportCheckpointed(led.Lease.Epoch, view.Self, primary.CheckpointLsn)))
                    : SwitchAway(view, led) ?? Decision.Do("leader.checkpoint", "a checkpoint lets former primaries rewind to this one", new RequestCheckpoint());
            case PrimaryServer:
                return SwitchAway(view, led) ?? Decision.Wait("leader.steady", $"no action. I am ({view.Self}), the leader with the lock");
            default:
                return Decision.Wait("leader.starting", "waiting for PostgreSQL to start");
        }
    }

    private static Decision WhenLedAndStopped(NodeView view, Led led)
    {
        // Promoted again under the same epoch, what it writes could not be told from what another writes whose promotion is recorded first.
        if (view.Data is PresentData { IsStandby: true })
        {
            return view.State.Settings.Pause
                ? Decision.Wait("pause.no-start", "PostgreSQL was run as a standby and is stopped, and the cluster is paused")
                : Release(view, led.Lease, VacancyReason.Shutdown, $"PostgreSQL of {view.Self} was run as a standby; an election decides who is promoted");
        }
        FailoverRequest? request = view.State.Failover;
        bool handover = request is not null && request.IsDue(view.UnixNowMs) && view.Data is PresentData { IsStandby: false };
        if (handover && SwitchoverRules.Choose(view.State, view.Self, request!, led.Promotion.Timeline, false).Candidate is { } candidate
            && (view.Data is PresentData { ShutDownCleanly: true } || WasKilledInItsStop(view, candidate)))
        {
            VacancyReason why = request!.Kind == FailoverKind.Failover ? VacancyReason.Failover : VacancyReason.Switchover;
            return Release(view, led.Lease, why, $"{(why == VacancyReason.Failover ? "failover" : "switchover")} from {view.Self} to {candidate}", candidate);
        }
        if (FailedHere(view, ActionKind.StartPrimary) || FailedHere(view, ActionKind.Promote) || FailedHere(view, ActionKind.Restart))
            return Release(view, led.Lease, VacancyReason.StartFailed, $"PostgreSQL of {view.Self} does not start: {view.LastAction!.Reason}");
        if (view.LastAction is { Kind: ActionKind.Stop, Succeeded: false } && request is not null && request.IsDue(view.UnixNowMs))
        {
            return Decision.Do("switchover.stop-failed", "the primary did not stop cleanly; it is started again",
                new Propose(new ClearFailover(request.RequestIndex, $"{view.Self} did not stop cleanly: {view.LastAction.Reason}")),
                new RunAction(new StartPrimaryAction(led.Lease.Epoch)));
        }
        bool stoppedHere = view.LastAction is { Kind: ActionKind.Stop, Succeeded: true } stop && stop.Context == ContextOf(view.State);
        if (view.State.Settings.Pause && !stoppedHere) return Decision.Wait("pause.no-start", "PostgreSQL is stopped and the cluster is paused");
        if (view.State.Settings.PrimaryStartTimeoutMs == 0 && !stoppedHere && SwitchoverRules.IsFailoverPossible(view.State, view.Self, led.Promotion.Timeline))
            return Release(view, led.Lease, VacancyReason.StartFailed, "PostgreSQL stopped by itself and primary_start_timeout is 0: another node takes over");
        return Decision.Do("leader.restart-in-place", "PostgreSQL stopped by itself; it is started again under the same lease", new RunAction(new StartPrimaryAction(led.Lease.Epoch)));
    }

    /// <summary>
    /// <c>primary_stop_timeout</c>: a primary that was killed in the middle of its stop leaves its leadership all the same to a standby of the
    /// synchronous set, which has everything that was acknowledged. To any other it does not: it is started again.
    /// </summary>
    private static bool WasKilledInItsStop(NodeView view, NodeName candidate)
    {
        ClusterState state = view.State;
        return view.LastAction is { Kind: ActionKind.Stop, Succeeded: false } last && last.Context == ContextOf(state)
            && state.Settings is { PrimaryStopTimeoutMs: > 0, SynchronousMode: not SynchronousMode.Off }
            && state.Sync.Leader == view.Self && state.Members.TryGetValue(candidate, out Member? member) && state.Sync.Contains(candidate, member.Report.Incarnation);
    }

    /// <summary>
    /// Whether a start takes longer than it may: the request's time, or <c>primary_start_timeout</c>. 0 gives it what the launch itself waits for
    /// (<c>pg_ctl_timeout</c>), which is over when no action runs any more.
    /// </summary>
    private static bool IsOverdue(NodeView view, ServerStarting starting) =>
        !view.State.Settings.Pause && view.NowMs - starting.SinceMs > (view.StartTimeoutMs ?? view.State.Settings.PrimaryStartTimeoutMs);

    /// <summary>
    /// A promotion that failed is not tried again here: with a clean stop in between nothing would remember the failure, and the node would go round
    /// for ever. A standby loses nothing when it is killed, and what may have begun to write must be.
    /// </summary>
    private static Decision GiveUpPromotion(NodeView view)
    {
        string reason = $"the promotion failed: {view.LastAction!.Reason}";
        return Decision.Do("leader.promotion-failed", $"{reason}; PostgreSQL is stopped so that another node may take over", new Fence { GivesUpStart = reason });
    }

    private static Decision GiveUpStart(NodeView view)
    {
        string reason = $"PostgreSQL did not start within {view.StartTimeoutMs ?? view.State.Settings.PrimaryStartTimeoutMs} ms";
        TimelineId timeline = (view.State.Leadership as Led)?.Promotion.Timeline ?? default;
        return SwitchoverRules.IsFailoverPossible(view.State, view.Self, timeline)
            ? Decision.Do("leader.start-timeout", $"{reason}; it is stopped so that another node may take over", new Fence { GivesUpStart = reason })
            : Decision.Wait("leader.start-overdue", $"{reason}, but no other node could take over: it goes on");
    }

    private static Decision? SwitchAway(NodeView view, Led led)
    {
        if (view.State.Failover is not { } request || !request.IsDue(view.UnixNowMs)) return null;
        if (request.ScheduledAtUnixMs is { } at)
        {
            if (view.State.Settings.Pause) return null;
            if (Schedules.IsStale(at, view.UnixNowMs, view.State.Settings))
                return Decision.Do("switchover.stale", $"the time {request.ScheduledAtText} of the scheduled switchover passed while it could not be done",
                    new Propose(new ClearFailover(request.RequestIndex, $"the time {request.ScheduledAtText} passed while it could not be done")));
        }
        if (request.Leader is { } named && named != view.Self)
            return Decision.Do("switchover.other-leader", $"the requested switchover names {named} as leader", new Propose(new ClearFailover(request.RequestIndex, $"leader name does not match: {named} is not the leader, {view.Self} is")));
        SwitchoverChoice choice = SwitchoverRules.Choose(view.State, view.Self, request, led.Promotion.Timeline, true);
        return choice.Candidate is { } candidate
            ? Decision.Do("switchover.stop", $"switching over to {candidate}: PostgreSQL stops first", new RunAction(new StopAction(true)))
            : Decision.Do("switchover.no-candidate", choice.Refusal, new Propose(new ClearFailover(request.RequestIndex, choice.Refusal)));
    }
}
