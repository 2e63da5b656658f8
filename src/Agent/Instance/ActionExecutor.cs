using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Postgres;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.Postgres.Provisioning;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Instance;

/// <summary>What an action needs from the replicated state, taken once when it starts.</summary>
/// <param name="State">The state.</param>
/// <param name="Status">The last answer of PostgreSQL, or null.</param>
/// <param name="Timeline">Timeline before a promotion.</param>
/// <param name="Incarnation">The life of the data.</param>
public sealed record ActionContext(ClusterState State, InstanceStatus? Status, TimelineId Timeline, Incarnation Incarnation);

/// <summary>How an action went: null for success, else one sentence.</summary>
public readonly record struct ActionOutcome(string? Failure)
{
    /// <summary>Success.</summary>
    public static ActionOutcome Ok => default;
}

/// <summary>
/// Executes actions on the instance, one at a time. Decides nothing: what may be done was decided before, and what came of it is observed afterwards.
/// </summary>
/// <param name="instance">The instance.</param>
/// <param name="self">This node.</param>
/// <param name="permits">Whether the lease of an epoch still permits a writable instance; asked once more right before it is ordered.</param>
/// <param name="progress">Gets what is being done, in words.</param>
/// <param name="logger">Log.</param>
public sealed partial class ActionExecutor(
    LocalInstance instance, NodeName self, Func<Epoch, bool> permits, Action<string> progress, ILogger<ActionExecutor> logger)
{
    private static readonly TimeSpan CheckpointLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FenceLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan DetachLimit = TimeSpan.FromSeconds(2);

    /// <summary>Whether an action may make the instance writable, so that the fence must be armed before it.</summary>
    public static bool MayMakeWritable(NodeAction action) =>
        action is StartPrimaryAction or PromoteAction or RestartAction { AsPrimaryUnder: not null };

    /// <summary>Runs an action.</summary>
    public async Task<ActionOutcome> RunAsync(NodeAction action, ActionContext context, CancellationToken cancellation)
    {
        LogBegin(action.Kind);
        try
        {
            ActionOutcome outcome = await DispatchAsync(action, context, cancellation).ConfigureAwait(false);
            if (outcome.Failure is { } failure) LogFailed(action.Kind, failure);
            else LogDone(action.Kind);
            return outcome;
        }
        catch (OperationCanceledException)
        {
            return new("it was cancelled");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            LogFailed(action.Kind, error.Message);
            return new(error.Message);
        }
    }

    private Task<ActionOutcome> DispatchAsync(NodeAction action, ActionContext context, CancellationToken cancellation) => action switch
    {
        InitializeAction => InitializeAsync(cancellation),
        StartPrimaryAction start => StartAsync(LaunchMode.Primary, start.Epoch, new ConfiguredRole.Primary(), StartPatience(context), cancellation),
        StartStandbyAction start => StartStandbyAsync(start, context, cancellation),
        PromoteAction promote => PromoteAsync(promote, context, cancellation),
        FollowAction follow => RepointAsync(follow, context, cancellation),
        StopAction stop => StopAsync(stop.ForHandover, context, cancellation),
        RestartAction restart => RestartAsync(restart, context, cancellation),
        RewindAction rewind => RewindAsync(rewind, context, cancellation),
        CloneAction clone => CloneAsync(clone, context, cancellation),
        RemoveDataAction remove => RemoveDataAsync(remove, context, cancellation),
        _ => throw new InvalidOperationException($"{action.Kind} has no executor."),
    };

    private async Task<ActionOutcome> InitializeAsync(CancellationToken cancellation)
    {
        progress("initializing a new cluster");
        BootstrapResult result = await new Bootstrap(instance.Settings, instance.Controller, instance.Logger<Bootstrap>()).RunAsync(cancellation).ConfigureAwait(false);
        return result is BootstrapResult.Failed failed
            ? new(failed.MovedTo is { } where ? $"{failed.Reason} (the unfinished directory is now {where})" : failed.Reason)
            : ActionOutcome.Ok;
    }

    private ConfiguredRole.Standby Standby(NodeName? upstream, ActionContext context)
    {
        if (upstream is not { } name || AddressOf(context.State, name) is not { } address) return new((Upstream?)null);
        return new(new Upstream { Address = address, SlotName = instance.Settings.UseSlots ? Slots.NameOf(self) : null });
    }

    private static PostgresAddress? AddressOf(ClusterState state, NodeName name) =>
        state.Members.TryGetValue(name, out Member? member) && member.Report.Host.Length > 0 ? new(member.Report.Host, member.Report.Port) : null;

    private async Task<ActionOutcome> StartAsync(LaunchMode mode, Epoch epoch, ConfiguredRole role, TimeSpan patience, CancellationToken cancellation)
    {
        progress("starting PostgreSQL");
        (ControlData? control, string? error) = await DataDirectory.ReadControlDataAsync(instance.Settings, cancellation).ConfigureAwait(false);
        if (control is null) return new(error!);
        if (instance.Configuration.Write(role, control.MajorVersion) is ConfigurationWrite.Refused refused) return new(refused.Reason);
        if (mode == LaunchMode.Primary && !permits(epoch)) return new($"the lease of epoch {epoch} ended before PostgreSQL was started");
        LaunchResult launch = instance.Controller.Launch(new(mode, epoch, instance.Configuration.CommandLine(mode, control)));
        if (launch is not LaunchResult.Launched launched) return new(((LaunchResult.Refused)launch).Reason);
        return await instance.Controller.WaitReadyAsync(launched.Postmaster, patience, cancellation).ConfigureAwait(false) is StartProgress.Exited exited
            ? new($"PostgreSQL exited while it started: {LastLine(exited.LastLogLines)}")
            : ActionOutcome.Ok;
    }

    private Task<ActionOutcome> StartStandbyAsync(StartStandbyAction start, ActionContext context, CancellationToken cancellation)
    {
        Note(start.Mark, context);
        return StartAsync(LaunchMode.Standby, Epoch.None, Standby(start.Upstream, context), StartPatience(context), cancellation);
    }

    private Task<ActionOutcome> RepointAsync(FollowAction follow, ActionContext context, CancellationToken cancellation)
    {
        Note(follow.Mark, context);
        return follow.Upstream is null ? DetachAsync(context, cancellation) : FollowAsync(follow.Upstream, context, cancellation);
    }

    /// <summary>Before anything can arrive: whoever finds more afterwards must know that the log did not tell of it.</summary>
    private void Note(FollowMark? mark, ActionContext context)
    {
        if (mark is not null) FollowingFile.Write(instance.Settings.DataDir, mark, self, context.Incarnation);
    }

    /// <summary>
    /// How long an action waits for a start. One that takes longer goes on; the HA loop sees it starting and judges by the time it may take.
    /// </summary>
    private TimeSpan StartPatience(ActionContext context)
    {
        TimeSpan limit = StartLimit(context);
        return limit < instance.Settings.PgCtlTimeout ? limit : instance.Settings.PgCtlTimeout;
    }

    /// <summary><c>primary_start_timeout</c>; 0 asks for a failover once <c>pg_ctl_timeout</c> did not suffice.</summary>
    private TimeSpan StartLimit(ActionContext context) => context.State.Settings.PrimaryStartTimeoutMs is > 0 and var limitMs
        ? TimeSpan.FromMilliseconds(limitMs)
        : instance.Settings.PgCtlTimeout;

    private static string LastLine(string log)
    {
        string[] lines = log.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.LastOrDefault(static line => line.Contains("FATAL", StringComparison.Ordinal) || line.Contains("PANIC", StringComparison.Ordinal))
            ?? lines.LastOrDefault() ?? "its log is empty";
    }

    private async Task<ActionOutcome> PromoteAsync(PromoteAction action, ActionContext context, CancellationToken cancellation)
    {
        progress("promoting");
        TimeSpan limit = StartLimit(context);
        if (await HookCommand.RunAsync(instance.Settings.PrePromote, limit, cancellation).ConfigureAwait(false) is { } failure)
            return new($"pre_promote failed: {failure}");
        if (!permits(action.Epoch)) return new($"the lease of epoch {action.Epoch} ended before the promotion was ordered");
        var marker = new PromotionMarker(action.Epoch, context.Timeline, self, context.Incarnation);
        if (instance.Controller.Promote(marker) is SignalResult.Refused refused) return new(refused.Reason);
        return await instance.Commands.WaitPromotedAsync(limit, cancellation).ConfigureAwait(false) is null
            ? new($"PostgreSQL did not leave recovery within {limit.TotalSeconds:0.#} s")
            : ActionOutcome.Ok;
    }

    /// <summary>Writes the configuration for the role that the instance has, and tells it.</summary>
    public async Task<ActionOutcome> ReconfigureAsync(NodeName? upstream, ActionContext context, CancellationToken cancellation)
    {
        if (context.Status is not { } status) return ActionOutcome.Ok;
        return status.InRecovery
            ? await FollowAsync(upstream, context, cancellation).ConfigureAwait(false)
            : Apply(instance.Configuration.Write(new ConfiguredRole.Primary(), status.MajorVersion));
    }

    private async Task<ActionOutcome> FollowAsync(NodeName? upstream, ActionContext context, CancellationToken cancellation, bool tellAgain = false)
    {
        if (context.Status is not { } status) return new("PostgreSQL does not answer");
        ConfigurationWrite write = instance.Configuration.Write(Standby(upstream, context), status.MajorVersion);
        if (write is ConfigurationWrite.Written { UpstreamNeedsRestart: true })
            return await RestartAsync(new(null, upstream), context, cancellation).ConfigureAwait(false);
        return Apply(write, tellAgain);
    }

    /// <summary>
    /// Points to nobody, and waits until PostgreSQL has done so: what is looked at afterwards is all that arrived. Told again although the files say so already, because
    /// an earlier life may have been killed before it told.
    /// </summary>
    private async Task<ActionOutcome> DetachAsync(ActionContext context, CancellationToken cancellation)
    {
        ActionOutcome outcome = await FollowAsync(null, context, cancellation, tellAgain: true).ConfigureAwait(false);
        if (outcome.Failure is not null) return outcome;
        return await instance.Commands.WaitDetachedAsync(DetachLimit, cancellation).ConfigureAwait(false) is { } reason ? new(reason) : ActionOutcome.Ok;
    }

    private ActionOutcome Apply(ConfigurationWrite write, bool tellAgain = false) => write switch
    {
        ConfigurationWrite.Refused refused => new(refused.Reason),
        ConfigurationWrite.Written written when (written.NeedsReload || tellAgain) && instance.Controller.Reload() is SignalResult.Refused refused => new(refused.Reason),
        _ => ActionOutcome.Ok,
    };

    private async Task<ActionOutcome> StopAsync(bool forHandover, ActionContext context, CancellationToken cancellation)
    {
        progress("stopping PostgreSQL");
        bool runs = (instance.Controller.Current ?? instance.Controller.Adopt()) is not null;
        // The stop waits for the command however long it takes, and goes on whatever its exit code: that is what it is for.
        if (runs && await HookCommand.RunAsync(instance.Settings.BeforeStop, Timeout.InfiniteTimeSpan, cancellation).ConfigureAwait(false) is { } failure)
            LogHook("before_stop", failure);
        if (forHandover && context.Status is { InRecovery: false })
        {
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(CheckpointLimit);
            CommandResult checkpoint = await instance.Commands.CheckpointAsync(limit.Token).ConfigureAwait(false);
            if (!checkpoint.IsSuccess) LogHook("the checkpoint before the stop", checkpoint.Error!);
        }
        DynamicConfiguration settings = context.State.Settings;
        // Only a synchronous standby makes it safe to kill the primary in the middle of its stop.
        bool limited = forHandover && settings.PrimaryStopTimeoutMs > 0 && settings.SynchronousMode != SynchronousMode.Off;
        TimeSpan patience = limited ? TimeSpan.FromMilliseconds(settings.PrimaryStopTimeoutMs) : instance.Settings.PgCtlTimeout;
        StopResult stop = await instance.Controller.StopAsync(StopMode.Fast, patience, cancellation).ConfigureAwait(false);
        if (stop is StopResult.Stopped) return ActionOutcome.Ok;
        FenceReport fence = await instance.Controller.FenceAsync(FenceLimit).ConfigureAwait(false);
        string why = stop is StopResult.Refused refused ? refused.Reason : $"it did not stop within {patience.TotalSeconds:0.#} s";
        return new(fence.Proof is null ? $"{why}, and {fence.Left} could not be killed" : $"{why} and was killed");
    }

    private async Task<ActionOutcome> RestartAsync(RestartAction action, ActionContext context, CancellationToken cancellation)
    {
        ActionOutcome stop = await StopAsync(action.AsPrimaryUnder is not null, context, cancellation).ConfigureAwait(false);
        if (instance.Controller.VerifyStopped() is null) return stop;
        TimeSpan patience = action.TimeoutMs is { } timeoutMs ? TimeSpan.FromMilliseconds(timeoutMs) : StartLimit(context);
        return action.AsPrimaryUnder is { } epoch
            ? await StartAsync(LaunchMode.Primary, epoch, new ConfiguredRole.Primary(), patience, cancellation).ConfigureAwait(false)
            : await StartAsync(LaunchMode.Standby, Epoch.None, Standby(action.Upstream, context), patience, cancellation).ConfigureAwait(false);
    }

    private async Task<ActionOutcome> RewindAsync(RewindAction action, ActionContext context, CancellationToken cancellation)
    {
        NodeName leader = action.Leader;
        progress($"rewinding to {leader}");
        if (instance.Controller.VerifyStopped() is not { } proof) return new("processes of the instance are left");
        if (AddressOf(context.State, leader) is not { } address) return new($"the address of {leader} is not known");
        RewindResult result = await new Rewinder(instance.Settings, instance.Logger<Rewinder>()).RunAsync(address, proof, action.Mark, cancellation).ConfigureAwait(false);
        return result switch
        {
            RewindResult.Failed failed => new(failed.Reason),
            RewindResult.Impossible impossible => new(impossible.Reason),
            _ => ActionOutcome.Ok,
        };
    }

    private async Task<ActionOutcome> CloneAsync(CloneAction action, ActionContext context, CancellationToken cancellation)
    {
        NodeName source = action.Source;
        progress($"cloning from {source}");
        if (instance.Controller.VerifyStopped() is not { } proof) return new("processes of the instance are left");
        if (AddressOf(context.State, source) is not { } address) return new($"the address of {source} is not known");
        CloneResult result = await new Cloner(instance.Settings, instance.Logger<Cloner>()).RunAsync(
            new(new(source, address, null) { IsReplica = action.FromReplica }, proof, null, context.State.SystemIdentifier, action.BaseBackupOnly) { Mark = action.Mark },
            done => progress(done.Percent is { } percent ? $"cloning from {source}: {percent} %" : $"cloning from {source}"), cancellation).ConfigureAwait(false);
        return result switch
        {
            CloneResult.Refused refused => new(refused.Reason),
            CloneResult.Failed failed => new(failed.Reason),
            CloneResult.Cancelled => new("it was cancelled"),
            _ => ActionOutcome.Ok,
        };
    }

    private async Task<ActionOutcome> RemoveDataAsync(RemoveDataAction action, ActionContext context, CancellationToken cancellation)
    {
        if (action.ReplacedBy is { } source)
        {
            if (AddressOf(context.State, source) is not { } address) return new($"the address of {source} is not known");
            (ulong? system, string? error) = await LeaderInspection.IdentifyAsync(address, instance.Settings.Replication, FenceLimit, cancellation).ConfigureAwait(false);
            if (system is null) return new($"{source} does not answer ({error})");
            if (system != context.State.SystemIdentifier) return new($"{source} has system identifier {system}, the cluster's is {context.State.SystemIdentifier}");
        }
        return RemoveData(action.KeepCopy);
    }

    private ActionOutcome RemoveData(bool keepCopy)
    {
        if (instance.Controller.VerifyStopped() is not { } proof) return new("processes of the instance are left");
        if (keepCopy)
        {
            (string? movedTo, string? error) = DataDirectory.MoveAway(instance.Settings, proof);
            if (movedTo is null) return new(error!);
            LogMoved(movedTo);
            return ActionOutcome.Ok;
        }
        DataDirectory.Wipe(instance.Settings, proof, "it is cloned anew");
        return ActionOutcome.Ok;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Action} begins")]
    private partial void LogBegin(ActionKind action);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Action} is done")]
    private partial void LogDone(ActionKind action);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Action} failed: {Reason}")]
    private partial void LogFailed(ActionKind action, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{What} failed: {Reason}")]
    private partial void LogHook(string what, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The unfinished data directory was moved to {Where}")]
    private partial void LogMoved(string where);
}
