using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>The holder's proof that it may be writable: an own renewal that was accepted.</summary>
/// <param name="Epoch">The leadership.</param>
/// <param name="DeadlineMs">Clock capture of the accepted renewal plus ttl minus drift margin, CLOCK_BOOTTIME milliseconds.</param>
/// <param name="Unbounded">Whether the lease needs no renewals (pause); the deadline then only limits <c>/primary</c>.</param>
public sealed record HeldLease(Epoch Epoch, long DeadlineMs, bool Unbounded)
{
    /// <summary>Whether the deadline rests on promises of failsafe mode rather than on a renewal.</summary>
    public bool ByPromises { get; init; }

    /// <summary>When fencing starts: the deadline less the kill budget.</summary>
    public long FenceStartMs => DeadlineMs - LeaseTimings.KillBudgetMs;

    /// <summary>Whether a node may answer as leader: the lease in force is its own, and the end of what it knows to hold is not reached, also when the lease itself has no end.</summary>
    public static bool AnswersAsLeader(ClusterState state, NodeName self, Epoch epoch, long fenceStartMs, long nowMs) =>
        nowMs < fenceStartMs && state.Lease is { } lease && lease.Holder == self && lease.Epoch == epoch;

    /// <summary>Whether PostgreSQL may be writable now.</summary>
    public bool Permits(long nowMs) => Unbounded || nowMs < FenceStartMs;
}

/// <summary>
/// The holder's side of the lease (architecture, rules 1 and 2): the clock is captured before a renewal is proposed and belongs to the
/// proposal's id, so that a deduplicated retry cannot stretch the lease; the deadline is computed only from a renewal that the
/// replicated state shows as accepted. A restarted agent knows no captures, hence has no deadline until a renewal of its own.
/// </summary>
public sealed record LeaseKeeper
{
    private const int CapturesKept = 64;

    /// <summary>Knows nothing: the state of a starting agent.</summary>
    public static LeaseKeeper Empty { get; } = new();

    /// <summary>Renewals proposed and not known to be overtaken, oldest first: any of them may be the one in force.</summary>
    private ImmutableList<(CommandId Id, long AtMs, RenewLeader Renewal)> Captures { get; init; } = [];

    /// <summary>Completions of an initialization proposed beside a running instance, oldest first: any of them may be the one that gave leadership.</summary>
    private ImmutableList<(CommandId Id, long AtMs)> Completions { get; init; } = [];

    /// <summary>The proof by renewals; before the first, of an adopted instance, by the completion that gave leadership or may do so.</summary>
    private HeldLease? Renewed { get; init; }

    /// <summary>The deadline by promises of failsafe mode; worth something only together with a proof by renewals of the same epoch.</summary>
    private (Epoch Epoch, long DeadlineMs) Promised { get; init; }

    /// <summary>The proof in force, or null.</summary>
    public HeldLease? Held => Renewed is { } renewed && renewed.Epoch == Promised.Epoch && renewed.DeadlineMs < Promised.DeadlineMs
        ? renewed with { DeadlineMs = Promised.DeadlineMs, ByPromises = true }
        : Renewed;

    /// <summary>The release that was proposed; under its epoch nothing becomes writable again, whenever it arrives.</summary>
    public ReleaseLeader? Released { get; init; }

    /// <summary>Under which leadership a renewal of this life of the agent was accepted; a release counts only after one.</summary>
    public Epoch RenewedEpoch { get; init; }

    /// <summary>
    /// Gives leadership up, before the release is sent: it may be accepted at any time from now on, and another node may lead before this one
    /// hears of it. There is no way back under this epoch; the release is repeated until it is accepted or the lease expires.
    /// </summary>
    public LeaseKeeper GiveUp(ReleaseLeader release) => this with { Released = release, Renewed = Renewed?.Epoch == release.Epoch ? null : Renewed };

    /// <summary>
    /// The claim to initialize as an epoch, under which an adopted instance writes until its completion is known to be accepted: the index of the claim in the log is that of
    /// no leadership, and lower than that of the one which the claim leads to.
    /// </summary>
    public static Epoch EpochOf(ClusterState state, InitializationClaim claim) => new(state.Generation, claim.ClaimIndex);

    /// <summary>
    /// Notes the clock of a completion that is about to be proposed beside a running primary. From now on it may be accepted, and the lease that it grants run, without
    /// this node knowing it: the instance may write until that lease could be over, counted from the first of these proposals. That one it may have been, also when it is an
    /// earlier life's. Which it was is known when the state shows it (<see cref="Observe"/>); a claim that is over takes all of it away, because nothing can come of it any more.
    /// </summary>
    public LeaseKeeper Adopt(CommandId id, long nowMs, Epoch claim, long ttlMs)
    {
        if (Completions.Exists(capture => capture.Id == id)) return this;
        long deadline = nowMs + ttlMs - LeaseTimings.DriftMarginMs(ttlMs);
        if (Renewed is { } known && known.Epoch == claim) deadline = Math.Min(deadline, known.DeadlineMs);
        return this with { Completions = Completions.Add((id, nowMs)), Renewed = new(claim, deadline, false) };
    }

    /// <summary>Takes over the deadline that an earlier life of this agent left behind on this boot of the machine.</summary>
    public LeaseKeeper Restore(HeldLease lease) => this with { Renewed = lease };

    /// <summary>
    /// Takes over the deadline that promises give: everybody who could win an election said yes. The clock was captured before the first question was sent
    /// (rule 1), and every promise runs from its receipt. What is over is not revived, and an earlier life of this agent may have proposed topologies that
    /// this one does not know of: it counts only after a renewal of this life.
    /// </summary>
    public LeaseKeeper Extend(Epoch epoch, long capturedMs, long ttlMs, long nowMs)
    {
        if (RenewedEpoch != epoch || Held is not { } held || held.Epoch != epoch || !held.Permits(nowMs)) return this;
        long deadline = capturedMs + ttlMs - LeaseTimings.DriftMarginMs(ttlMs);
        return Promised.Epoch == epoch && deadline <= Promised.DeadlineMs ? this : this with { Promised = (epoch, deadline) };
    }

    /// <summary>Forgets promises, before a topology is proposed: they say nothing of the members that it brings.</summary>
    public LeaseKeeper ForgetPromises() => this with { Promised = default };

    /// <summary>
    /// Notes the clock of a renewal that is about to be proposed; a second capture for the same id is ignored. From now on the renewal may be
    /// in force without this node knowing it: a proof without bound, or with a longer ttl, is cut to the renewal's terms at once, before it is sent.
    /// </summary>
    public LeaseKeeper Capture(CommandId id, long nowMs, RenewLeader renewal)
    {
        if (Captures.Exists(capture => capture.Id == id)) return this;
        ImmutableList<(CommandId, long, RenewLeader)> captures = Captures.Add((id, nowMs, renewal));
        return this with { Captures = captures.Count > CapturesKept ? captures.RemoveAt(0) : captures, Renewed = Cut(Renewed, nowMs, renewal) };
    }

    /// <summary>A proof that also holds by the terms of a renewal that may be in force.</summary>
    private static HeldLease? Cut(HeldLease? held, long nowMs, RenewLeader renewal)
    {
        if (held is null || held.Epoch != renewal.Epoch || renewal.Unbounded) return held;
        long deadline = nowMs + renewal.TtlMs - LeaseTimings.DriftMarginMs(renewal.TtlMs);
        return held.Unbounded || deadline < held.DeadlineMs ? held with { DeadlineMs = deadline, Unbounded = false } : held;
    }

    /// <summary>Takes note of the applied state.</summary>
    public LeaseKeeper Observe(NodeName self, ClusterState state)
    {
        if (state.Leadership is Initializing { Claim: var claim } && claim.Node == self && Renewed?.Epoch == EpochOf(state, claim)) return this;
        if (state.Lease is not { } lease || lease.Holder != self) return Renewed is null ? this : this with { Renewed = null, Completions = [] };
        LeaseKeeper kept = lease.OwnRenewal ? this : Adopted(state, lease);
        if (kept.Renewed is not null && kept.Renewed.Epoch != lease.Epoch) kept = kept with { Renewed = null };
        if (!lease.OwnRenewal || Released?.Epoch == lease.Epoch) return kept;
        int accepted = Captures.FindIndex(capture => capture.Id == lease.RenewedBy);
        if (accepted < 0) return kept;
        HeldLease held = new(lease.Epoch, Captures[accepted].AtMs + lease.TtlMs - LeaseTimings.DriftMarginMs(lease.TtlMs), lease.Unbounded);
        // Renewals proposed later may be in force already, and be shorter.
        for (int i = accepted + 1; i < Captures.Count; i++) held = Cut(held, Captures[i].AtMs, Captures[i].Renewal)!;
        if (accepted > 0) kept = kept with { Captures = Captures.RemoveRange(0, accepted) };
        if (kept.RenewedEpoch != lease.Epoch) kept = kept with { RenewedEpoch = lease.Epoch };
        return held == kept.Renewed ? kept : kept with { Renewed = held };
    }

    /// <summary>
    /// Leadership that came with a completion and was not renewed yet. When it is one that this life proposed, its capture says how long the lease lasts at least. When it is an earlier
    /// life's, the deadline that was left behind goes on: until then nobody else can have acquired anything.
    /// </summary>
    private LeaseKeeper Adopted(ClusterState state, LeaderLease lease)
    {
        int mine = Completions.FindIndex(capture => capture.Id == lease.RenewedBy);
        if (mine >= 0)
            return this with { Completions = [], Renewed = new(lease.Epoch, Completions[mine].AtMs + lease.TtlMs - LeaseTimings.DriftMarginMs(lease.TtlMs), false) };
        return Renewed is { Unbounded: false } left && left.Epoch.Generation == lease.Epoch.Generation && left.Epoch < lease.Epoch && state.Lineage.IsEmpty
            ? this with { Renewed = left with { Epoch = lease.Epoch } }
            : this;
    }
}
