using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

public static partial class ClusterStateMachine
{
    /// <summary>The lease when <paramref name="epoch"/> and <paramref name="node"/> hold it, else the refusal.</summary>
    private static Outcome? CheckHolder(Step step, Epoch epoch, NodeName node)
    {
        if (step.State.Lease is not { } lease) return step.Illegal();
        if (lease.Epoch != epoch) return step.Reject(OutcomeCode.StaleEpoch, $"The epoch in force is {lease.Epoch} of {lease.Holder}, not {epoch}.");
        return lease.Holder == node ? null : step.Reject(OutcomeCode.NotHolder, $"{lease.Holder} holds epoch {epoch}, not {node}.");
    }

    private static Leadership WithLease(Leadership leadership, LeaderLease lease) => leadership switch
    {
        Elected elected => elected with { Lease = lease },
        Led led => led with { Lease = lease },
        _ => throw new InvalidOperationException($"{leadership.Phase} has no lease."),
    };

    private static Outcome Renew(Step step, RenewLeader c)
    {
        if (CheckHolder(step, c.Epoch, c.Node) is { } refusal) return refusal;
        if (c.TtlMs <= 0) return step.Reject(OutcomeCode.Invalid, $"A lease of {c.TtlMs} ms is not positive.");
        LeaderLease lease = step.State.Lease!;
        // The log of a group that was formed anew may lack that another node led since: the leadership runs out, and an election finds out who has what.
        if (c.Epoch.Generation != step.State.Generation)
            return step.Reject(OutcomeCode.StaleEpoch, $"Epoch {c.Epoch} is of an earlier generation of the group; it is not renewed in generation {step.State.Generation}.");
        if (c.LastRenewalIndex != 0 && c.LastRenewalIndex != lease.LastRenewalIndex)
            return step.Reject(OutcomeCode.LeaseRenewed, $"The lease was renewed at {lease.LastRenewalIndex}, after {c.LastRenewalIndex}.");
        if (step.IsOvertakenBy(lease.RenewedBy))
            return step.Reject(OutcomeCode.TooOld, $"{c.Node} renewed by proposal {lease.RenewedBy} already, before {step.Id} arrived.");
        LeaderLease renewed = lease with
        {
            TtlMs = c.TtlMs,
            LastRenewalIndex = step.Index,
            RenewedUnixMs = step.UnixMs,
            RenewedBy = step.Id,
            OwnRenewal = true,
            Unbounded = c.Unbounded,
            LastLsn = Lsn.Max(lease.LastLsn, c.LastLsn),
            Slots = c.Slots,
        };
        string rule = step.Move(ClusterTrigger.Renew, WithLease(step.State.Leadership, renewed));
        if (lease.Unbounded != c.Unbounded) step.Record(rule, new LeaseBoundChanged(c.Node, c.Epoch, c.Unbounded));
        return step.Accept();
    }

    private static Outcome Release(Step step, ReleaseLeader c)
    {
        if (CheckHolder(step, c.Epoch, c.Node) is { } refusal) return refusal;
        LeaderLease lease = step.State.Lease!;
        // A later life of the holder's agent renewed, and may have started PostgreSQL again, while the release of an earlier one was on its way.
        // What the log of a group that was formed anew says of an earlier generation nobody renews any more.
        bool renewable = c.Epoch.Generation == step.State.Generation;
        if (renewable && lease.OwnRenewal && lease.RenewedBy.Proposer != step.Id.Proposer)
            return step.Reject(OutcomeCode.LeaseRenewed, $"{c.Node} was restarted and renewed at {lease.LastRenewalIndex} since it proposed the release.");
        OpenVacancy(step, ClusterTrigger.Release, lease, c.Reason, Step.Brief(c.Detail), c.ShutdownLsn, c.Candidate, c.Node);
        return step.Accept();
    }

    /// <summary>Refused when the lease moved since the observation: a renewal or another holder got in between, and the clock must start again.</summary>
    private static Outcome Expire(Step step, ExpireLeader c)
    {
        if (step.State.Lease is not { } lease) return step.Illegal();
        if (lease.Epoch != c.Epoch) return step.Reject(OutcomeCode.StaleEpoch, $"The epoch in force is {lease.Epoch}, not {c.Epoch}.");
        if (lease.LastRenewalIndex != c.LastRenewalIndex)
            return step.Reject(OutcomeCode.LeaseRenewed, $"The lease was renewed at {lease.LastRenewalIndex}, after {c.LastRenewalIndex}.");
        if (lease.Unbounded && !c.Force)
            return step.Reject(OutcomeCode.LeaseUnbounded, $"{lease.Holder} was told in pause that it needs no renewals; only an operator may expire its lease.");
        if (c.Force && !lease.Unbounded)
            return step.Reject(OutcomeCode.RequestConflict, $"The lease of {lease.Holder} is bounded and expires by itself after {lease.TtlMs} ms; until then {lease.Holder} may write.");
        if (c.Force && step.State.Members.TryGetValue(lease.Holder, out Member? holder) && holder.Presence == MemberPresence.Alive)
            return step.Reject(OutcomeCode.RequestConflict, $"{lease.Holder} reports, and may write; resume the cluster, or switch over to a named candidate.");
        string detail = c.Force ? $"an operator expired the lease of {lease.Holder}" : $"{lease.Holder} did not renew its lease for {lease.TtlMs} ms";
        // An operator's failover that waited for the dead leader's lease goes to the node that it names.
        NodeName? candidate = step.State.Failover is { Kind: FailoverKind.Failover, ScheduledAtUnixMs: null } request ? request.Candidate : null;
        OpenVacancy(step, ClusterTrigger.Expire, lease, VacancyReason.LeaseExpired, detail, default, candidate, c.By);
        return step.Accept();
    }

    private static void OpenVacancy(
        Step step, ClusterTrigger trigger, LeaderLease lease, VacancyReason reason, string detail, Lsn shutdownLsn, NodeName? candidate, NodeName? noticedBy)
    {
        Lsn last = Lsn.Max(lease.LastLsn, shutdownLsn);
        Vacancy vacancy = NewVacancy(step, reason, detail, lease, shutdownLsn, candidate, last);
        string rule = step.Move(trigger, new Vacant(vacancy));
        step.Record(rule, new VacancyOpened(vacancy.Id, reason, detail, lease.Holder, lease.Epoch, last, shutdownLsn, candidate)
        {
            NoticedBy = noticedBy,
            LastRenewalUnixMs = lease.RenewedUnixMs,
            TtlMs = lease.TtlMs,
            Sync = step.State.Sync,
            Paused = step.State.Settings.Pause,
        });
    }

    private static Outcome Promoted(Step step, ReportPromoted c)
    {
        if (CheckHolder(step, c.Epoch, c.Node) is { } refusal) return refusal;
        if (PromotionProblem(step.State, c) is { } problem) return step.Reject(OutcomeCode.Invalid, problem);
        LeaderLease lease = step.State.Lease!;
        if (!lease.OwnRenewal) return step.Reject(OutcomeCode.NotReady, $"{c.Node} has not renewed since it acquired epoch {c.Epoch}; it must not be writable.");
        if (step.State.Leadership is Led { Promotion: var known } && c.Timeline == known.Timeline) return step.Accept();

        // The same timeline under a further epoch keeps its recorded origin, or the lineage would forget where it left its parent.
        Promotion? same = step.State.LatestPromotion is { } latest && latest.Timeline == c.Timeline ? latest : null;
        var promotion = new Promotion(c.Node, c.Epoch, c.Timeline, same?.ParentTimeline ?? c.ParentTimeline, same?.ForkLsn ?? c.ForkLsn, step.Index);
        // From the fork on, lag is measured against the new primary, no longer against what the former one had written.
        Lsn last = same is null && c.ForkLsn.IsValid ? c.ForkLsn : lease.LastLsn;
        string rule = step.Move(ClusterTrigger.Promote, new Led(lease with { Barred = lease.Barred.Clear(), LastLsn = last }, promotion, false));
        step.State = step.State with { Lineage = Bounded(step.State.Lineage.Add(promotion), LineageCapacity) };
        if (same is null && c.ParentTimeline.IsKnown)
            AddHistory(step, [new(c.ParentTimeline, c.ForkLsn, "no recovery target specified", step.UnixMs, c.Node)]);
        step.Record(rule, new LeaderPromoted(promotion));
        return step.Accept();
    }

    /// <summary>
    /// Why a report cannot be what PostgreSQL did, or null. Elections refuse candidates whose history lacks the newest promotion, hence
    /// the next promotion grows out of it; a report that does not would make them refuse everybody who is right.
    /// </summary>
    private static string? PromotionProblem(ClusterState state, ReportPromoted c)
    {
        if (!c.Timeline.IsKnown) return "The timeline is missing.";
        if (c.ParentTimeline.IsKnown && (c.Timeline <= c.ParentTimeline || !c.ForkLsn.IsValid))
            return $"Timeline {c.Timeline} cannot have left timeline {c.ParentTimeline} at {c.ForkLsn}.";
        if (state.LatestPromotion is not { } latest) return null;
        bool follows = state.Settings.IsStandbyCluster; // the timelines of a standby cluster are made elsewhere
        if (c.Timeline < latest.Timeline) return $"Timeline {c.Timeline} is below {latest.Timeline}, to which {latest.Node} was promoted.";
        if (c.Timeline == latest.Timeline)
        {
            bool sameOrigin = !c.ParentTimeline.IsKnown || (c.ParentTimeline == latest.ParentTimeline && c.ForkLsn == latest.ForkLsn);
            return follows || (c.Node == latest.Node && sameOrigin)
                ? null
                : $"Timeline {c.Timeline} belongs to the promotion of {latest.Node} from {latest.ParentTimeline} at {latest.ForkLsn} already.";
        }
        return follows || c.ParentTimeline >= latest.Timeline
            ? null
            : $"Timeline {c.Timeline} left timeline {c.ParentTimeline} and does not contain the promotion of {latest.Node} to timeline {latest.Timeline}.";
    }

    private static Outcome Checkpointed(Step step, ReportCheckpointed c)
    {
        if (CheckHolder(step, c.Epoch, c.Node) is { } refusal) return refusal;
        if (step.State.Leadership is not Led led) return step.Illegal();
        if (c.CheckpointLsn < led.Promotion.ForkLsn)
            return step.Reject(OutcomeCode.Invalid, $"The checkpoint at {c.CheckpointLsn} is older than the promotion at {led.Promotion.ForkLsn}.");
        if (led.Checkpointed) return step.Accept();
        string rule = step.Move(ClusterTrigger.Checkpoint, led with { Checkpointed = true });
        step.Record(rule, new LeaderCheckpointed(c.Node, c.Epoch, c.CheckpointLsn));
        return step.Accept();
    }

    private static ImmutableArray<T> Bounded<T>(ImmutableArray<T> items, int capacity) =>
        items.Length > capacity ? items[(items.Length - capacity)..] : items;
}
