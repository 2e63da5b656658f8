using Microsoft.Extensions.Logging;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Agent.Instance;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.Postgres;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Node;

public sealed partial class NodeAgent
{
    private RunningAction? running;
    private ActionResult? lastAction;
    private long actionNumber;
    private int fencing;
    private bool promotionOrdered;
    private volatile DataOrigin origin;
    private PostgresRole lastRole;

    private sealed record RunningAction(ActionKind Kind, CancellationTokenSource Cancellation);

    private void Execute(Effect effect, NodeView view)
    {
        switch (effect)
        {
            case Propose propose:
                // A promise may have been given since this turn began.
                if (propose.Command is StandForElection stand && !promises.TryStand(stand.Vacancy)) break;
                // Told to the fence before it is sent: from then on there is no way back under this epoch.
                // Nothing runs that a guard which did not hear of it would have to kill, so that it need not be asked twice.
                if (propose.Command is ReleaseLeader release) Hold(keeper.GiveUp(release), required: false);
                Post(propose.Command);
                break;
            case ProposeAdoption adoption:
                // From here on the guard kills it when the lease, of which nothing is known yet, could be over.
                Arm();
                Post(adoption.Completion, id => Hold(keeper.Adopt(id, view.NowMs, adoption.Claim, adoption.TtlMs), required: true));
                break;
            case RunAction run when Volatile.Read(ref running) is null && Volatile.Read(ref fencing) == 0:
                Begin(run.Action, view);
                break;
            case CancelAction:
                Volatile.Read(ref running)?.Cancellation.Cancel();
                break;
            case Fence order:
                BeginFence(order.GivesUpStart, NodeDecisions.ContextOf(view.State));
                break;
            case RefuseRequest refusal:
                requests.Refuse(refusal.Reason);
                break;
            case RequestCheckpoint:
                AskCheckpoint(view);
                break;
            case EndAgent end:
                LogEnding(end.IsError ? "refused" : "requested");
                ended.TrySetResult(end.IsError ? 1 : 0);
                break;
        }
    }

    private void Begin(NodeAction action, NodeView view)
    {
        // Before PostgreSQL can be writable. What is required and missing is a reason to give leadership away, found at the next turn.
        if (ActionExecutor.MayMakeWritable(action) && !view.State.Settings.Pause && !watchdog.Activate(view.State.Settings))
        {
            Wake();
            return;
        }
        requests.Began(action);
        if (action is RestartAction or StartPrimaryAction or StartStandbyAction) startTimeoutMs = (action as RestartAction)?.TimeoutMs;
        var context = new ActionContext(view.State, observation?.Status, (view.Server as StandbyServer)?.Timeline ?? default, (view.Data as PresentData)?.Incarnation ?? default);
        string ran = NodeDecisions.ContextOf(view.State);
        if (ActionExecutor.MayMakeWritable(action)) Arm();
        if (action is PromoteAction) promotionOrdered = true;
        (upstream, upstreamIsKnown) = action switch
        {
            StartStandbyAction start => (start.Upstream, true),
            FollowAction follow => (follow.Upstream, true),
            RestartAction { AsPrimaryUnder: null } restart => (restart.Upstream, true),
            _ => (upstream, upstreamIsKnown),
        };
        Launch(action.Kind, ran, async cancellation =>
        {
            ActionOutcome outcome = await executor.RunAsync(action, context, cancellation).ConfigureAwait(false);
            // What came of it, PostgreSQL says.
            if (outcome.Failure is not null && action is StartStandbyAction or FollowAction or RestartAction) upstreamIsKnown = false;
            return outcome;
        }, () => AfterAction(action));
    }

    private void Launch(ActionKind kind, string context, Func<CancellationToken, Task<ActionOutcome>> work, Action after)
    {
        var action = new RunningAction(kind, CancellationTokenSource.CreateLinkedTokenSource(ending.Token));
        Volatile.Write(ref running, action);
        _ = Task.Run(async () =>
        {
            ActionOutcome outcome = await work(action.Cancellation.Token).ConfigureAwait(false);
            lastAction = new(kind, outcome.Failure is null, outcome.Failure ?? "", BootClock.NowMs, context);
            if (outcome.Failure is null) origin = OriginAfter(kind) ?? origin;
            job = "";
            observer.ForgetData();
            Interlocked.Increment(ref actionNumber);
            Volatile.Write(ref running, null);
            if (outcome.Failure is null) after();
            requests.Ended(kind, outcome.Failure);
            observer.Trigger();
            Wake();
            action.Cancellation.Dispose();
        });
    }

    private static DataOrigin? OriginAfter(ActionKind kind) => kind switch
    {
        ActionKind.Initialize => DataOrigin.Initialized,
        ActionKind.Clone => DataOrigin.Cloned,
        ActionKind.Rewind => DataOrigin.Rewound,
        _ => null,
    };

    private void AfterAction(NodeAction action)
    {
        CallbackAction? callback = action switch
        {
            StartPrimaryAction or StartStandbyAction => CallbackAction.OnStart,
            StopAction => CallbackAction.OnStop,
            RestartAction => CallbackAction.OnRestart,
            PromoteAction => CallbackAction.OnRoleChange,
            _ => null,
        };
        if (callback is { } what)
            callbacks.Run(instance.Settings, what, action is StartPrimaryAction or PromoteAction or RestartAction { AsPrimaryUnder: not null } ? "primary" : "replica");
        // A promoted server keeps the standby's settings until it is told otherwise; nothing waits for that.
        if (action is PromoteAction) appliedConfigVersion = -1;
    }

    /// <summary>Fences beside whatever runs: a hung action must not delay it.</summary>
    private void BeginFence(string? givesUpStart, string context)
    {
        if (Interlocked.Exchange(ref fencing, 1) == 1) return;
        _ = Task.Run(async () =>
        {
            FenceReport report = await instance.Controller.FenceAsync(FenceLimit).ConfigureAwait(false);
            string reason = report.Proof is null ? $"{report.Left} could not be killed" : "it was fenced";
            lastAction = givesUpStart is null
                ? new(ActionKind.Stop, false, reason, BootClock.NowMs, "")
                : new(ActionKind.StartPrimary, false, $"{givesUpStart}; {reason}", BootClock.NowMs, context);
            observer.ForgetData();
            Interlocked.Increment(ref actionNumber);
            Volatile.Write(ref fencing, 0);
            observer.Trigger();
            Wake();
        });
    }

    private void AskCheckpoint(NodeView view)
    {
        if (view.State.Leadership is not Led led || checkpointAsked == (led.Lease.Epoch, led.Promotion.Timeline.ToString())) return;
        checkpointAsked = (led.Lease.Epoch, led.Promotion.Timeline.ToString());
        _ = Task.Run(async () =>
        {
            if ((await instance.Commands.CheckpointAsync(ending.Token).ConfigureAwait(false)).Error is { } error)
            {
                LogCheckpoint(error);
                await Task.Delay(1000).ConfigureAwait(false);
                checkpointAsked = default;
            }
            observer.Trigger();
        });
    }

    /// <summary>Brings a changed configuration, dynamic or local, into force: settings of the layers below at once, PostgreSQL's files when nothing else runs.</summary>
    private async Task TakeConfigurationAsync(ClusterState state)
    {
        // Between election and promotion nothing may come before the report of the promotion.
        if (state.Leadership is Elected { Lease: var lease } && lease.Holder == Self && observation is not { Server: ServerStopped }) return;
        if (appliedConfigVersion == state.Config.Version || Volatile.Read(ref running) is not null || state.SystemIdentifier == 0) return;
        if (observation is not { Server: PrimaryServer or StandbyServer or ServerStopped } seen || seen.ActionNumber != Interlocked.Read(ref actionNumber)) return;
        appliedConfigVersion = state.Config.Version;
        await instance.ChangeAsync(AgentSettings.ForPostgres(configuration.Current, state.Settings)).ConfigureAwait(false);
        if (seen.Data is PresentData && DynamicConfigurationCache.Write(instance.Settings.DataDir, state.Config.Json) is { } problem) LogCache(problem.ToString());
        if (seen.Status is null) return;
        NodeName? from = UpstreamOf(state, seen);
        var context = new ActionContext(state, seen.Status, default, default);
        Launch(ActionKind.Follow, NodeDecisions.ContextOf(state), cancellation => executor.ReconfigureAsync(from, context, cancellation),
            () => callbacks.Run(instance.Settings, CallbackAction.OnReload, seen.Server is PrimaryServer ? "primary" : "replica"));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The agent ends ({Why})")]
    private partial void LogEnding(string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The checkpoint after the promotion failed: {Reason}")]
    private partial void LogCheckpoint(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The copy of the dynamic configuration was not written: {Reason}")]
    private partial void LogCache(string reason);
}
