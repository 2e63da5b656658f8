using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>When a node last proposed its routine commands; CLOCK_BOOTTIME milliseconds, 0 for never.</summary>
/// <param name="RenewedAtMs">Last renewal proposed.</param>
/// <param name="RenewedEpoch">Under which epoch.</param>
/// <param name="TouchedAtMs">Last report proposed.</param>
/// <param name="ClaimedAtMs">Last renewal of the claim proposed.</param>
public sealed record UpkeepMemory(long RenewedAtMs, Epoch RenewedEpoch, long TouchedAtMs, long ClaimedAtMs)
{
    /// <summary>Nothing proposed yet.</summary>
    public static UpkeepMemory Empty { get; } = new(0, default, 0, 0);
}

/// <summary>Routine proposals: they never wait for an action or for SQL, so that a hung PostgreSQL does not lose the lease by itself.</summary>
public static class Upkeep
{
    private const long ClaimIntervalMs = 5_000;

    /// <summary>The renewal that is due, or null.</summary>
    public static RenewLeader? Renewal(NodeView view, UpkeepMemory memory)
    {
        if (!view.StateIsCurrent || view.State.Lease is not { } lease || lease.Holder != view.Self || view.Released?.Epoch == lease.Epoch || NodeDecisions.LetsLeaseExpire(view)) return null;
        if (lease.Epoch.Generation != view.State.Generation) return null;
        DynamicConfiguration settings = view.State.Settings;
        bool first = memory.RenewedEpoch != lease.Epoch;
        // Before its first renewal a leadership permits nothing: not to write, not to change the topology, not to be given on.
        if (view.RenewedEpoch != lease.Epoch && view.Promise is { } promise && promise.Epoch < lease.Epoch && NodeDecisions.IsPromised(view)) return null;
        // In pause a lease needs no renewals while something runs that may write; an instance that is stopped needs no such protection.
        bool unbounded = settings.Pause && view.Server is not ServerStopped;
        if (!first && view.NowMs - memory.RenewedAtMs < settings.RenewalIntervalMs && unbounded == lease.Unbounded) return null;
        Lsn last = view.Server is PrimaryServer primary ? primary.WriteLsn : lease.LastLsn;
        return new(lease.Epoch, view.Self, settings.TtlMs, unbounded, last, lease.Slots) { LastRenewalIndex = lease.LastRenewalIndex };
    }

    /// <summary>The report that is due, or null. Positions and progress that moved are reported every loop_wait, anything else at once, and all at least three times in a ttl.</summary>
    public static TouchMember? Touch(NodeView view, UpkeepMemory memory)
    {
        if (!view.State.Peers.TryGetValue(view.Self, out Peer? peer) || peer.Kind != PeerKind.Data) return null;
        DynamicConfiguration settings = view.State.Settings;
        view.State.Members.TryGetValue(view.Self, out Member? known);
        if (known is null || known.Presence != MemberPresence.Alive) return new(view.Self, view.Report);
        long age = view.NowMs - memory.TouchedAtMs;
        if (view.Report == known.Report) return age >= settings.TtlMs / 3 ? new(view.Self, view.Report) : null;
        bool onlyPositions = WithPositionsOf(view.Report, known.Report) == known.Report;
        return !onlyPositions || age >= settings.LoopWaitMs ? new(view.Self, view.Report) : null;
    }

    /// <summary>The renewal of the claim to initialize that is due, or null.</summary>
    public static ClaimInitialization? Claim(NodeView view, UpkeepMemory memory) =>
        view.NowMs - memory.ClaimedAtMs >= ClaimIntervalMs && view.Running == ActionKind.Initialize ? NodeDecisions.KeepClaim(view) : null;

    /// <summary>The report of what the guard did, or null. It is made again until the history has it.</summary>
    public static ReportFenced? Fenced(NodeView view) =>
        view.Fenced is { } fence && view.StateIsCurrent && view.State.FeatureLevel >= ClusterStateMachine.FencesReportedLevel
        && view.State.Peers.ContainsKey(view.Self) && !view.State.RecordsFence(view.Self, fence.AtUnixMs)
            ? new(view.Self, fence)
            : null;

    /// <summary>The order to drop this node's scheduled restart when it is done, stale or no longer meant; or null.</summary>
    public static ClearRestart? OverRestart(NodeView view)
    {
        if (!view.StateIsCurrent || !view.State.Members.TryGetValue(view.Self, out Member? self) || self.ScheduledRestart is not { } restart) return null;
        string? why = restart.WhyOver(view.PostmasterStartUnixUs, view.UnixNowMs, view.State.Settings);
        if (why is null && view.PostmasterStartUnixUs != 0 && view.Running is null && !view.State.Settings.Pause && restart.IsDue(view.UnixNowMs)
            && restart.Conditions.WhyNot(view.Report) is { } mismatch)
            why = $"restart conditions are not satisfied: {mismatch}";
        return why is null ? null : new(view.Self, restart.RequestIndex, why);
    }

    private static MemberReport WithPositionsOf(MemberReport report, MemberReport other) => report with
    {
        WriteLsn = other.WriteLsn,
        ReceiveLsn = other.ReceiveLsn,
        ReplayLsn = other.ReplayLsn,
        Progress = other.Progress,
    };
}
