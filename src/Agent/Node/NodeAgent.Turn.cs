using Microsoft.Extensions.Logging;
using Patroni.Raft.Agent.Consensus;
using Patroni.Raft.Agent.Instance;
using Patroni.Raft.Consensus;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Node;

public sealed partial class NodeAgent
{
    private LeaseKeeper keeper = LeaseKeeper.Empty;
    private UpkeepMemory upkeep = UpkeepMemory.Empty;
    private volatile bool shutdownRequested;
    private long? startTimeoutMs;
    private (Lsn Lsn, long AtMs) walArrived;
    private NodeName? upstream;
    private volatile bool upstreamIsKnown;
    private long appliedConfigVersion = -1;
    private (Epoch Epoch, string Key) checkpointAsked;
    private int serverVersion;
    private string lastRule = "";
    private string note = "";

    /// <summary>One turn; returns how long to wait for the next when nothing happens.</summary>
    private async Task<TimeSpan> TurnAsync()
    {
        long now = BootClock.NowMs;
        AppliedCluster applied = cluster.Current;
        Observation seen = observation!;
        await TakeConfigurationAsync(applied.State).ConfigureAwait(false);
        ObserveLease(applied.State);
        ObservePromises();
        ObserveWritability(applied.State, seen);
        disks = disks.Observe(dataProbe.Latest, raftProbe.Latest, now, applied.State.Settings.TtlMs);

        NodeView view = View(applied, seen, now);
        Keep(view, now);
        KeepFailsafe(view, now);
        watchdog.Turn(fence.IsArmed, keeper.Held, applied.State.Settings);
        if (raft.IsLeader)
        {
            foreach (CoordinatorDecision decision in CoordinatorDecisions.Decide(Self, applied.State, applied.Clock, now, startedMs, view.Promise))
                Post(decision.Command);
        }
        Decision decided = NodeDecisions.Decide(view);
        Remember(decided, view);
        if (view is { Running: null, Server: ServerStarting }) requests.SettleStarting();
        foreach (Effect effect in decided.Effects) Execute(effect, view);
        steady = decided.Rule is "failsafe.promised" or "leader.steady" or "follow.steady" or "raft.catching-up" or "election.declined" or "init.wait";
        if (steady) slots.Maintain(view, seen.Status);
        PublishSnapshot(view, seen, decided, now);
        if (IsFresh(seen)) requests.Settle(snapshot, BootClock.NowMs);
        return NextPause(applied, view, now);
    }

    private void ObserveLease(ClusterState state)
    {
        if (stateIsCurrent) Hold(keeper.Observe(Self, state), required: false);
    }

    /// <summary>
    /// Puts a lease into force for all who fence: the file first, in which guard and next agent look, then the guard, which confirms what shortens the
    /// time it would wait, then this process.
    /// </summary>
    /// <param name="next">The lease.</param>
    /// <param name="required">Whether all of them must know it: else nothing is changed here, and what was to be proposed must not be sent.</param>
    private bool Hold(LeaseKeeper next, bool required)
    {
        if (next.Held == keeper.Held)
        {
            keeper = next;
            return true;
        }
        bool known = leaseFile.Write(next.Held) & guard.Tell(next.Held, required);
        if (required && !known)
        {
            LogUnconfirmed(guard.Problem);
            return false;
        }
        keeper = next;
        fence.SetLease(next.Held);
        return true;
    }

    /// <summary>Armed by intent, disarmed only by a fresh look: nothing left, or a standby that was not told to promote.</summary>
    private void ObserveWritability(ClusterState state, Observation seen)
    {
        if (seen.Status is { Receiver.IsStreaming: true, ReceiveLsn: { } received } && received > walArrived.Lsn) walArrived = (received, seen.BeganMs);
        if (Volatile.Read(ref running) is not null || seen.ActionNumber != Interlocked.Read(ref actionNumber)) return;
        if (seen.Server is PrimaryServer or StandbyServer) startTimeoutMs = null;
        // In pause people may promote by hand what this agent never made writable; that is theirs, and not fenced.
        bool byHand = state.Settings.Pause && state.Leader != Self;
        // As is what they run while this node has not proposed to adopt it.
        bool stranger = stateIsCurrent && keeper.Held is null && seen.Server is PrimaryServer && NodeDecisions.IsStranger(state, seen.Data);
        if (seen.Server is PrimaryServer && stateIsCurrent && !byHand && !stranger) Arm();
        else if (seen.Server is ServerStopped || stranger)
        {
            promotionOrdered = false;
            Disarm();
        }
        // An earlier life of the agent may have ordered a promotion that is still going on.
        else if (seen.Server is StandbyServer && !promotionOrdered && (keeper.Held is not { } held || Mark(seen)?.Epoch != held.Epoch)) Disarm();
        if (seen.Status is { } status) serverVersion = status.ServerVersion;
    }

    /// <summary>Whether a look at PostgreSQL began after everything that was done here.</summary>
    private bool IsFresh(Observation seen) =>
        Volatile.Read(ref running) is null && Volatile.Read(ref fencing) == 0 && seen.ActionNumber == Interlocked.Read(ref actionNumber);

    private NodeView View(AppliedCluster applied, Observation seen, long now)
    {
        ClusterState state = applied.State;
        // In this order: what ended before it was seen to run is counted in the number that is read after it.
        ActionKind? underWay = Volatile.Read(ref running)?.Kind ?? (Volatile.Read(ref fencing) == 1 ? ActionKind.Stop : null);
        bool stale = seen.ActionNumber != Interlocked.Read(ref actionNumber);
        Configuration.TagSettings tags = configuration.Current.Tags;
        bool beforeVacancy = applied.Clock.IsBeforeVacancy(state, seen.BeganMs);
        ServerView server = seen.Server is StandbyServer standby ? standby with { Upstream = UpstreamOf(state, seen) } : seen.Server;
        if (beforeVacancy) observer.Trigger();
        FollowMark? followed = seen.Data is PresentData data ? FollowingFile.Read(instance.Settings.DataDir, Self, data.Incarnation) : null;
        MemberReport report = Report(state, seen, followed);
        return new()
        {
            Self = Self,
            RaftAddress = RaftAddress.Format(raft.SelfEndPoint),
            NowMs = now,
            UnixNowMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
            State = state,
            GuardMissingSinceMs = guard.MissingSinceMs,
            GuardProblem = guard.Problem,
            Fenced = guard.Fenced,
            WatchdogProblem = watchdog.Problem(state.Settings, now),
            StateIsCurrent = stateIsCurrent,
            Lease = keeper.Held,
            RenewedEpoch = keeper.RenewedEpoch,
            Released = keeper.Released,
            Promise = promises.Current(state, now),
            Data = seen.Data,
            Server = server,
            SeenBeforeVacancy = beforeVacancy,
            MayBeWritable = fence.IsArmed,
            // Until a look that began after the action, what is known of the instance is out of date, as during the action.
            Running = underWay ?? (stale ? ActionKind.Stop : null),
            LastAction = lastAction,
            Mark = Mark(seen),
            Followed = followed,
            Traits = new()
            {
                FailoverPriority = tags.NoFailover ? 0 : tags.FailoverPriority,
                UsePgRewind = instance.Settings.UsePgRewind,
                RemoveDataOnRewindFailure = instance.Settings.RemoveDataDirectoryOnRewindFailure,
                RemoveDataOnDivergedTimelines = instance.Settings.RemoveDataDirectoryOnDivergedTimelines,
                ReplicateFrom = tags.ReplicateFrom is { Length: > 0 } from ? new NodeName(from) : null,
            },
            Disks = disks,
            Report = report,
            BootstrapConfigJson = BootstrapConfig(),
            ExpectedPeers = configuration.Current.Raft.Partners.Length + 1,
            ShutdownRequested = shutdownRequested,
            Request = requests.Current,
            RequestTimeoutMs = requests.TimeoutMs,
            StartTimeoutMs = startTimeoutMs,
            CloneFromLeader = requests.CloneFromLeader,
            PostmasterStartUnixUs = PostmasterStart(seen),
            VacancyAtMs = applied.Clock.VacancyAtMs,
            WalArrivedAtMs = walArrived.AtMs,
        };
    }

    private static long PostmasterStart(Observation seen) =>
        seen.Status is { } status ? (status.PostmasterStartTime.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond : 0;

    private NodeName? UpstreamOf(ClusterState state, Observation seen)
    {
        if (upstreamIsKnown) return upstream;
        if (seen.Upstream is not { } sender) return null;
        foreach (Member member in state.Members.Values)
            if (member.Report.Host == sender.Host && member.Report.Port == sender.Port) return member.Name;
        // Of no member: from there it receives nothing that anybody knows of, but it is not detached.
        return new($"{sender.Host}:{sender.Port}");
    }

    private PromotionMark? Mark(Observation seen)
    {
        if (seen.Data is not PresentData data) return null;
        return PromotionMarker.Read(instance.Settings.DataDir, Self, data.Incarnation) switch
        {
            PromotionMarkerState.Own own => new(own.Marker.Epoch, own.Marker.TimelineBefore),
            // Unreadable: treated as a promotion outside the lineage, hence older than any record.
            PromotionMarkerState.Damaged => new(Epoch.None, default),
            _ => null,
        };
    }

    private void Keep(NodeView view, long now)
    {
        if (NodeDecisions.IsNameTaken(view)) return;
        if (view.State.Peers.TryGetValue(Self, out Peer? known) ? known != OwnPeer() : stateIsCurrent) Post(new RegisterPeer(OwnPeer()));
        if (Upkeep.Renewal(view, upkeep) is { } renewal)
        {
            upkeep = upkeep with { RenewedAtMs = now, RenewedEpoch = renewal.Epoch };
            // The capture precedes the proposal (lease rule 1); it is this turn's clock, which is older still.
            // What it may cut short is told to the fence before it is sent.
            Post(renewal, id => Hold(keeper.Capture(id, now, renewal), required: true));
        }
        if (Upkeep.Touch(view, upkeep) is { } touch && Post(touch)) upkeep = upkeep with { TouchedAtMs = now };
        if (Upkeep.OverRestart(view) is { } over) Post(over);
        if (Upkeep.Fenced(view) is { } fenced) Post(fenced);
        else if (view.Fenced is { } told && view.State.RecordsFence(Self, told.AtUnixMs)) guard.Forget(told);
        if (Upkeep.Claim(view, upkeep) is { } claim && Post(claim)) upkeep = upkeep with { ClaimedAtMs = now };
    }

    private Peer OwnPeer() => new(Self, RaftAddress.Format(raft.SelfEndPoint), configuration.Current.RestApi.Url, PeerKind.Data);

    private bool Post(Command command, Func<CommandId, bool>? beforeProposal = null) =>
        proposer.Post(command, TimeSpan.FromMilliseconds(cluster.Current.State.Settings.RetryTimeoutMs), beforeProposal, Wake);

    private void Remember(Decision decided, NodeView view)
    {
        bool trouble = decided.Rule.StartsWith("data.", StringComparison.Ordinal) || decided.Rule.StartsWith("rejoin.", StringComparison.Ordinal)
            || decided.Rule is "pause.parallel-primary" or "pause.diverged" or "resume.holder-unreachable" or "follow.start-failed" or "follow.unrecorded" or "follow.detach-first" or "follow.clone-failed" or "follow.repoint-failed";
        note = trouble ? decided.Reason : view.Running is null ? "" : note;
        if (decided.Rule == lastRule) return;
        lastRule = decided.Rule;
        LogDecision(decided.Reason, decided.Rule);
    }

    private TimeSpan NextPause(AppliedCluster applied, NodeView view, long now)
    {
        DynamicConfiguration settings = applied.State.Settings;
        long due = now + Math.Min(settings.LoopWaitMs, settings.RenewalIntervalMs);
        if (applied.State.Leader == Self) due = Math.Min(due, upkeep.RenewedAtMs + settings.RenewalIntervalMs);
        FailsafePromise? promise = promises.Current(applied.State, now);
        if (raft.IsLeader) due = Math.Min(due, CoordinatorDecisions.NextDueMs(applied.State, applied.Clock, now, startedMs, promise));
        if (promise is not null) due = Math.Min(due, promise.UntilMs);
        if (FailsafeRules.RoundDueMs(view, failsafe) is var round && round > now) due = Math.Min(due, round);
        if (dataProbe.Latest.IsLate(now) || raftProbe.Latest.IsLate(now)) due = Math.Min(due, now + DiskHealth.SecondLookMs);
        if (keeper.Held is { Unbounded: false } held && held.FenceStartMs > now) due = Math.Min(due, held.FenceStartMs);
        // The last moment at which the watchdog may be kept alive: the machine then has until the very end of the lease.
        if (keeper.Held is { Unbounded: false } lease && watchdog.LastKeepAliveMs(lease) is { } last && last > now) due = Math.Min(due, last);
        if (applied.State.Failover?.ScheduledAtUnixMs is { } at)
            due = Math.Min(due, now + Math.Max(10, at - DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()));
        if (applied.State.Members.TryGetValue(Self, out Member? self) && self.ScheduledRestart is { } scheduled)
            due = Math.Min(due, now + Math.Max(10, scheduled.AtUnixMs - DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()));
        return TimeSpan.FromMilliseconds(Math.Clamp(due - now, 5, 60_000));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The lease is not shortened: the guard does not know of it ({Problem})")]
    private partial void LogUnconfirmed(string problem);

    private string BootstrapConfig() => configuration.Current.Bootstrap.DynamicJson;

    [LoggerMessage(Level = LogLevel.Information, Message = "{Reason} [{Rule}]")]
    private partial void LogDecision(string reason, string rule);
}
