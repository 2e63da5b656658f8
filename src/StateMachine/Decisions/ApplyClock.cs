using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// When this node, by its own clock, applied what is subject to expiry (architecture, rule 3). Kept by every node, so that a change of the
/// Raft leader need not restart any clock; after a snapshot install or a restart everything counts from then, never from zero.
/// </summary>
public sealed record ApplyClock
{
    /// <summary>Nothing applied yet.</summary>
    public static ApplyClock Empty { get; } = new();

    private (Epoch Epoch, long RenewalIndex) Lease { get; init; }
    private (long ClaimIndex, long RenewalIndex) Claim { get; init; }
    private VacancyId Vacancy { get; init; }
    private long Fruitless { get; init; }
    private ImmutableSortedDictionary<NodeName, (long Index, long AtMs)> Touches { get; init; } =
        ImmutableSortedDictionary<NodeName, (long, long)>.Empty;

    /// <summary>When the lease was acquired or last renewed, milliseconds of this node's clock.</summary>
    public long LeaseAtMs { get; private init; }
    /// <summary>When the claim was made or last renewed.</summary>
    public long ClaimAtMs { get; private init; }
    /// <summary>When the vacancy opened.</summary>
    public long VacancyAtMs { get; private init; }
    /// <summary>When the last close of it was fruitless; the opening when none was.</summary>
    public long FruitlessAtMs { get; private init; }

    /// <summary>Whether something that began then, milliseconds of this node's clock, began before this node knew of the open vacancy.</summary>
    public bool IsBeforeVacancy(ClusterState state, long beganMs) => state.Vacancy is not null && beganMs <= VacancyAtMs;

    /// <summary>When a member last reported.</summary>
    public long TouchAtMs(NodeName node) => Touches.TryGetValue(node, out (long Index, long AtMs) touch) ? touch.AtMs : 0;

    /// <summary>Takes note of an applied state.</summary>
    public ApplyClock Observe(ClusterState state, long nowMs)
    {
        ApplyClock next = this;
        if (state.Lease is { } lease && Lease != (lease.Epoch, lease.LastRenewalIndex))
            next = next with { Lease = (lease.Epoch, lease.LastRenewalIndex), LeaseAtMs = nowMs };
        if (state.Leadership is Initializing { Claim: var claim } && Claim != (claim.ClaimIndex, claim.LastRenewalIndex))
            next = next with { Claim = (claim.ClaimIndex, claim.LastRenewalIndex), ClaimAtMs = nowMs };
        if (state.Vacancy is { } vacancy)
        {
            if (Vacancy != vacancy.Id)
                next = next with { Vacancy = vacancy.Id, VacancyAtMs = nowMs, Fruitless = vacancy.LastFruitlessIndex, FruitlessAtMs = nowMs };
            else if (Fruitless != vacancy.LastFruitlessIndex)
                next = next with { Fruitless = vacancy.LastFruitlessIndex, FruitlessAtMs = nowMs };
        }
        return next.ObserveTouches(state, nowMs);
    }

    private ApplyClock ObserveTouches(ClusterState state, long nowMs)
    {
        ImmutableSortedDictionary<NodeName, (long Index, long AtMs)> touches = Touches;
        foreach (Member member in state.Members.Values)
        {
            if (!touches.TryGetValue(member.Name, out (long Index, long AtMs) touch) || touch.Index != member.LastTouchIndex)
                touches = touches.SetItem(member.Name, (member.LastTouchIndex, nowMs));
        }
        foreach (NodeName name in touches.Keys)
        {
            if (!state.Members.ContainsKey(name)) touches = touches.Remove(name);
        }
        return touches == Touches ? this : this with { Touches = touches };
    }
}
