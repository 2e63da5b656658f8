namespace Patroni.Raft.StateMachine;

public static partial class NodeDecisions
{
    /// <summary>What an operator asked of this node, now or for a time that has come.</summary>
    private static Decision? Requested(NodeView view) => view.Request switch
    {
        NodeRequest.Restart => RequestedRestart(view),
        NodeRequest.Reinitialize => RequestedClone(view),
        _ => DueRestart(view),
    };

    private static Decision RequestedRestart(NodeView view) => WhyNoRestart(view) is { } reason
        ? Decision.Do("operator.restart-refused", reason, new RefuseRequest(reason))
        : Restart(view, "operator.restart", "an operator asked for a restart", view.RequestTimeoutMs);

    /// <summary>
    /// A scheduled restart whose time has come. It stays scheduled until PostgreSQL is seen with another start time, so that it is done once,
    /// whatever dies between; <see cref="Upkeep.OverRestart"/> drops what is done, stale or no longer meant.
    /// </summary>
    private static Decision? DueRestart(NodeView view)
    {
        if (view.State.Settings.Pause || !view.State.Members.TryGetValue(view.Self, out Member? self) || self.ScheduledRestart is not { } restart) return null;
        if (!restart.IsDue(view.UnixNowMs) || view.Server is not (PrimaryServer or StandbyServer) || view.PostmasterStartUnixUs == 0) return null;
        if (Upkeep.OverRestart(view) is not null || WhyNoRestart(view) is not null || TooSoon(view, ActionKind.Restart)) return null;
        return Restart(view, "restart.scheduled", $"the restart scheduled for {restart.AtText} is due", restart.TimeoutMs);
    }

    private static Decision Restart(NodeView view, string rule, string reason, long? timeoutMs)
    {
        Epoch? epoch = view.State.Leader == view.Self ? view.State.Lease!.Epoch : null;
        // From a leader that is not promoted yet nothing is streamed: it would be a promotion that the log does not know of, and may never hear of.
        // Nor from anybody before it is known where what is here came from.
        NodeName? upstream = epoch is not null || view.State.Leadership is not Led led || view.Followed?.IsFor(led.Promotion) != true
            ? null
            : (view.Server as StandbyServer)?.Upstream ?? Upstream(view, led.Lease.Holder);
        return Decision.Do(rule, reason, new RunAction(new RestartAction(epoch, upstream) { TimeoutMs = timeoutMs }));
    }

    /// <summary>Why PostgreSQL cannot be restarted here now, or null. During an election nothing moves that was stood with.</summary>
    private static string? WhyNoRestart(NodeView view)
    {
        if (view.State.Lease is not { } lease) return "the cluster has no leader";
        if (lease.Holder == view.Self)
        {
            if (view.State.Leadership is not Led) return "this node is being promoted";
            if (view.Lease is not { } held || held.Epoch != lease.Epoch || !held.Permits(view.NowMs)) return "this node's leadership is not renewed yet";
            return view.Server is StandbyServer or ServerRemnants || view.Data is not PresentData ? "PostgreSQL is not in the state of a leader" : null;
        }
        return view.Server switch
        {
            StandbyServer or ServerUnresponsive or ServerStarting => null,
            ServerStopped when view.State.Leadership is Led && view.Data is PresentData data && WhyDiverged(view.State, data) is { } diverged => diverged,
            ServerStopped when view.Data is PresentData => null,
            ServerStopped => "it has no data to start with",
            _ => "PostgreSQL is not in the state of a replica",
        };
    }

    private static Decision RequestedClone(NodeView view)
    {
        const string rule = "operator.reinitialize", reason = "an operator asked to clone anew";
        if (view.State.Leader == view.Self) return RefuseClone("I am the leader, can not reinitialize");
        if (view.State.Leadership is not Led led || led.Lease.Epoch.Generation != view.State.Generation) return RefuseClone("Cluster has no leader, can not reinitialize");
        if (view.Server is not ServerStopped) return Decision.Do(rule, reason, new RunAction(new StopAction(false)));
        if (view.Data is not NoData) return Decision.Do(rule, reason, new RunAction(new RemoveDataAction(false) { ReplacedBy = led.Lease.Holder }));
        NodeName source = CloneSource(view, led.Lease.Holder);
        return Decision.Do(rule, $"{reason}, from {source}", new RunAction(Clone(view, led, source)));
    }

    private static CloneAction Clone(NodeView view, Led led, NodeName source) =>
        new(source) { Mark = FollowMark.Of(led.Promotion, view.State), FromReplica = source != led.Lease.Holder, BaseBackupOnly = view.CloneFromLeader };

    private static Decision RefuseClone(string reason) => Decision.Do("operator.reinitialize-refused", reason, new RefuseRequest(reason));
}
