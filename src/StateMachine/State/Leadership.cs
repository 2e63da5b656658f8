using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// Where the cluster is in its lifecycle. Exactly one case holds at any log index, and each case carries only its own data;
/// the moves between them are the rows of <see cref="ClusterLifecycle"/>.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "phase")]
[JsonDerivedType(typeof(Uninitialized), "uninitialized")]
[JsonDerivedType(typeof(Initializing), "initializing")]
[JsonDerivedType(typeof(Vacant), "vacant")]
[JsonDerivedType(typeof(Elected), "elected")]
[JsonDerivedType(typeof(Led), "led")]
public abstract record Leadership
{
    /// <summary>The lifecycle state of this case.</summary>
    [JsonIgnore] public abstract ClusterPhase Phase { get; }

    /// <summary>The lease, when somebody holds leadership.</summary>
    [JsonIgnore] public virtual LeaderLease? HeldLease => null;
}

/// <summary>No PostgreSQL cluster exists yet and nobody creates one.</summary>
public sealed record Uninitialized : Leadership
{
    /// <inheritdoc/>
    [JsonIgnore] public override ClusterPhase Phase => ClusterPhase.Uninitialized;
}

/// <summary>One node holds the claim to create (or to adopt) the PostgreSQL cluster.</summary>
/// <param name="Claim">The claim.</param>
public sealed record Initializing(InitializationClaim Claim) : Leadership
{
    /// <inheritdoc/>
    [JsonIgnore] public override ClusterPhase Phase => ClusterPhase.Initializing;
}

/// <summary>The cluster has no leader; an election is open.</summary>
/// <param name="Vacancy">The election.</param>
public sealed record Vacant(Vacancy Vacancy) : Leadership
{
    /// <inheritdoc/>
    [JsonIgnore] public override ClusterPhase Phase => ClusterPhase.Vacant;
}

/// <summary>A node holds leadership and has not yet shown that its PostgreSQL is the primary.</summary>
/// <param name="Lease">The lease.</param>
public sealed record Elected(LeaderLease Lease) : Leadership
{
    /// <inheritdoc/>
    [JsonIgnore] public override ClusterPhase Phase => ClusterPhase.Elected;
    /// <inheritdoc/>
    [JsonIgnore] public override LeaderLease? HeldLease => Lease;
}

/// <summary>A node holds leadership and its PostgreSQL is the primary (or the standby leader).</summary>
/// <param name="Lease">The lease.</param>
/// <param name="Promotion">What the holder reported when it became primary.</param>
/// <param name="Checkpointed">Whether the first checkpoint after the promotion is on disk; before it pg_rewind does not see the new timeline.</param>
public sealed record Led(LeaderLease Lease, Promotion Promotion, bool Checkpointed) : Leadership
{
    /// <inheritdoc/>
    [JsonIgnore] public override ClusterPhase Phase => ClusterPhase.Led;
    /// <inheritdoc/>
    [JsonIgnore] public override LeaderLease? HeldLease => Lease;
}

/// <summary>States of the cluster lifecycle.</summary>
public enum ClusterPhase
{
    /// <summary>No PostgreSQL cluster exists yet.</summary>
    Uninitialized,
    /// <summary>A node creates or adopts the PostgreSQL cluster.</summary>
    Initializing,
    /// <summary>No leader; an election is open.</summary>
    Vacant,
    /// <summary>A leader is chosen and not yet promoted.</summary>
    Elected,
    /// <summary>A leader is promoted.</summary>
    Led,
}

/// <summary>The claim to initialize; it expires like a lease.</summary>
/// <param name="Node">Who claims.</param>
/// <param name="ClaimIndex">Log index of the claim; its identity.</param>
/// <param name="LastRenewalIndex">Log index of the claim's last renewal.</param>
/// <param name="TtlMs">Milliseconds without renewal after which the Raft leader may expire it.</param>
public sealed record InitializationClaim(NodeName Node, long ClaimIndex, long LastRenewalIndex, long TtlMs);

/// <summary>The lease on leadership of PostgreSQL.</summary>
/// <param name="Holder">Who holds it.</param>
/// <param name="Epoch">Fencing token of this leadership.</param>
/// <param name="TtlMs">The ttl in force, in milliseconds: the one recorded when the lease was acquired or last renewed.</param>
/// <param name="LastRenewalIndex">Log index of the acquisition or the last renewal.</param>
/// <param name="RenewedBy">The proposal of the last renewal; the holder finds its clock capture by it. The acquisition leaves the id of the winner's stand (or of the completion) here.</param>
/// <param name="OwnRenewal">Whether the holder renewed since it acquired; before, it must not become writable.</param>
/// <param name="Unbounded">Whether the holder was told that it needs no renewals (pause); expiry is refused while this holds.</param>
/// <param name="LastLsn">The primary's write position at its last renewal.</param>
/// <param name="Slots">Positions of replication slots at the last renewal, sorted by name.</param>
/// <param name="Barred">Nodes whose promotion or start failed in the vacancies before this leadership; forgotten once it is promoted.</param>
public sealed record LeaderLease(
    NodeName Holder,
    Epoch Epoch,
    long TtlMs,
    long LastRenewalIndex,
    CommandId RenewedBy,
    bool OwnRenewal,
    bool Unbounded,
    Lsn LastLsn,
    ImmutableArray<SlotPosition> Slots,
    ImmutableSortedSet<NodeName> Barred)
{
    /// <summary>When the acquisition or the last renewal was proposed: the proposer's wall clock in Unix milliseconds, only ever shown.</summary>
    public long RenewedUnixMs { get; init; }
}

/// <summary>A replication slot's position.</summary>
/// <param name="Name">Slot name.</param>
/// <param name="Position">restart_lsn or confirmed_flush_lsn.</param>
public sealed record SlotPosition(string Name, Lsn Position);

/// <summary>One promotion, as recorded for ever in the lineage.</summary>
/// <param name="Node">Who was promoted.</param>
/// <param name="Epoch">Under which leadership.</param>
/// <param name="Timeline">The timeline it writes.</param>
/// <param name="ParentTimeline">The timeline it came from; unknown (0) for a cluster just created or adopted.</param>
/// <param name="ForkLsn">Where the timeline branched off its parent; 0/0 for a cluster just created or adopted.</param>
/// <param name="Index">Log index of the record.</param>
public sealed record Promotion(NodeName Node, Epoch Epoch, TimelineId Timeline, TimelineId ParentTimeline, Lsn ForkLsn, long Index);
