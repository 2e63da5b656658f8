using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>A command that the Raft leader should propose, with the rule that says so.</summary>
/// <param name="Command">The command.</param>
/// <param name="Rule">Stable rule id.</param>
public sealed record CoordinatorDecision(Command Command, string Rule);

/// <summary>
/// What only the Raft leader proposes: expiry of leases, claims and members, and the close of elections. Every command names what was
/// observed, and Apply refuses it when that moved.
/// </summary>
public static class CoordinatorDecisions
{
    private const long LongestCloseWaitMs = 1000;

    /// <summary>What to propose now.</summary>
    /// <param name="self">This node, which leads the Raft group.</param>
    /// <param name="state">The applied state.</param>
    /// <param name="clock">This node's notes.</param>
    /// <param name="nowMs">CLOCK_BOOTTIME milliseconds.</param>
    /// <param name="startedMs">When this process started; a start of the whole group gives elections ttl to gather answers.</param>
    /// <param name="promise">What this node promised in failsafe mode, or null.</param>
    public static ImmutableArray<CoordinatorDecision> Decide(
        NodeName self, ClusterState state, ApplyClock clock, long nowMs, long startedMs, FailsafePromise? promise = null)
    {
        var decisions = ImmutableArray.CreateBuilder<CoordinatorDecision>();
        if (state.Lease is { Unbounded: false } lease && nowMs - clock.LeaseAtMs >= lease.TtlMs && promise?.Covers(lease, nowMs) != true)
            decisions.Add(new(new ExpireLeader(lease.Epoch, lease.LastRenewalIndex, false, self), "coordinator.expire-lease"));
        if (state.Leadership is Initializing { Claim: var claim } && nowMs - clock.ClaimAtMs >= claim.TtlMs)
            decisions.Add(new(new ExpireInitialization(claim.ClaimIndex, claim.LastRenewalIndex), "coordinator.expire-claim"));
        if (state.Vacancy is { } vacancy && ShouldClose(state, vacancy, clock, nowMs, startedMs))
            decisions.Add(new(new CloseElection(vacancy.Id), "coordinator.close-election"));
        foreach (Member member in state.Members.Values)
        {
            if (member.Presence == MemberPresence.Alive && nowMs - clock.TouchAtMs(member.Name) >= state.Settings.TtlMs)
                decisions.Add(new(new ExpireMember(member.Name, member.LastTouchIndex), "coordinator.expire-member"));
        }
        if (MayRaiseFeatureLevel(state)) decisions.Add(new(new RaiseFeatureLevel(ClusterStateMachine.SupportedFeatureLevel), "coordinator.raise-feature-level"));
        return decisions.ToImmutable();
    }

    /// <summary>
    /// Whether all nodes with PostgreSQL run a program that understands what this one does. Witnesses do not report: they are upgraded first.
    /// From then on an older program refuses the log by name.
    /// </summary>
    private static bool MayRaiseFeatureLevel(ClusterState state)
    {
        if (state.FeatureLevel >= ClusterStateMachine.SupportedFeatureLevel || state.Leadership is not Led) return false;
        foreach (Peer peer in state.Peers.Values)
        {
            if (peer.Kind != PeerKind.Data) continue;
            if (!state.Members.TryGetValue(peer.Name, out Member? member) || member.Report.FeatureLevel < ClusterStateMachine.SupportedFeatureLevel) return false;
        }
        return true;
    }

    /// <summary>When <see cref="Decide"/> has something to say at the earliest if nothing else happens, CLOCK_BOOTTIME milliseconds.</summary>
    public static long NextDueMs(ClusterState state, ApplyClock clock, long nowMs, long startedMs, FailsafePromise? promise = null)
    {
        long due = nowMs + state.Settings.TtlMs;
        if (state.Lease is { Unbounded: false } lease)
            due = Math.Min(due, promise?.Covers(lease, nowMs) == true ? promise.UntilMs : clock.LeaseAtMs + lease.TtlMs);
        if (state.Leadership is Initializing { Claim: var claim }) due = Math.Min(due, clock.ClaimAtMs + claim.TtlMs);
        if (state.Vacancy is { } vacancy) due = Math.Min(due, CloseDueMs(state, vacancy, clock, startedMs));
        return Math.Max(due, nowMs + 1);
    }

    private static bool ShouldClose(ClusterState state, Vacancy vacancy, ApplyClock clock, long nowMs, long startedMs)
    {
        if (vacancy.Candidate is null && (vacancy.Stands.IsEmpty || state.Settings.Pause)) return false;
        return nowMs >= CloseDueMs(state, vacancy, clock, startedMs);
    }

    private static long CloseDueMs(ClusterState state, Vacancy vacancy, ApplyClock clock, long startedMs)
    {
        bool triedWithTheseAnswers = vacancy.LastFruitlessIndex > 0 && vacancy.LastAnswerIndex <= vacancy.LastFruitlessIndex;
        if (triedWithTheseAnswers) return clock.FruitlessAtMs + state.Settings.TtlMs;
        long due = clock.VacancyAtMs + Math.Min(state.Settings.LoopWaitMs, LongestCloseWaitMs);
        bool groupJustStarted = clock.VacancyAtMs - startedMs < state.Settings.TtlMs;
        return groupJustStarted ? Math.Max(due, startedMs + state.Settings.TtlMs) : due;
    }
}
