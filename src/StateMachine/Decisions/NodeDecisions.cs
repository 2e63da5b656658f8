namespace Patroni.Raft.StateMachine;

/// <summary>
/// What one node does next. Pure: the same view gives the same decision. Order matters and is the order of danger: data of another
/// cluster, a writable instance without a lease, remnants of processes, then the running action, then what the cluster's phase asks for.
/// </summary>
public static partial class NodeDecisions
{
    /// <summary>Names the leadership, vacancy or claim in force; results of actions count only within the same one.</summary>
    public static string ContextOf(ClusterState state) => state.Leadership switch
    {
        Initializing initializing => $"claim {initializing.Claim.ClaimIndex}",
        Vacant vacant => $"vacancy {vacant.Vacancy.Id}",
        Elected elected => $"epoch {elected.Lease.Epoch}",
        Led led => $"epoch {led.Lease.Epoch}",
        _ => "",
    };

    /// <summary>Decides.</summary>
    public static Decision Decide(NodeView view) =>
        NameTaken(view) ?? ForeignData(view) ?? Fencing(view) ?? Busy(view) ?? NotCurrent(view) ?? Releasing(view) ?? DiskTrouble(view) ?? Shutdown(view) ?? Requested(view) ?? view.State.Leadership switch
        {
            Uninitialized => WhenUninitialized(view),
            Initializing { Claim: var claim } => WhenInitializing(view, claim),
            Vacant { Vacancy: var vacancy } => WhenVacant(view, vacancy),
            Elected or Led when view.State.Leader == view.Self => WhenLeading(view),
            _ => WhenFollowing(view),
        };

    /// <summary>
    /// Whether another node bears this one's name. Everything in the log is said under a name: such a node must say and do nothing, or it would
    /// renew the other's lease and take it for its own.
    /// </summary>
    public static bool IsNameTaken(NodeView view) =>
        view.StateIsCurrent && view.RaftAddress.Length > 0
        && view.State.Peers.TryGetValue(view.Self, out Peer? known) && known.RaftAddress != view.RaftAddress;

    private static Decision? NameTaken(NodeView view)
    {
        if (!IsNameTaken(view)) return null;
        string reason = $"the name {view.Self} belongs to the node at {view.State.Peers[view.Self].RaftAddress}; give this node ({view.RaftAddress}) another name, or remove the other first";
        return Decision.Do("node.name-taken", reason, view.MayBeWritable ? new Fence() : new EndAgent(true));
    }

    private static Decision? ForeignData(NodeView view)
    {
        if (!view.StateIsCurrent || view.State.SystemIdentifier == 0
            || view.Data is not PresentData data || data.SystemIdentifier == view.State.SystemIdentifier) return null;
        // Its claim expired before it was done, and another node was quicker.
        if (data.IsUnused && view.Server is ServerStopped)
        {
            if (view.Running is not null || view.ShutdownRequested) return null;
            return TooSoon(view, ActionKind.RemoveData)
                ? Decision.Wait("init.superseded", $"clearing the data directory failed: {view.LastAction!.Reason}; it is tried again")
                : Decision.Do("init.superseded", $"another node created the cluster, system {view.State.SystemIdentifier}, before this one was done; the unused data directory of system {data.SystemIdentifier} is cleared",
                    new RunAction(new RemoveDataAction(false)));
        }
        return Decision.Do("data.foreign",
            $"system ID mismatch: this data directory belongs to system {data.SystemIdentifier}, the cluster is {view.State.SystemIdentifier}; point data_dir elsewhere, or move the directory away and start again to clone",
            new EndAgent(true));
    }

    /// <summary>No instance may commit without a lease; remnants may never outlive their postmaster.</summary>
    private static Decision? Fencing(NodeView view)
    {
        // While an action runs, initdb, pg_rewind and their children are processes of the instance too.
        if (view.Server is ServerRemnants remnants && view.Running is null)
            return Decision.Do("fence.remnants", $"the postmaster is gone and {remnants.Count} of its processes are left", new Fence());
        if (!view.MayBeWritable || view.Server is ServerStopped && view.Running is null) return null;
        if (MayBeWritableNow(view)) return null;
        string reason = view.Lease is null
            ? "PostgreSQL may be writable and this node holds no lease"
            : $"PostgreSQL may be writable and the lease of epoch {view.Lease.Epoch} is over";
        return view.Running is null
            ? Decision.Do("fence.no-lease", reason, new Fence())
            : Decision.Do("fence.no-lease", reason, new CancelAction(), new Fence());
    }

    private static bool MayBeWritableNow(NodeView view)
    {
        // Nobody leads, and this node has proposed nothing by which it could have come to lead without knowing it.
        if (view.Lease is not { } held) return view.StateIsCurrent && view.State.Leadership is Uninitialized or Initializing;
        if (!held.Permits(view.NowMs)) return false;
        return !view.StateIsCurrent || view.State.Leadership switch
        {
            Initializing { Claim: var claim } => claim.Node == view.Self && held.Epoch == LeaseKeeper.EpochOf(view.State, claim),
            _ => view.State.Lease is { } lease && lease.Holder == view.Self && lease.Epoch == held.Epoch,
        };
    }

    /// <summary>
    /// Whether this data is not the cluster's: of another system, or there is no cluster yet. What people run with it is theirs. It is not armed, not fenced and not stopped, unless this
    /// node has proposed to adopt it.
    /// </summary>
    public static bool IsStranger(ClusterState state, DataView data) => data is PresentData present && present.SystemIdentifier != state.SystemIdentifier;

    private static Decision? Busy(NodeView view)
    {
        if (view.Running is not { } action) return null;
        if (action == ActionKind.Initialize && !(view.State.Leadership is Initializing { Claim: var claim } && claim.Node == view.Self) && view.StateIsCurrent)
            return Decision.Do("init.claim-lost", "the claim to initialize was lost", new CancelAction());
        if (action is ActionKind.Clone && view.ShutdownRequested)
            return Decision.Do("shutdown.cancel", "the agent ends; the unfinished clone starts anew next time", new CancelAction());
        return Decision.Wait("action.running", $"{action} is running");
    }

    private static Decision? NotCurrent(NodeView view) =>
        view.StateIsCurrent ? null
        : view.ShutdownRequested ? StopThenEnd(view, "shutdown.not-current", "the agent ends before it reached the Raft group")
        : ReceivesUnheard(view) ? Detach("raft.detach", $"it receives timeline {NewestTimeline(view.Data, view.Server)}, was pointed to timeline {view.Followed!.Timeline}, and does not hear from the group who was promoted")
        : Decision.Wait("raft.catching-up", "waiting for a quorum of the Raft group");

    /// <summary>A release once proposed may be accepted at any time: nothing is started under its epoch any more, it is only proposed again.</summary>
    private static Decision? Releasing(NodeView view) =>
        view.Released is { } release && view.State.Lease is { } lease && lease.Epoch == release.Epoch
            ? Decision.Do("lease.release", release.Detail, new Propose(release))
            : null;

    private static Decision? Shutdown(NodeView view)
    {
        if (!view.ShutdownRequested) return null;
        if (view.State.Vacancy is { } vacancy && vacancy.Stands.ContainsKey(view.Self) && view.Server is not ServerStopped)
            return Decision.Do("shutdown.withdraw", "the agent ends; its stand is withdrawn first",
                new Propose(new WithdrawFromElection(vacancy.Id, view.Self, "the agent ends")));
        if (view.State.Lease is not { } lease || lease.Holder != view.Self)
            return StopThenEnd(view, "shutdown.standby", "the agent ends");
        // It is never renewed again, so there is nothing to wait for before it is given up.
        if (lease.Epoch.Generation != view.State.Generation) return OfFormerGeneration(view, lease);
        if (view.State.Settings.Pause) return LeaveAlone(view);
        if (view.Server is not ServerStopped)
            return Decision.Do("shutdown.stop-leader", "the agent ends; PostgreSQL stops cleanly before leadership is given away", new RunAction(new StopAction(true)));
        if (view.RenewedEpoch != lease.Epoch) return FirstRenewal();
        return Decision.Do("shutdown.release", "the agent ends; leadership is given away after a verified stop",
            new Propose(new ReleaseLeader(lease.Epoch, view.Self, VacancyReason.Shutdown, $"{view.Self} was shut down", ShutdownLsn(view), null)));
    }

    /// <summary>Before a renewal of its own a release could be mistaken for one that an earlier life left on its way.</summary>
    private static Decision FirstRenewal() =>
        Decision.Wait("lease.first-renewal", "leadership is held; waiting for a renewal of its own before anything becomes writable or leadership is given away");

    private static Decision StopThenEnd(NodeView view, string rule, string reason)
    {
        if (view.Server is ServerStopped) return Decision.Do(rule, reason, new EndAgent(false));
        if (view.Server is PrimaryServer && !view.MayBeWritable && IsStranger(view.State, view.Data))
            return Decision.Do("shutdown.not-adopted", "the agent ends; PostgreSQL was not adopted yet, and goes on as people started it", new EndAgent(false));
        return view.State.Settings.Pause && (!view.MayBeWritable || view.Lease is { Unbounded: true })
            ? Decision.Do("pause.leave-running", "the agent ends; the cluster is paused and PostgreSQL goes on", new EndAgent(false))
            : Decision.Do(rule, reason, new RunAction(new StopAction(false)));
    }

    /// <summary>
    /// The holder's agent ends in pause: a PostgreSQL that runs goes on without it, once the log says that its lease needs no renewals. One that
    /// people stopped needs no such protection: its lease gets an end first, or nobody could lead again before people take it back.
    /// </summary>
    private static Decision LeaveAlone(NodeView view)
    {
        bool stopped = view.Server is ServerStopped;
        if (stopped ? view.State.Lease is { Unbounded: false } : view.Lease is { Unbounded: true })
            return Decision.Do("pause.leave-running", "the agent ends; the cluster is paused and PostgreSQL is left as it is", new EndAgent(false));
        return stopped
            ? Decision.Wait("pause.await-bounded", "PostgreSQL is stopped; the agent ends as soon as the log says that its lease has an end")
            : Decision.Wait("pause.await-unbounded", "the agent ends as soon as the log says that the lease needs no renewals in pause");
    }

    /// <summary>Location of the shutdown checkpoint, when there is a clean one.</summary>
    private static Lsn ShutdownLsn(NodeView view) => view.Data is PresentData { ShutDownCleanly: true } data ? data.LastLsn : default;

    private static bool FailedHere(NodeView view, ActionKind kind) =>
        view.LastAction is { Succeeded: false } last && last.Kind == kind && last.Context == ContextOf(view.State);

    /// <summary>After a failed action the same is tried again only after this pause.</summary>
    private static bool TooSoon(NodeView view, ActionKind kind) =>
        view.LastAction is { Succeeded: false } last && last.Kind == kind && view.NowMs - last.EndedMs < Math.Max(view.State.Settings.LoopWaitMs, 1000);
}
