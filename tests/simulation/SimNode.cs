using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

/// <summary>
/// One host: its clock, its agent and its instance. The agent is the real core in the loop that the product runs: a view, upkeep, the
/// coordinator's decisions, the node's decision, effects.
/// </summary>
internal sealed partial class SimNode
{
    private readonly World world;
    private readonly HashSet<Command> inFlight = [];
    private LeaseKeeper keeper = LeaseKeeper.Empty;
    private UpkeepMemory upkeep = UpkeepMemory.Empty;
    private ApplyClock notes = ApplyClock.Empty;
    private ActionResult? lastAction;
    private Job? job;
    private bool fencing;
    private bool mayBeWritable;
    private bool turnDue;
    private int timer;
    private long startedMs;
    private ulong proposer;
    private ulong sequence;
    private bool replaysItself;
    private CommandId countedRenewal;
    private (Lsn Lsn, long AtMs) walArrived;
    private HeldLease? lateHeld;

    /// <summary>On tmpfs: outlives the agent, not the boot.</summary>
    private (HeldLease Lease, long BootId)? leaseFile;

    public SimNode(World world, NodeName name, PeerKind kind)
    {
        this.world = world;
        Name = name;
        Kind = kind;
        Pg = new(world, this);
        double rate = world.Rng.Between(0, 3) switch
        {
            0 => 1 - VirtualClock.MaxDrift,
            1 => 1 + VirtualClock.MaxDrift,
            _ => 1 + (VirtualClock.MaxDrift * ((2 * world.Rng.Fraction()) - 1)),
        };
        Clock = new(rate, 0, world.Rng.Between(5_000, 50_000_000));
        Traits = new()
        {
            FailoverPriority = world.Rng.Chance(0.1) ? world.Rng.Between(1, 3) : 1,
            UsePgRewind = !world.Rng.Chance(0.15),
            RemoveDataOnRewindFailure = world.Rng.Chance(0.3),
            RemoveDataOnDivergedTimelines = world.Rng.Chance(0.6),
        };
    }

    public NodeName Name { get; }
    public PeerKind Kind { get; }
    public bool HasPostgres => Kind == PeerKind.Data;
    public PgModel Pg { get; }
    public VirtualClock Clock { get; }
    public NodeTraits Traits { get; }

    public bool HostUp { get; private set; } = true;
    public bool AgentUp { get; private set; }
    public int Life { get; private set; }
    /// <summary>Side of a partition; 0 is where the group may have its quorum.</summary>
    public int Group { get; set; }
    public bool CanSend { get; set; } = true;
    public bool CannotReceive { get; set; }
    public long SlowApplyUntil { get; set; }
    public bool BelievesToLead { get; set; }
    public long BarrierAt { get; set; } = -1;
    public bool StateIsCurrent { get; private set; }
    public int Applied { get; private set; }
    public ClusterState State { get; private set; } = ClusterState.Empty;
    public bool ShutdownRequested { get; set; }
    public NodeRequest Request { get; set; }
    public Decision? LastDecision { get; private set; }
    public NodeName? SynchronousStandby { get; private set; }

    /// <summary>Whether only its Raft port is cut off.</summary>
    public bool RaftCut { get; set; }
    /// <summary>Off from true time: only schedules look at the wall clock.</summary>
    public long WallClockJumpMs { get; set; }

    /// <summary>Whether messages of the Raft group reach it, and its own the group.</summary>
    public bool InGroup => Group == 0 && !RaftCut && HostUp && !IsFrozen;
    public bool IsConnected => AgentUp && InGroup && CanSend && !CannotReceive;

    /// <summary>The lease proof in force on this host, in the agent or left behind for the guard.</summary>
    public HeldLease? Held => AgentUp ? EffectiveHeld : leaseFile is { } file && file.BootId == Clock.BootId ? file.Lease : null;

    private long Local => Clock.Local(world.Now);

    private HeldLease? EffectiveHeld => Late(Stretched(keeper.Held));

    /// <summary>The proof with the deadline of a clock that was read too late.</summary>
    private HeldLease? Late(HeldLease? held) =>
        held is not null && lateHeld is { } late && late.Epoch == held.Epoch && late.DeadlineMs > held.DeadlineMs ? held with { DeadlineMs = late.DeadlineMs } : held;

    private bool Is(Mutation mutation) => world.Options.Mutation == mutation;

    public void StartAgent()
    {
        if (AgentUp || !HostUp) return;
        AgentUp = true;
        Life++;
        keeper = LeaseKeeper.Empty;
        upkeep = UpkeepMemory.Empty;
        notes = ApplyClock.Empty;
        lastAction = null;
        job = null;
        fencing = false;
        turnDue = false;
        inFlight.Clear();
        BelievesToLead = false;
        ShutdownRequested = false;
        Request = NodeRequest.None;
        StateIsCurrent = false;
        BarrierAt = -1;
        LastDecision = null;
        proposer = world.Rng.Next() >> 1;
        sequence = 0;
        startedMs = Local;
        additionAt = long.MinValue;
        walArrived = default;
        provenUnder = default;
        frozenUntil = 0;
        watchedSince = world.Now;
        StartFailsafe();
        if (leaseFile is { } file && file.BootId == Clock.BootId) keeper = keeper.Restore(file.Lease);
        // What runs and is not known to be a standby may be writable; with a guard its arming says so.
        bool theirs = Pg.IsByHand && keeper.Held is null;
        mayBeWritable = guardArmed || (Pg.HasProcesses && Pg.State != Processes.Standby && !theirs);
        Recover();
        world.Trace.Add(world.Now, Name.Value, $"agent starts at entry {Applied}");
        Wake();
    }

    /// <summary>The applied state after a restart: the last snapshot; the log is replayed from there once a leader says how far it is committed.</summary>
    private void Recover()
    {
        if (Applied > 0) Applied = world.Rng.Between(0, Applied);
        State = world.Log.StateAt(Applied);
        replaysItself = world.Rng.Chance(0.3) && !world.Options.BreaksApply;
        if (replaysItself && Applied > 0) State = SnapshotCodec.Decode(SnapshotCodec.Encode(State));
        if (Applied > 0) notes = notes.Observe(State, Local);
    }

    public void KillAgent()
    {
        if (!AgentUp) return;
        AgentUp = false;
        BelievesToLead = false;
        Life++;
        world.Trace.Add(world.Now, Name.Value, "agent dies");
        if (world.Log.Leader == this) world.Log.DropLeader();
    }

    public void CrashHost()
    {
        KillAgent();
        HostUp = false;
        Pg.Kill();
        guardArmed = false;
        hostFrozenUntil = 0;
        world.Trace.Add(world.Now, Name.Value, "host crashes");
    }

    public void Reboot()
    {
        if (HostUp) return;
        HostUp = true;
        Clock.Reboot(world.Now);
        leaseFile = null;
        StartAgent();
    }

    /// <summary>Entries arrived; a stopped agent takes them when it goes on.</summary>
    public void Receive(int count) => WhenAwake(() => Deliver(count));

    /// <summary>Brings the applied state up to an entry, one by one or by a snapshot that skips them.</summary>
    public void Deliver(int count)
    {
        if (count <= Applied || count > world.Log.Entries.Count) return;
        bool bySnapshot = count - Applied > 1 && world.Rng.Chance(count - Applied > 20 ? 0.5 : 0.05);
        if (bySnapshot)
        {
            State = world.Log.StateAt(count);
            if (replaysItself) State = SnapshotCodec.Decode(SnapshotCodec.Encode(State));
            Applied = count;
            notes = notes.Observe(State, Local);
        }
        while (Applied < count) ApplyNext();
        PassBarrier();
        Wake();
    }

    private void ApplyNext()
    {
        LogEntry entry = world.Log.Entries[Applied];
        State = replaysItself ? ClusterStateMachine.Apply(State, entry.Envelope, entry.Index).State : entry.Result.State;
        Applied++;
        notes = notes.Observe(State, Local);
        if (replaysItself && Applied % 200 == 0) world.Oracle.CheckSame(State, Applied, $"node {Name}");
    }

    public void PassBarrier()
    {
        if (StateIsCurrent || BarrierAt < 0 || Applied < BarrierAt) return;
        StateIsCurrent = true;
        Wake();
    }

    public void Wake()
    {
        if (!AgentUp || turnDue) return;
        turnDue = true;
        int life = Life;
        world.After(world.Rng.Between(0, 3), () => WhenAwake(() =>
        {
            turnDue = false;
            if (AgentUp && Life == life) Turn();
            else if (AgentUp) Wake();
        }));
    }

    private void Turn()
    {
        long now = Local;
        ObserveLease();
        ObservePromises();
        ObserveWritability();
        if (BelievesToLead)
        {
            foreach (CoordinatorDecision decision in CoordinatorDecisions.Decide(Name, SeenByCoordinator, notes, now, startedMs, Promise(now))) Post(decision.Command);
        }
        if (!State.Peers.ContainsKey(Name) && StateIsCurrent) Post(new RegisterPeer(new(Name, $"{Name}:7000", $"http://{Name}:8008", Kind)));
        if (HasPostgres) TurnOfData(now);
        ArmTimer(now);
    }

    private void TurnOfData(long now)
    {
        NodeView view = View(now);
        Keep(view, now);
        KeepFailsafe(view, now);
        KeepSynchronousSet(view);
        // A fence is one blocking call in the agent; only what is under way goes on beside it.
        if (fencing) return;
        Decision decision = NodeDecisions.Decide(view);
        if (decision.Rule != LastDecision?.Rule) world.Trace.Add(world.Now, Name.Value, $"[{decision.Rule}] {decision.Reason}");
        LastDecision = decision;
        foreach (Effect effect in decision.Effects) Execute(effect, view);
    }

    private void ObserveLease()
    {
        if (!StateIsCurrent) return;
        HeldLease? before = EffectiveHeld;
        keeper = keeper.Observe(Name, State);
        if (State.Lease is { } lease && lease.Holder == Name && lease.RenewedBy != countedRenewal && lease.OwnRenewal)
        {
            countedRenewal = lease.RenewedBy;
            long captured = Is(Mutation.RetryWithNewCapture) && sentAt.TryGetValue(lease.RenewedBy, out long sent) ? sent : Local;
            if (Is(Mutation.CaptureAfterAccept) || Is(Mutation.RetryWithNewCapture))
                lateHeld = new(lease.Epoch, captured + lease.TtlMs - LeaseTimings.DriftMarginMs(lease.TtlMs), lease.Unbounded);
        }
        if (keeper.Held is null) lateHeld = null;
        HeldLease? after = EffectiveHeld;
        if (after == before) return;
        TellFence(after);
        if (after is null)
        {
            world.Trace.Add(world.Now, Name.Value, "holds no lease any more");
            return;
        }
        if (before?.Epoch != after.Epoch) world.Trace.Add(world.Now, Name.Value, $"may write under epoch {after.Epoch}");
        if (State.Lease is { } current) world.Oracle.LeaseHeld(this, after, current.TtlMs, current.RenewedBy);
    }

    private HeldLease? Stretched(HeldLease? held) => held is null || State.Lease is not { } lease ? held : world.Options.Mutation switch
    {
        Mutation.NoDriftMargin => held with { DeadlineMs = held.DeadlineMs + LeaseTimings.DriftMarginMs(lease.TtlMs) },
        Mutation.NoKillBudget => held with { DeadlineMs = held.DeadlineMs + LeaseTimings.KillBudgetMs },
        _ => held,
    };

    private void ObserveWritability()
    {
        if (Pg.Server(0) is StandbyServer { IsStreaming: true } standby && standby.EndOfWal > walArrived.Lsn) walArrived = (standby.EndOfWal, Local);
        if (job is not null || fencing) return;
        bool stranger = StateIsCurrent && keeper.Held is null && Pg.State == Processes.Primary && NodeDecisions.IsStranger(State, Pg.Data());
        if (Pg.Server(0) is ServerStopped || stranger) SetMayBeWritable(false);
        else if (Pg.State == Processes.Primary && !Pg.IsHung && (StateIsCurrent || !Pg.IsByHand) && !(State.Settings.Pause && State.Leader != Name)) SetMayBeWritable(true);
    }

    private void SetMayBeWritable(bool value)
    {
        mayBeWritable = value;
        guardArmed = value;
    }

    private NodeView View(long now) => new()
    {
        Self = Name,
        NowMs = now,
        UnixNowMs = world.Now + 1_700_000_000_000 + WallClockJumpMs,
        State = Seen,
        StateIsCurrent = StateIsCurrent,
        Lease = EffectiveHeld,
        RenewedEpoch = keeper.RenewedEpoch,
        Released = keeper.Released,
        Promise = Promise(now),
        Data = Pg.Data(),
        Server = Pg.Server(Clock.Local(Pg.SinceMs)),
        MayBeWritable = mayBeWritable,
        Running = job?.Kind,
        LastAction = lastAction,
        Mark = Pg.HasData && !Is(Mutation.MarkerCheckOff) ? Pg.Mark : null,
        Followed = Pg.HasData && !Is(Mutation.FollowMarkOff) ? Pg.Followed : null,
        Traits = Traits,
        Report = Report(),
        BootstrapConfigJson = world.Options.BootstrapConfigJson,
        ExpectedPeers = world.Nodes.Count,
        ShutdownRequested = ShutdownRequested,
        Request = Request,
        PostmasterStartUnixUs = Pg.Server(0) is PrimaryServer or StandbyServer ? Pg.Life + 1 : 0,
        VacancyAtMs = notes.VacancyAtMs,
        WalArrivedAtMs = walArrived.AtMs,
    };

    private MemberReport Report()
    {
        ServerView server = Pg.Server(0);
        return new()
        {
            FeatureLevel = ClusterStateMachine.SupportedFeatureLevel,
            ApiUrl = Name.Value,
            Host = Name.Value,
            Port = 5432,
            Incarnation = Pg.HasData ? Pg.Incarnation : default,
            SystemIdentifier = Pg.HasData ? Pg.SystemIdentifier : 0,
            State = server switch
            {
                PrimaryServer or StandbyServer or ServerUnresponsive => PostgresState.Running,
                ServerStarting => PostgresState.Starting,
                ServerRemnants => PostgresState.Stopping,
                _ => Pg.HasData ? PostgresState.Stopped : PostgresState.Uninitialized,
            },
            Role = server switch
            {
                PrimaryServer => PostgresRole.Primary,
                StandbyServer => PostgresRole.Replica,
                _ => Pg.Data() is PresentData data ? data.IsStandby ? PostgresRole.Replica : PostgresRole.Primary : PostgresRole.Uninitialized,
            },
            Timeline = server switch { PrimaryServer p => p.Timeline, StandbyServer s => s.Timeline, _ => (Pg.Data() as PresentData)?.Timeline ?? default },
            WriteLsn = server is PrimaryServer primary ? primary.WriteLsn : default,
            ReceiveLsn = server is StandbyServer standby ? standby.EndOfWal : default,
            ReplayLsn = server is StandbyServer replaying ? replaying.ReplayLsn : default,
            ReplicationState = server is StandbyServer { IsStreaming: true } && NodeDecisions.IsOfKnownOrigin(State, Pg.Followed, Pg.Data(), server) ? "streaming" : "",
        };
    }

    private void Keep(NodeView view, long now)
    {
        if (Upkeep.Renewal(view, upkeep) is { } renewal && Post(renewal, id => Capture(id, now, renewal)))
            upkeep = upkeep with { RenewedAtMs = now, RenewedEpoch = renewal.Epoch };
        if (Upkeep.Touch(view, upkeep) is { } touch && Post(touch)) upkeep = upkeep with { TouchedAtMs = now };
        if (Upkeep.OverRestart(view) is { } over) Post(over);
        if (Upkeep.Claim(view, upkeep) is { } claim && Post(claim)) upkeep = upkeep with { ClaimedAtMs = now };
    }

    private void GiveUp(ReleaseLeader release)
    {
        world.Oracle.CheckNoProcesses(this, "leadership is about to be released");
        keeper = keeper.GiveUp(release);
        TellFence(null);
        world.Nemesis.Moment(this, "a release");
    }

    /// <summary>What the capture cuts is told to the guard before the renewal is sent.</summary>
    private void Capture(CommandId id, long now, RenewLeader renewal)
    {
        keeper = keeper.Capture(id, now, renewal);
        TellFence(EffectiveHeld);
    }

    private CommandId NextId() => new(proposer, ++sequence);

    /// <summary>Proposes unless an equal command is under way; what came of it is read from the state.</summary>
    public bool Post(Command command, Action<CommandId>? before = null)
    {
        if (!AgentUp || IsFrozen || command is StandForElection { Vacancy: var vacancy } && !TryStand(vacancy) || !inFlight.Add(command)) return false;
        CommandId id = NextId();
        before?.Invoke(id);
        if (command is StandForElection stand) world.Oracle.Standing(this, id, stand);
        if (command is ReleaseLeader release) GiveUp(release);
        world.Log.Propose(this, new(id, world.Now, command), State.Settings.RetryTimeoutMs, outcome =>
        {
            // A refusal would only be repeated until the state moves; the pause keeps a decision that has not seen it yet from asking in a circle.
            int life = Life;
            world.After(outcome is { IsAccepted: true } ? 0 : 200, () => WhenAwake(() =>
            {
                if (Life != life) return;
                inFlight.Remove(command);
                Wake();
            }));
        });
        if (command is StandForElection) world.Nemesis.Stood(this);
        return true;
    }

    private void ArmTimer(long now)
    {
        DynamicConfiguration settings = State.Settings;
        long due = now + Math.Min(settings.LoopWaitMs, settings.RenewalIntervalMs);
        if (BelievesToLead) due = Math.Min(due, CoordinatorDecisions.NextDueMs(State, notes, now, startedMs, Promise(now)));
        if (Promise(now) is { } promised) due = Math.Min(due, promised.UntilMs);
        if (roundDueMs > now) due = Math.Min(due, roundDueMs);
        if (State.Leader == Name) due = Math.Min(due, Math.Max(now + 5, upkeep.RenewedAtMs + settings.RenewalIntervalMs));
        if (EffectiveHeld is { Unbounded: false } held && held.FenceStartMs > now) due = Math.Min(due, held.FenceStartMs);
        int mine = ++timer;
        int life = Life;
        world.At(Clock.TrueAt(due), () => WhenAwake(() =>
        {
            if (AgentUp && Life == life && timer == mine) Turn();
        }));
    }

    public override string ToString() =>
        $"{Name}: host {(HostUp ? "up" : "DOWN")}, agent {(AgentUp ? IsFrozen ? "STOPPED" : "up" : "DOWN")}, {Pg.State}{(Pg.IsHung ? " (hung)" : "")}, data {(Pg.HasData ? $"{Pg.Wal} {Pg.Control} incarnation {Pg.Incarnation}" : Pg.Special)}, "
        + $"upstream {Pg.Upstream}, may be writable {mayBeWritable}, running {job?.Kind.ToString() ?? "-"}, applied {Applied}/{world.Log.Entries.Count}, last [{LastDecision?.Rule}] {LastDecision?.Reason}";
}
