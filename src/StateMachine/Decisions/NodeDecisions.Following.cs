namespace Patroni.Raft.StateMachine;

public static partial class NodeDecisions
{
    private static Decision WhenFollowing(NodeView view)
    {
        LeaderLease lease = view.State.Lease!;
        if (view.Data is UnusableData unusable) return Decision.Wait("data.unusable", unusable.Reason);
        if (lease.Epoch.Generation != view.State.Generation) return FollowFormerGeneration(view, lease);
        if (view.Data is PresentData && IsOutsideLineage(view))
            return CloneAnew(view, "its last promotion is not in the recorded lineage, and no tool can tell its history from the leader's");
        if (view.State.Leadership is not Led led)
        {
            return view.Server is StandbyServer { Upstream: not null } && !FailedHere(view, ActionKind.Follow)
                ? Detach("follow.detach", $"{lease.Holder} is not promoted yet; nothing is streamed that the log does not know of")
                : Decision.Wait("follow.wait", $"waiting for {lease.Holder} to be promoted");
        }
        switch (view.Data)
        {
            case UnfinishedData { Work: UnfinishedWork.Rewind }:
                return Diverged(view, led, "an interrupted pg_rewind left the directory unusable");
            case UnfinishedData:
                return RemoveUnfinished(view);
            case NoData:
                return TooSoon(view, ActionKind.Clone)
                    ? Decision.Wait("follow.clone-failed", $"cloning failed: {view.LastAction!.Reason}; it is tried again")
                    : Decision.Do("follow.clone", $"cloning from {CloneSource(view, lease.Holder)}", new RunAction(Clone(view, led, CloneSource(view, lease.Holder))));
        }
        if (view.State.Settings.Pause && view.Server is ServerStopped && !StoppedByAgent(view))
            return Decision.Wait("pause.no-start", "PostgreSQL is stopped and the cluster is paused");
        if (view.State.Settings.Pause && view.Server is PrimaryServer)
            return Decision.Wait("pause.parallel-primary", $"PostgreSQL runs as primary beside {lease.Holder}, which holds the lease; the cluster is paused and nothing is done about it");
        if (AwaitsHuman(view, lease) is { } human) return human;
        if (UnknownOrigin(view) is { } unknown) return CloneAnew(view, unknown);
        if (ForeignOrigin(view) is { } foreign) return CloneAnew(view, foreign);
        return view.Server switch
        {
            ServerStopped => StartOrRepair(view, led),
            StandbyServer standby => KeepFollowing(view, led, standby),
            PrimaryServer => Decision.Do("fence.no-lease", "PostgreSQL is primary and this node holds no lease", new Fence()),
            _ => Decision.Wait("follow.starting", "waiting for PostgreSQL to start"),
        };
    }

    /// <summary>
    /// In pause people start what people stopped. What this agent stopped itself, for a switchover or to copy the data anew, it brings back as Patroni
    /// does; an agent that began later does not know, and leaves it to people.
    /// </summary>
    private static bool StoppedByAgent(NodeView view) => view.LastAction
        is { Succeeded: true, Kind: ActionKind.Stop or ActionKind.Clone or ActionKind.Rewind } or { Succeeded: false, Kind: ActionKind.StartStandby };

    /// <summary>
    /// The log of a group that was formed anew may lack that another node led since, perhaps this one: nobody's data is judged by it, let alone replaced,
    /// before an election found out who has what.
    /// </summary>
    private static Decision FollowFormerGeneration(NodeView view, LeaderLease lease)
    {
        string reason = $"epoch {lease.Epoch} of {lease.Holder} is of an earlier generation than {view.State.Generation} of the group; data is left as it is until an election decides who leads";
        return view.Server switch
        {
            PrimaryServer when !view.State.Settings.Pause => Decision.Do("fence.no-lease", "PostgreSQL is primary and this node holds no lease", new Fence()),
            StandbyServer { Upstream: not null } when !FailedHere(view, ActionKind.Follow) => Detach("follow.former-generation", reason),
            _ => Decision.Wait("follow.former-generation", reason),
        };
    }

    /// <summary>
    /// The pause is over, and its holder cannot be asked to go back to a lease that ends. Its PostgreSQL may run and take writes for ever: no node can know, only people can.
    /// </summary>
    private static Decision? AwaitsHuman(NodeView view, LeaderLease lease) =>
        lease.Unbounded && !view.State.Settings.Pause && view.Server is StandbyServer
        && IsSilent(view.State, lease.Holder)
            ? Decision.Wait("resume.holder-unreachable", $"{lease.Holder} holds the lease without end since the pause and does not report; "
                + $"when its PostgreSQL is surely stopped, take the lease from it: patroni-raft raft expire {lease.Holder}")
            : null;

    private static bool IsSilent(ClusterState state, NodeName node) =>
        !state.Members.TryGetValue(node, out Member? member) || member.Presence != MemberPresence.Alive;

    private static Decision Detach(string rule, string reason) => Decision.Do(rule, reason, new RunAction(new FollowAction(null)));

    private static NodeName CloneSource(NodeView view, NodeName leader)
    {
        if (view.CloneFromLeader) return leader;
        foreach (Member member in view.State.Members.Values)
        {
            if (member.Name != leader && member.Name != view.Self && ServesWal(member) && MemberTags.Of(member.Report).CloneFrom) return member.Name;
        }
        return leader;
    }

    /// <summary>Whether a replica may be the source of another: it streams, and it reports that only when it is known where its WAL comes from (<see cref="IsOfKnownOrigin"/>).</summary>
    private static bool ServesWal(Member member) =>
        member is { Presence: MemberPresence.Alive, Report.State: PostgresState.Running, Report.ReplicationState: "streaming" };

    /// <summary>From whom <c>replicatefrom</c> wants it, as long as that member can serve it.</summary>
    private static NodeName Upstream(NodeView view, NodeName leader) =>
        view.Traits.ReplicateFrom is { } wanted && wanted != view.Self
        && view.State.Members.TryGetValue(wanted, out Member? member)
        && ServesWal(member)
            ? wanted
            : leader;

    private static Decision StartOrRepair(NodeView view, Led led)
    {
        var data = (PresentData)view.Data;
        if (WhyDiverged(view.State, data) is { } reason && !FoundNothingToRewind(view)) return Diverged(view, led, reason);
        if (FailedHere(view, ActionKind.StartStandby) && TooSoon(view, ActionKind.StartStandby))
            return Decision.Wait("follow.start-failed", $"PostgreSQL does not start: {view.LastAction!.Reason}; it is tried again");
        if (NewestTimeline(view.Data, view.Server) > led.Promotion.Timeline)
            return Decision.Wait("follow.unrecorded", $"it has WAL of timeline {NewestTimeline(view.Data, view.Server)}, and the newest that the log knows of is {led.Promotion.Timeline}: it does not start before the log tells whose that is; reinitialize this member if nobody was promoted");
        NodeName upstream = Upstream(view, led.Lease.Holder);
        return Decision.Do("follow.start", $"starting as a replica of {upstream}", new RunAction(new StartStandbyAction(upstream) { Mark = FollowMark.Of(led.Promotion, view.State) }));
    }

    /// <summary>pg_rewind compared the WAL itself with the leader's history, which the log can only guess at: what it left as it is may start.</summary>
    private static bool FoundNothingToRewind(NodeView view) =>
        view.LastAction is { Kind: ActionKind.Rewind, Succeeded: true } last && last.Context == ContextOf(view.State);

    /// <summary>Why stopped data does not continue into the leader's lineage, or null when it does as far as the log can tell.</summary>
    public static string? WhyDiverged(ClusterState state, PresentData data)
    {
        Promotion latest = state.LatestPromotion!;
        if (data.Timeline > latest.Timeline)
            return $"its timeline {data.Timeline} is above the leader's {latest.Timeline}: it was promoted and never recorded";
        if (!data.IsStandby && !data.ShutDownCleanly)
            return "it is a former primary that crashed, and may hold WAL that the leader does not";
        if (data.Timeline == latest.Timeline) return null;
        if (WhereLeft(state, data.Timeline) is not { } fork) return $"the log does not know where timeline {data.Timeline} was left";
        bool inside = data.IsStandby ? data.LastLsn <= fork : data.LastLsn < fork;
        return inside ? null : $"timeline {data.Timeline} was left at {fork} and its WAL goes on to {data.LastLsn}";
    }

    /// <summary>Where the leader's history left a timeline, as far as the log knows.</summary>
    private static Lsn? WhereLeft(ClusterState state, TimelineId timeline)
    {
        foreach (Promotion promotion in state.Lineage)
            if (promotion.ParentTimeline == timeline) return promotion.ForkLsn;
        foreach (HistoryEntry entry in state.History)
            if (entry.Timeline == timeline) return entry.SwitchLsn;
        return null;
    }

    private static Decision Diverged(NodeView view, Led led, string reason)
    {
        if (view.State.Settings.Pause && view.Server is not ServerStopped) return InPause(reason);
        if (view.Server is not ServerStopped)
            return Decision.Do("rejoin.stop", $"{reason}; PostgreSQL stops to be rewound", new RunAction(new StopAction(false)));
        if (!view.Traits.UsePgRewind)
        {
            return view.Traits.RemoveDataOnDivergedTimelines
                ? CloneAnew(view, reason)
                : Decision.Wait("rejoin.diverged", $"{reason}; use_pg_rewind is off and remove_data_directory_on_diverged_timelines too: reinitialize this member");
        }
        if (FailedHere(view, ActionKind.Rewind))
        {
            if (view.Traits.RemoveDataOnRewindFailure) return CloneAnew(view, $"pg_rewind failed: {view.LastAction!.Reason}");
            if (TooSoon(view, ActionKind.Rewind))
                return Decision.Wait("rejoin.rewind-failed", $"pg_rewind failed: {view.LastAction!.Reason}; remove_data_directory_on_rewind_failure is off: it is tried again, or reinitialize this member");
        }
        if (!led.Checkpointed)
            return Decision.Wait("rejoin.wait-checkpoint", $"{reason}; waiting for the first checkpoint of {led.Lease.Holder} before pg_rewind");
        return Decision.Do("rejoin.rewind", reason, new RunAction(new RewindAction(led.Lease.Holder) { Mark = FollowMark.Of(led.Promotion, view.State) }));
    }

    private static Decision InPause(string reason) => Decision.Wait("pause.diverged", $"{reason}; nothing is done about it before the cluster is resumed");

    /// <summary>Replaces the data by the leader's: never in pause, and never before the leader's PostgreSQL answered, because it may be the only other copy.</summary>
    private static Decision CloneAnew(NodeView view, string reason)
    {
        NodeName leader = view.State.Lease!.Holder;
        if (view.State.Settings.Pause) return InPause(reason);
        if (IsSilent(view.State, leader))
            return Decision.Wait("rejoin.no-source", $"{reason}; it is cloned anew as soon as {leader} reports again");
        if (view.Server is not ServerStopped)
            return Decision.Do("rejoin.clone", $"{reason}; PostgreSQL stops to be cloned anew", new RunAction(new StopAction(false)));
        return TooSoon(view, ActionKind.RemoveData)
            ? Decision.Wait("rejoin.no-source", $"{reason}; the data are kept: {view.LastAction!.Reason}")
            : Decision.Do("rejoin.clone", $"{reason}; it is cloned anew", new RunAction(new RemoveDataAction(false) { ReplacedBy = leader }));
    }

    private static Decision KeepFollowing(NodeView view, Led led, StandbyServer standby)
    {
        Promotion latest = led.Promotion;
        if (standby.Timeline > latest.Timeline)
            return Diverged(view, led, $"it runs on timeline {standby.Timeline}, above the leader's {latest.Timeline}");
        Lsn reached = Lsn.Max(standby.EndOfWal, standby.ReplayLsn);
        if (standby.Timeline < latest.Timeline && WhereLeft(view.State, standby.Timeline) is { } fork && reached > fork)
            return Diverged(view, led, $"timeline {standby.Timeline} was left at {fork} and its WAL goes on to {reached}");
        NodeName upstream = Upstream(view, led.Lease.Holder);
        FollowMark mark = FollowMark.Of(latest, view.State);
        bool marked = view.Followed is { } followed && followed.IsFor(latest);
        if (standby.Upstream != upstream || !marked)
        {
            if (TooSoon(view, ActionKind.Follow))
                return Decision.Wait("follow.repoint-failed", $"pointing to {upstream} failed: {view.LastAction!.Reason}");
            // What it receives until then may come from a promotion that nobody recorded: nothing more may, before it is looked at and marked anew.
            if (view.Followed is { } former && !marked && (standby.Upstream is not null || standby.IsStreaming))
                return Detach("follow.detach-first", $"replication is disconnected before {led.Lease.Holder} is followed under epoch {latest.Epoch}; until now it followed under epoch {former.Epoch}");
            return standby.Upstream == upstream
                ? Decision.Do("follow.mark", $"following {upstream}; what it follows is marked", new RunAction(new FollowAction(upstream) { Mark = mark }))
                : Decision.Do("follow.repoint", $"following a different leader: {upstream}", new RunAction(new FollowAction(upstream) { Mark = mark }));
        }
        if (GrowsOld(view.State, view.Followed!) && !TooSoon(view, ActionKind.Follow))
            return Decision.Do("follow.mark", $"following {upstream}; the mark of what it follows is written anew", new RunAction(new FollowAction(upstream) { Mark = mark }));
        return standby.IsStreaming
            ? Decision.Wait("follow.steady", $"no action. I am ({view.Self}), a secondary, and following a leader ({led.Lease.Holder})")
            : Decision.Wait("follow.not-streaming", $"following {upstream}, not streaming yet");
    }
}
