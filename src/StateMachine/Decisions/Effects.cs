using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>Something to be done, as data.</summary>
public abstract record Effect;

/// <summary>Propose a command to the log.</summary>
/// <param name="Command">The command.</param>
public sealed record Propose(Command Command) : Effect;

/// <summary>
/// Propose to complete an initialization beside an instance that runs. It may be accepted, and the lease that it grants expire, without this node hearing of either:
/// before it is sent everybody who fences knows until when the instance may write (<see cref="LeaseKeeper.Adopt"/>), or it is not sent.
/// </summary>
/// <param name="Completion">The command.</param>
/// <param name="Claim">The claim as an epoch, see <see cref="LeaseKeeper.EpochOf"/>.</param>
/// <param name="TtlMs">The ttl of the lease that it grants, in milliseconds.</param>
public sealed record ProposeAdoption(CompleteInitialization Completion, Epoch Claim, long TtlMs) : Effect;

/// <summary>Kill every process of the instance, now and verified.</summary>
public sealed record Fence : Effect
{
    /// <summary>Why the start under way is given up with it, so that the fence counts as its failure; null when none is.</summary>
    public string? GivesUpStart { get; init; }
}

/// <summary>Answer the operator's request: it is not done.</summary>
/// <param name="Reason">Why.</param>
public sealed record RefuseRequest(string Reason) : Effect;

/// <summary>Cancel the running action.</summary>
public sealed record CancelAction : Effect;

/// <summary>End the agent.</summary>
/// <param name="IsError">Whether it is a refusal (exit code not 0).</param>
public sealed record EndAgent(bool IsError) : Effect;

/// <summary>Ask the primary for a checkpoint, beside everything else.</summary>
public sealed record RequestCheckpoint : Effect;

/// <summary>Start a long action; at most one runs.</summary>
/// <param name="Action">The action.</param>
public sealed record RunAction(NodeAction Action) : Effect;

/// <summary>Kinds of long actions.</summary>
public enum ActionKind
{
    /// <summary>initdb or custom bootstrap.</summary>
    Initialize,
    /// <summary>Start as primary.</summary>
    StartPrimary,
    /// <summary>Start as standby.</summary>
    StartStandby,
    /// <summary>Promote.</summary>
    Promote,
    /// <summary>Point a running standby to another upstream.</summary>
    Follow,
    /// <summary>Stop.</summary>
    Stop,
    /// <summary>Restart as what it is.</summary>
    Restart,
    /// <summary>pg_rewind.</summary>
    Rewind,
    /// <summary>Clone into an empty directory.</summary>
    Clone,
    /// <summary>Clear the data directory.</summary>
    RemoveData,
}

/// <summary>A long action.</summary>
public abstract record NodeAction
{
    /// <summary>Its kind.</summary>
    public abstract ActionKind Kind { get; }
}

/// <summary>Create a database cluster in the empty directory, with users, and stop it again.</summary>
public sealed record InitializeAction : NodeAction
{
    /// <inheritdoc/>
    public override ActionKind Kind => ActionKind.Initialize;
}

/// <summary>Start writable under an epoch.</summary>
/// <param name="Epoch">The leadership that permits it.</param>
public sealed record StartPrimaryAction(Epoch Epoch) : NodeAction
{
    /// <inheritdoc/>
    public override ActionKind Kind => ActionKind.StartPrimary;
}

/// <summary>Start as a standby.</summary>
/// <param name="Upstream">Where to stream from; null for nowhere.</param>
public sealed record StartStandbyAction(NodeName? Upstream) : NodeAction
{
    /// <summary>What is marked first; null where nothing is received.</summary>
    public FollowMark? Mark { get; init; }
    /// <inheritdoc/>
    public override ActionKind Kind => ActionKind.StartStandby;
}

/// <summary>Write the mark, then promote.</summary>
/// <param name="Epoch">The leadership that permits it.</param>
public sealed record PromoteAction(Epoch Epoch) : NodeAction
{
    /// <inheritdoc/>
    public override ActionKind Kind => ActionKind.Promote;
}

/// <summary>Point the running standby elsewhere.</summary>
/// <param name="Upstream">The new upstream.</param>
public sealed record FollowAction(NodeName? Upstream) : NodeAction
{
    /// <summary>What is marked first; null where nothing is received.</summary>
    public FollowMark? Mark { get; init; }
    /// <inheritdoc/>
    public override ActionKind Kind => ActionKind.Follow;
}

/// <summary>Stop cleanly; a stop that takes too long becomes a fence.</summary>
/// <param name="ForHandover">Whether a standby waits for the last WAL: checkpoint first, so that the stop is short.</param>
public sealed record StopAction(bool ForHandover) : NodeAction
{
    /// <inheritdoc/>
    public override ActionKind Kind => ActionKind.Stop;
}

/// <summary>Restart in the same role.</summary>
/// <param name="AsPrimaryUnder">The epoch when it restarts writable; null for a standby.</param>
/// <param name="Upstream">The standby's upstream.</param>
public sealed record RestartAction(Epoch? AsPrimaryUnder, NodeName? Upstream) : NodeAction
{
    /// <summary>How long the start may take, in milliseconds; null for <c>primary_start_timeout</c>.</summary>
    public long? TimeoutMs { get; init; }
    /// <inheritdoc/>
    public override ActionKind Kind => ActionKind.Restart;
}

/// <summary>Rewind to the leader's lineage.</summary>
/// <param name="Leader">The leader.</param>
public sealed record RewindAction(NodeName Leader) : NodeAction
{
    /// <summary>What is marked when it is done.</summary>
    public FollowMark? Mark { get; init; }
    /// <inheritdoc/>
    public override ActionKind Kind => ActionKind.Rewind;
}

/// <summary>Clone.</summary>
/// <param name="Source">From whom.</param>
public sealed record CloneAction(NodeName Source) : NodeAction
{
    /// <summary>What is marked when it is done.</summary>
    public FollowMark? Mark { get; init; }
    /// <summary>Whether the source is itself a replica, whose WAL is only as well known as its own mark says.</summary>
    public bool FromReplica { get; init; }
    /// <summary>Whether it is a base backup whatever <c>create_replica_methods</c> says: an operator wants the leader's own data.</summary>
    public bool BaseBackupOnly { get; init; }
    /// <inheritdoc/>
    public override ActionKind Kind => ActionKind.Clone;
}

/// <summary>Clear the data directory.</summary>
/// <param name="KeepCopy">Whether it is renamed away rather than deleted.</param>
public sealed record RemoveDataAction(bool KeepCopy) : NodeAction
{
    /// <summary>Whose data replace it: nothing is removed before that member's PostgreSQL answered. Null when nobody's do.</summary>
    public NodeName? ReplacedBy { get; init; }
    /// <inheritdoc/>
    public override ActionKind Kind => ActionKind.RemoveData;
}

/// <summary>How an action ended.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Succeeded">Whether it did what it should.</param>
/// <param name="Reason">Why not.</param>
/// <param name="EndedMs">When, CLOCK_BOOTTIME milliseconds.</param>
/// <param name="Context">The leadership or claim under which it ran: the epoch's text, or the claim's index; empty otherwise.</param>
public sealed record ActionResult(ActionKind Kind, bool Succeeded, string Reason, long EndedMs, string Context);

/// <summary>What to do now, and why.</summary>
/// <param name="Rule">Stable id of the rule.</param>
/// <param name="Reason">One sentence for the DBA.</param>
/// <param name="Effects">In order; empty when there is nothing to do.</param>
public sealed record Decision(string Rule, string Reason, ImmutableArray<Effect> Effects)
{
    /// <summary>A decision to wait.</summary>
    public static Decision Wait(string rule, string reason) => new(rule, reason, []);

    /// <summary>A decision with effects.</summary>
    public static Decision Do(string rule, string reason, params ImmutableArray<Effect> effects) => new(rule, reason, effects);
}
