namespace Patroni.Raft.StateMachine;

/// <summary>
/// What the guard of an instance knows, and when it must fence. The guard decides nothing else: it refuses orders to make the instance
/// writable that no lease permits, and it is due once a lease has ended that the instance may still be writable under.
/// <list type="bullet">
/// <item>Armed by declared intent, before a writable start or a promotion is carried out, never by an observed role.</item>
/// <item>Its own orders are undone only by a proof that nothing of the instance runs; an agent's declaration also by that agent.</item>
/// <item>Armed without a lease of that epoch is due at once.</item>
/// </list>
/// </summary>
public sealed record GuardState
{
    /// <summary>Knows nothing: nothing may become writable, and nothing is fenced.</summary>
    public static GuardState Empty { get; } = new();

    /// <summary>The highest epoch that was ever ordered or declared under; older orders are refused.</summary>
    public Epoch Highest { get; private init; }
    /// <summary>The lease that the agent told of last, or that was found in the lease file since.</summary>
    public HeldLease? Lease { get; private init; }
    /// <summary>The epoch of the last writable start or promotion that this guard carried out since nothing was left the last time.</summary>
    public Epoch? Ordered { get; private init; }
    /// <summary>The epoch under which the agent says that the instance may be writable (it found it running).</summary>
    public Epoch? Declared { get; private init; }
    /// <summary>Orders being carried out at this moment.</summary>
    public int UnderWay { get; private init; }
    /// <summary>Orders begun so far: a proof that nothing runs counts only while none was begun since.</summary>
    public long Orders { get; private init; }

    /// <summary>Whether the instance may be writable.</summary>
    public bool IsArmed => Ordered is not null || Declared is not null;

    /// <summary>The epoch under which it may be writable.</summary>
    public Epoch ArmedUnder => Ordered is { } ordered && (Declared is not { } declared || declared < ordered) ? ordered : Declared ?? Epoch.None;

    /// <summary>When fencing must start, CLOCK_BOOTTIME milliseconds; null for never, 0 for at once.</summary>
    public long? FenceDueMs => !IsArmed ? null
        : Lease is not { } lease || lease.Epoch != ArmedUnder ? 0
        : lease.Unbounded ? null
        : lease.FenceStartMs;

    /// <summary>Takes what the agent says: the lease in force, and whether the instance may be writable under it.</summary>
    /// <returns>The new state, or the reason why the agent is not believed.</returns>
    public (GuardState State, string? Refusal) Tell(HeldLease? lease, bool mayBeWritable)
    {
        if (lease is not null && lease.Epoch < Highest) return (this, $"epoch {lease.Epoch} is older than {Highest}, which was seen");
        if (mayBeWritable && lease is null) return (this, "nothing may be writable without a lease");
        GuardState next = this with { Lease = lease, Declared = mayBeWritable ? lease!.Epoch : null };
        return (mayBeWritable ? next with { Highest = lease!.Epoch } : next, null);
    }

    /// <summary>Begins an order that makes the instance writable; from here on the guard is armed.</summary>
    /// <returns>The new state, or the reason why the order must not be carried out.</returns>
    public (GuardState State, string? Refusal) Begin(Epoch epoch, long nowMs)
    {
        if (epoch < Highest) return (this, $"epoch {epoch} is older than {Highest}, which was seen");
        if (Lease is not { } lease || lease.Epoch != epoch) return (this, $"no lease of epoch {epoch} is known");
        if (!lease.Permits(nowMs)) return (this, $"the lease of epoch {epoch} is over");
        return (this with { Highest = epoch, Ordered = epoch, UnderWay = UnderWay + 1, Orders = Orders + 1 }, null);
    }

    /// <summary>Begins a start as a standby.</summary>
    public GuardState BeginStandby() => this with { UnderWay = UnderWay + 1, Orders = Orders + 1 };

    /// <summary>An order was carried out, or failed.</summary>
    public GuardState End() => this with { UnderWay = UnderWay - 1 };

    /// <summary>A standby was started, which proves that nothing of an earlier primary was left.</summary>
    public GuardState StandbyStarted() => this with { Ordered = null, Declared = null };

    /// <summary>It was proven that no process of the instance is left.</summary>
    /// <param name="ordersBefore"><see cref="Orders"/> before the proof was made.</param>
    public GuardState Emptied(long ordersBefore) =>
        UnderWay == 0 && Orders == ordersBefore ? this with { Ordered = null, Declared = null } : this;

    /// <summary>
    /// Takes a lease from the lease file when it lasts longer than the one known: renewals are told through the file alone, what shortens a
    /// lease is told to the guard before it can be in force.
    /// </summary>
    public GuardState Prolong(HeldLease? file) =>
        file is not null && Lease is { Unbounded: false } lease && file.Epoch == lease.Epoch && (file.Unbounded || file.DeadlineMs > lease.DeadlineMs)
            ? this with { Lease = file }
            : this;

    /// <summary>A new agent speaks. When nothing is armed or under way, epochs of a group that no longer exists must not bar those of a new one.</summary>
    public GuardState NewAgent() => IsArmed || UnderWay > 0 ? this : Empty with { Orders = Orders };
}
