using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

internal sealed partial class SimNode
{
    private readonly Dictionary<CommandId, long> sentAt = [];
    private long frozenUntil;
    private long watchedSince;
    private long hostFrozenUntil;
    private long thawedAt = long.MinValue / 2;
    /// <summary>The guard's arming, by declared intent; outlives the agent where there is a guard.</summary>
    private bool guardArmed;
    private bool guardIsDown;
    private long? deadlineTrueMs;
    private bool hadNoEnd;

    /// <summary>Whether the agent is stopped (SIGSTOP), alone or with its host.</summary>
    public bool IsFrozen => world.Now < frozenUntil;

    /// <summary>Whether the whole host stands still: nothing on it runs, and its clock goes on.</summary>
    public bool HostIsFrozen => world.Now < hostFrozenUntil;

    /// <summary>Whether an agent has watched the instance without a break for long enough to end what was under way before.</summary>
    public bool IsWatched => AgentUp && !IsFrozen && world.Now - watchedSince > 5000;

    /// <summary>Whether a fault may strike the agent alone: something else fences.</summary>
    public bool IsGuarded => world.Options.Guard && !guardIsDown;

    /// <summary>
    /// The limit of every fence that runs on the host that it fences: after a thaw PostgreSQL may run before the guard does. The kill budget is what the
    /// guard gets; then it must have struck.
    /// </summary>
    public bool JustThawed => world.Now - thawedAt <= LeaseTimings.KillBudgetMs;

    /// <summary>When the proof that PostgreSQL was last told of ends, on true time; null when it has no end or there never was one.</summary>
    public long? DeadlineTrueMs => hadNoEnd ? null : deadlineTrueMs;

    public void Freeze(long forMs)
    {
        watchedSince = frozenUntil = Math.Max(frozenUntil, world.Now + forMs);
        world.After(forMs, Wake);
    }

    public void FreezeHost(long forMs)
    {
        Freeze(forMs);
        hostFrozenUntil = world.Now + forMs;
        long until = hostFrozenUntil;
        world.After(forMs, () =>
        {
            if (hostFrozenUntil == until) thawedAt = world.Now;
        });
    }

    /// <summary>Does it when the agent runs; a stopped agent does it when it goes on. Never for a later life.</summary>
    private void WhenAwake(Action action)
    {
        if (!IsFrozen)
        {
            action();
            return;
        }
        int life = Life;
        world.At(frozenUntil + world.Rng.Between(0, 5), () =>
        {
            if (AgentUp && Life == life) WhenAwake(action);
        });
    }

    public void Thaw()
    {
        if (HostIsFrozen) thawedAt = world.Now;
        watchedSince = frozenUntil = hostFrozenUntil = world.Now;
        Wake();
    }

    public void Awake(Action action) => WhenAwake(action);

    public long Now => world.Now;

    /// <summary>The guard dies. The agent notices at once and starts another, which knows nothing but what the agent tells it.</summary>
    public void KillGuard()
    {
        guardIsDown = true;
        int life = Life;
        world.After(world.Rng.Between(1, 60), () => WhenAwake(() =>
        {
            if (!AgentUp || Life != life || Is(Mutation.GuardNotRestored)) return;
            guardIsDown = false;
            guardArmed = mayBeWritable;
            world.Trace.Add(world.Now, Name.Value, "the guard is restored");
        }));
    }

    /// <summary>The guard fences at the deadline it was told, whether the agent lives or not.</summary>
    public void GuardTick()
    {
        if (!IsGuarded || !guardArmed || !Pg.HasProcesses) return;
        if (leaseFile is { } file && file.Lease.Permits(Local)) return;
        world.Trace.Add(world.Now, Name.Value, "the guard fences");
        Pg.Kill();
        guardArmed = false;
    }

    /// <summary>The guard and the agent's own watch learn of a proof, or of its end, before anything relies on it.</summary>
    private void TellFence(HeldLease? held)
    {
        leaseFile = held is null ? null : (held, Clock.BootId);
        hadNoEnd = held is { Unbounded: true };
        if (held is not null) deadlineTrueMs = Clock.TrueAt(held.DeadlineMs);
        // An adoption that came to nothing leaves people with their PostgreSQL.
        else if (State.SystemIdentifier == 0) deadlineTrueMs = null;
    }

    /// <summary>What <c>/primary</c> answers now, from the agent's last knowledge.</summary>
    public bool AnswersAsPrimary =>
        AgentUp && !IsFrozen && HasPostgres && Pg.State == Processes.Primary && State.Leadership is Led { Lease: var lease } && EffectiveHeld is { } held
        && (Is(Mutation.PrimaryAnsweredPastDeadline) ? lease.Holder == Name : HeldLease.AnswersAsLeader(State, Name, held.Epoch, held.FenceStartMs, Local));

    /// <summary>Notes a sending of a renewal; only the mutation that captures anew looks at it.</summary>
    public void Sent(CommandId id) => sentAt[id] = Local;

    /// <summary>The state as the coordinator sees it.</summary>
    private ClusterState SeenByCoordinator =>
        Is(Mutation.UnboundedLeaseExpired) && State.Lease is { Unbounded: true } lease ? State with { Leadership = AbstractLog.Replace(State.Leadership, lease with { Unbounded = false }) } : State;

    /// <summary>Under which leadership, and of which data, pg_rewind said too early that there is nothing to do.</summary>
    private (Epoch Epoch, Incarnation Data) believed;

    /// <summary>The state as the node's decisions see it.</summary>
    private ClusterState Seen => Is(Mutation.RewindBeforeCheckpoint) && State.Leadership is Led led && led.Lease.Holder != Name ? WithEarlyRewind(led) : State;

    /// <summary>pg_rewind need not wait for the checkpoint, and its answer is believed: what it left as it is was not left behind at the fork.</summary>
    private ClusterState WithEarlyRewind(Led led)
    {
        Promotion promotion = led.Promotion;
        bool believes = Pg.HasData && believed == (led.Lease.Epoch, Pg.Incarnation) && promotion.ParentTimeline.IsKnown;
        Promotion seen = believes ? promotion with { ForkLsn = new(ulong.MaxValue) } : promotion;
        return State with { Leadership = led with { Checkpointed = true, Promotion = seen }, Lineage = State.Lineage.Replace(promotion, seen) };
    }

    /// <summary>The operator emptied the Raft directory, or the group goes on from the log of another node.</summary>
    public void ForgetLog()
    {
        KillAgent();
        Pg.Kill();
        guardArmed = false;
        leaseFile = null;
        Applied = 0;
        State = ClusterState.Empty;
    }
}
