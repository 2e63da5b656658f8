using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

/// <summary>What lives of an instance.</summary>
internal enum Processes
{
    None,
    /// <summary>A postmaster in recovery that does not accept connections yet.</summary>
    Starting,
    Standby,
    Primary,
    /// <summary>A postmaster that shuts down; backends of a primary may still commit.</summary>
    Stopping,
    /// <summary>Backends that outlived their postmaster.</summary>
    Orphans,
}

/// <summary>What the control file speaks of.</summary>
internal enum ControlState
{
    ShutDown,
    InProduction,
    InRecovery,
    ShutDownInRecovery,
}

/// <summary>
/// One instance: its directory, which survives everything but a wipe, and its processes. Commits are records that are flushed at once; what a
/// crash may take is a standby's knowledge of how far its own WAL goes, and the position that the control file speaks of.
/// </summary>
internal sealed class PgModel(World world, SimNode node)
{
    public DataView? Special { get; set; } = new NoData();
    public Incarnation Incarnation { get; set; }
    public ulong SystemIdentifier { get; set; }
    public Wal Wal { get; set; }
    public ControlState Control { get; set; }
    public long CheckpointAt { get; set; }
    public TimelineId CheckpointTimeline { get; set; }
    public long MinRecovery { get; set; }
    public TimelineId MinRecoveryTimeline { get; set; }
    public bool StandbySignal { get; set; }
    public PromotionMark? Mark { get; set; }
    public FollowMark? Followed { get; set; }
    /// <summary>Whether nobody has started it since it was initialized.</summary>
    public bool IsUnused { get; private set; }
    public NodeName? Upstream { get; set; }

    public Processes State { get; private set; }
    /// <summary>Changes with every postmaster, so that nothing ordered of a former one reaches a later one.</summary>
    public int Life { get; private set; }
    public bool WasWritable { get; private set; }
    public long SinceMs { get; private set; }
    public long ReadyAt { get; private set; }
    public long HungUntil { get; set; }
    public long SlowUntil { get; set; }
    public long OrphansUntil { get; private set; }
    public long PromoteAt { get; set; } = long.MaxValue;
    public long Replayed { get; private set; }
    public bool EndIsKnown { get; private set; }
    public bool IsStreaming { get; private set; }
    public int OrphanCount { get; private set; }

    public bool HasData => Special is null;
    public bool HasProcesses => State != Processes.None;
    public bool IsHung => world.Now < HungUntil && State is Processes.Standby or Processes.Primary or Processes.Stopping;
    /// <summary>Whether something of it can commit. A hung one can: it may go on at any instant.</summary>
    public bool IsWritable => State == Processes.Primary || (WasWritable && State is Processes.Stopping or Processes.Orphans);

    public void Create(ulong systemIdentifier)
    {
        Branch first = world.NewBranch(new(1), node.Name, null, 0);
        first.End = 2;
        Adopt(Wal.Of(first, 2), systemIdentifier);
        Control = ControlState.ShutDown;
        CheckpointAt = 1;
        CheckpointTimeline = new(1);
        MinRecovery = 0;
        StandbySignal = false;
        IsUnused = true;
    }

    /// <summary>Takes content from elsewhere: a new life of the directory.</summary>
    public void Adopt(Wal wal, ulong systemIdentifier)
    {
        Special = null;
        Incarnation = new(world.Rng.Next() | 1);
        SystemIdentifier = systemIdentifier;
        Wal = wal;
        Mark = null;
        Followed = null;
        IsUnused = false;
        StandbySignal = true;
        Control = ControlState.InRecovery;
        CheckpointAt = Math.Max(0, wal.Length - 1);
        CheckpointTimeline = wal.Timeline;
        MinRecovery = wal.Length;
        MinRecoveryTimeline = wal.Timeline;
    }

    /// <summary>Whether the processes that run are people's, and no agent has made them its own.</summary>
    public bool IsByHand { get; set; }

    /// <summary>People start it.</summary>
    public void RunByHand(bool asPrimary, NodeName? upstream)
    {
        Launch(asPrimary, upstream);
        IsByHand = true;
    }

    public bool Launch(bool asPrimary, NodeName? upstream)
    {
        if (HasProcesses || !HasData) return false;
        IsByHand = false;
        IsUnused = false;
        StandbySignal = !asPrimary;
        Upstream = asPrimary ? null : upstream;
        bool crashed = Control is ControlState.InProduction;
        Enter(Processes.Starting);
        Life++;
        WasWritable = false;
        PromoteAt = long.MaxValue;
        HungUntil = 0;
        ReadyAt = world.Now + world.Rng.Between(20, 250) + (crashed ? world.Rng.Between(0, 1500) : 0);
        // Crash recovery reads all local WAL before anything else; a standby opens at its minimum recovery point, maybe far behind it.
        Replayed = asPrimary || crashed ? Wal.Length : Math.Min(Wal.Length, Math.Max(MinRecovery, Wal.Length - world.Rng.Between(0, 30)));
        EndIsKnown = false;
        IsStreaming = false;
        return true;
    }

    private void Enter(Processes next)
    {
        if (State == next) return;
        State = next;
        SinceMs = world.Now;
        node.Wake();
    }

    /// <summary>One step of what PostgreSQL does by itself.</summary>
    public void Tick()
    {
        switch (State)
        {
            case Processes.Starting when world.Now >= ReadyAt:
                Ready();
                break;
            case Processes.Orphans when world.Now >= OrphansUntil:
                Gone();
                break;
            case Processes.Orphans when WasWritable && world.Rng.Chance(0.3):
                Append("an orphan commits");
                break;
            case Processes.Stopping when WasWritable && !IsHung && world.Rng.Chance(0.1):
                Append(null);
                break;
            case Processes.Primary when !IsHung && world.Rng.Chance(world.WriteRate):
                Append(null);
                break;
            case Processes.Standby when !IsHung:
                TickStandby();
                break;
        }
    }

    private void Ready()
    {
        if (StandbySignal)
        {
            Control = ControlState.InRecovery;
            Enter(Processes.Standby);
            world.Trace.Add(world.Now, node.Name.Value, $"PostgreSQL accepts connections as standby, {Wal}, replayed {Wal.LsnOf(Replayed)}");
            return;
        }
        BecomePrimary(Wal.Timeline, "starts as primary");
        if (Control is ControlState.ShutDown or ControlState.InProduction) Checkpoint();
        Control = ControlState.InProduction;
    }

    private void TickStandby()
    {
        if (world.Now >= PromoteAt)
        {
            Promote();
            return;
        }
        bool slow = world.Now < SlowUntil;
        if (Replayed < Wal.Length && !(slow && world.Rng.Chance(0.8))) Replayed = Math.Min(Wal.Length, Replayed + world.Rng.Between(1, EndIsKnown ? 20 : 6));
        if (Replayed == Wal.Length) EndIsKnown = true;
        bool was = IsStreaming;
        IsStreaming = EndIsKnown && Upstream is { } name && world.Stream(node, world.NodeOf(name), slow ? 1 : world.Rng.Between(1, 40));
        if (world.Rng.Chance(0.02)) (MinRecovery, MinRecoveryTimeline) = (Replayed, Wal.Of(Wal.Branch, Replayed).Timeline);
        if (was != IsStreaming) node.Wake();
    }

    /// <summary>Takes WAL from upstream; the caller checked that it is served.</summary>
    public void Receive(Wal upstream, long atMost) =>
        Wal = Wal.Of(upstream.Branch, Math.Min(upstream.Length, Math.Max(Wal.Length, Math.Min(upstream.Length, Wal.Length + atMost))));

    private void Promote()
    {
        PromoteAt = long.MaxValue;
        Replayed = Wal.Length;
        IsStreaming = false;
        StandbySignal = false;
        BecomePrimary(Wal.Timeline.Next, "is promoted");
        // An end-of-recovery record and no checkpoint: until there is one the control file's checkpoint is of the old timeline.
        Control = ControlState.InProduction;
        (MinRecovery, MinRecoveryTimeline) = (Wal.Length, Wal.Timeline);
        world.Nemesis.Promoted(node);
    }

    private void BecomePrimary(TimelineId timeline, string how)
    {
        bool goesOn = timeline == Wal.Timeline && Wal.Branch.Owner == node.Name && Wal.Branch.End == Wal.Length;
        if (!goesOn) Wal = new(world.NewBranch(timeline, node.Name, Wal.Branch, Wal.Length), Wal.Length);
        WasWritable = true;
        Enter(Processes.Primary);
        Append(null);
        world.Trace.Add(world.Now, node.Name.Value, $"PostgreSQL {how}: {Wal}");
        world.Oracle.CheckWriters();
    }

    public void Append(string? note)
    {
        Branch branch = Wal.Branch;
        branch.End++;
        Wal = new(branch, branch.End);
        if (note is not null) world.Trace.Add(world.Now, node.Name.Value, $"{note}: {Wal}");
        world.Oracle.CheckWriters();
        world.Commits.Written(node, Wal);
    }

    public void Checkpoint()
    {
        CheckpointAt = Wal.Length;
        Append(null);
        CheckpointTimeline = Wal.Timeline;
        MinRecovery = 0;
        MinRecoveryTimeline = default;
    }

    public void BeginStop() => Enter(Processes.Stopping);

    /// <summary>The end of a clean shutdown: standbys that stream get the shutdown checkpoint too.</summary>
    public void FinishStop()
    {
        if (WasWritable)
        {
            Checkpoint();
            Control = ControlState.ShutDown;
            world.StreamLast(node);
        }
        else
        {
            Control = ControlState.ShutDownInRecovery;
            (MinRecovery, MinRecoveryTimeline) = (Replayed, Wal.Of(Wal.Branch, Replayed).Timeline);
        }
        Gone();
    }

    /// <summary>Every process dies at once.</summary>
    public void Kill() => Gone();

    /// <summary>Only the postmaster dies; a primary's backends may stay, and commit.</summary>
    public void KillPostmaster(bool leavesOrphans)
    {
        if (State is Processes.None or Processes.Orphans) return;
        if (!leavesOrphans || State == Processes.Starting)
        {
            Gone();
            return;
        }
        OrphansUntil = world.Now + world.Rng.Between(20, 20_000);
        OrphanCount = world.Rng.Between(1, 5);
        IsStreaming = false;
        Life++;
        Enter(Processes.Orphans);
    }

    private void Gone()
    {
        if (State == Processes.None) return;
        WasWritable = false;
        IsStreaming = false;
        EndIsKnown = false;
        PromoteAt = long.MaxValue;
        Life++;
        Enter(Processes.None);
    }

    public DataView Data()
    {
        if (Special is { } special) return special;
        TimelineId timeline = MinRecoveryTimeline > CheckpointTimeline ? MinRecoveryTimeline : CheckpointTimeline;
        bool clean = !HasProcesses && Control is ControlState.ShutDown or ControlState.ShutDownInRecovery;
        bool standby = HasProcesses ? !WasWritable && StandbySignal : StandbySignal || Control is ControlState.InRecovery or ControlState.ShutDownInRecovery;
        return new PresentData(Incarnation, SystemIdentifier, timeline, standby, clean, Lsn.Max(Wal.LsnOf(CheckpointAt), MinRecovery > 0 ? Wal.LsnOf(MinRecovery) : default))
        {
            History = HistoryOf(timeline),
            IsUnused = IsUnused,
            NewestWal = Wal.Timeline,
        };
    }

    private System.Collections.Immutable.ImmutableArray<TimelineFork> HistoryOf(TimelineId timeline)
    {
        for (Branch? branch = Wal.Branch; branch is not null; branch = branch.Parent)
            if (branch.Timeline == timeline) return branch.History;
        return [];
    }

    public ServerView Server(long localSinceMs)
    {
        if (IsHung) return new ServerUnresponsive(localSinceMs);
        return State switch
        {
            Processes.None => new ServerStopped(),
            Processes.Orphans => world.Options.Mutation == Mutation.OrphansUnseen ? new ServerStopped() : new ServerRemnants(OrphanCount),
            Processes.Primary => new PrimaryServer(Wal.Timeline, Wal.End, CheckpointTimeline, Wal.LsnOf(CheckpointAt), Wal.Branch.History),
            Processes.Standby => Standby(EndIsKnown ? Wal : Wal.Of(Wal.Branch, Replayed)),
            _ => new ServerStarting(localSinceMs),
        };
    }

    private StandbyServer Standby(Wal seen) => new(seen.Timeline, KnownEnd(), Wal.LsnOf(Replayed), Upstream, IsStreaming, seen.Branch.History);

    private Lsn KnownEnd() =>
        EndIsKnown ? Wal.End : world.Options.Mutation == Mutation.StandWithUnknownEnd ? Wal.LsnOf(Replayed) : default;
}
