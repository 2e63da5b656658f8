using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

/// <summary>
/// Knows true time and every process, which no node does, and checks the invariants (a) to (j) of the architecture page at every step.
/// Shares no logic with the code under test.
/// </summary>
internal sealed class Oracle(World world)
{
    private readonly Dictionary<CommandId, Wal> endAtStand = [];
    private readonly Dictionary<CommandId, long> committedAt = [];
    private readonly Dictionary<long, int> restarted = [];
    private Epoch newest;
    private Branch? promotedTo;

    public int Elections { get; private set; }

    /// <summary>(a).</summary>
    public void CheckWriters()
    {
        SimNode? writer = null;
        foreach (SimNode node in world.Nodes)
        {
            if (!node.HasPostgres) continue;
            if (node.Pg.IsWritable && !node.HostIsFrozen)
            {
                if (writer is not null && (writer.JustThawed || node.JustThawed)) world.Thawed();
                else if (writer is not null)
                    throw new InvariantViolation("a", $"{writer.Name} ({writer.Pg.State}, {writer.Pg.Wal}) and {node.Name} ({node.Pg.State}, {node.Pg.Wal}) can both commit");
                writer = node;
            }
        }
    }

    /// <summary>
    /// (h): with a lease without end, or carried by promises, a node is alone: nobody else has a proof that permits to write. And (b): nothing writes and
    /// nothing says "primary" beyond the deadline.
    /// </summary>
    public void CheckHolders()
    {
        SimNode? special = null, answers = null;
        foreach (SimNode node in world.Nodes)
        {
            if (!node.HasPostgres || !node.HostUp || node.HostIsFrozen || node.JustThawed) continue;
            if (node.Pg.IsWritable && node.DeadlineTrueMs is { } deadline && world.Now > deadline)
                throw new InvariantViolation("b", $"{node.Name} is {node.Pg.State} at {world.Now} ms, after its deadline at {deadline} ms");
            if (node.Held is { Unbounded: true } or { ByPromises: true } && node.Pg.IsWritable && Permits(node))
            {
                if (special is not null) throw new InvariantViolation("h", $"{special.Name} ({special.Held}) and {node.Name} ({node.Held}) both write beyond renewals");
                special = node;
            }
            if (!node.AnswersAsPrimary) continue;
            if (node.Held is not { } held || world.Now > node.Clock.TrueAt(held.FenceStartMs) && !(held.Unbounded && node.Clock.Local(world.Now) < held.FenceStartMs))
                throw new InvariantViolation("b", $"{node.Name} answers /primary at {world.Now} ms, beyond {node.Held}");
            if (answers is not null) throw new InvariantViolation("a", $"{answers.Name} and {node.Name} both answer /primary");
            answers = node;
        }
        if (special is null) return;
        foreach (SimNode node in world.Nodes)
        {
            if (node == special || !node.HasPostgres || !node.HostUp || node.HostIsFrozen || !Permits(node)) continue;
            throw new InvariantViolation("h", $"{special.Name} writes by {special.Held}, and {node.Name} has acquired {node.Held}");
        }
    }

    private bool Permits(SimNode node) => node.Held is { } held && held.Permits(node.Clock.Local(world.Now));

    /// <summary>(h): everybody who could win by what is committed has promised, on disk, for longer than the deadline.</summary>
    public void Extended(SimNode node, HeldLease held)
    {
        if (!held.ByPromises) return;
        ClusterState state = world.Log.State;
        long deadline = node.Clock.TrueAt(held.DeadlineMs);
        foreach (SimNode other in world.Nodes)
        {
            if (other == node || !other.HasPostgres) continue;
            bool mayWin = state.FailsafeTopology.IsEmpty || state.FailsafeTopology.ContainsKey(other.Name);
            if (mayWin && other.PromisedUntilTrueMs(held.Epoch) < deadline)
                throw new InvariantViolation("h", $"{node.Name} goes on until {deadline} ms by promises, and {other.Name} promised until {other.PromisedUntilTrueMs(held.Epoch)} ms only");
        }
    }

    /// <summary>(b): a bounded deadline lies before the moment at which the fastest clock shows ttl since the renewal was committed.</summary>
    public void LeaseHeld(SimNode node, HeldLease held, long ttlMs, CommandId renewedBy)
    {
        if (held.Unbounded || held.ByPromises) return;
        long deadline = node.Clock.TrueAt(held.DeadlineMs);
        double earliestExpiry = committedAt[renewedBy] + (ttlMs / (1 + VirtualClock.MaxDrift));
        if (deadline > earliestExpiry)
            throw new InvariantViolation("b", $"{node.Name} may write until {deadline} ms (deadline, kill budget included), and its lease may be expired at {earliestExpiry:0} ms");
    }

    public void Standing(SimNode node, CommandId id, StandForElection stand)
    {
        if (stand.EndOfWal > node.Pg.Wal.End)
            throw new InvariantViolation("e", $"{node.Name} stands with {stand.EndOfWal} and has {node.Pg.Wal.End}");
        endAtStand[id] = node.Pg.Wal;
    }

    /// <summary>(c).</summary>
    public void CheckNoProcesses(SimNode node, string what)
    {
        if (node.Pg.HasProcesses) throw new InvariantViolation("c", $"{what} on {node.Name} while its instance is {node.Pg.State}");
    }

    /// <summary>A scheduled restart meets one life of the server only, whatever dies between, and never before its time.</summary>
    public void RestartsBySchedule(SimNode node, ScheduledRestart restart)
    {
        if (world.Now + 1_700_000_000_000 < restart.AtUnixMs) throw new InvariantViolation("core", $"{node.Name} restarts by schedule before {restart.AtUnixMs}");
        if (!restarted.TryAdd(restart.RequestIndex, node.Pg.Life) && restarted[restart.RequestIndex] != node.Pg.Life)
            throw new InvariantViolation("core", $"{node.Name} restarts again by the schedule of {restart.RequestIndex}");
    }

    /// <summary>(g), of a stream. What PostgreSQL does while nobody watches it must be found as soon as somebody does.</summary>
    public void CheckStreams(SimNode standby, SimNode upstream)
    {
        if (standby.IsWatched) CheckFollows(standby, upstream);
    }

    /// <summary>(g).</summary>
    private static void CheckFollows(SimNode standby, SimNode upstream)
    {
        if (!standby.Pg.Wal.IsPrefixOf(upstream.Pg.Wal))
            throw new InvariantViolation("g", $"{standby.Name} streams from {upstream.Name} and its {standby.Pg.Wal} is no prefix of {upstream.Pg.Wal}");
    }

    public void Committed(LogEntry entry)
    {
        committedAt.TryAdd(entry.Envelope.Id, entry.CommittedAt);
        // A duplicate finds the outcome of the first.
        if (!entry.Result.Outcome.IsAccepted || entry.Result.Outcome.Index != entry.Index) return;
        if (entry.Envelope.Command is ReleaseLeader release && entry.Before.Lease is not null && entry.Result.State.Lease is null)
            CheckNoProcesses(world.NodeOf(release.Node)!, "leadership is released");
        if (entry.Envelope.Command is RenewLeader renewal) Renewed(entry, renewal);
        if (entry.Envelope.Command is ReportPromoted report && world.NodeOf(report.Node)!.Pg is { HasData: true } pg && pg.Wal.Timeline == report.Timeline) promotedTo = pg.Wal.Branch;
        if (entry.Envelope.Command is ExpireLeader && entry.Before.Lease is { } lease && entry.Result.State.Lease?.Epoch != lease.Epoch)
            Expired(entry, lease);
        foreach (EventRecord happened in entry.Result.Events)
            if (happened.Event is LeaderElected elected) Elected(entry, elected);
        CheckElectable(entry.Result.State);
    }

    private void Expired(LogEntry entry, LeaderLease lease)
    {
        SimNode holder = world.NodeOf(lease.Holder)!;
        // By promises it goes on beyond its lease, and whoever wins the vacancy waits for them: (h).
        if (holder.Held is not { } held || held.Epoch != lease.Epoch || held.ByPromises) return;
        if (entry.Envelope.Command is ExpireLeader { Force: true }) return;
        if (held.Unbounded) throw new InvariantViolation("b", $"the lease of {lease.Holder} is expired at {entry.CommittedAt} ms, and it holds it without bound");
        if (holder.Clock.TrueAt(held.DeadlineMs) is var deadline && deadline > entry.CommittedAt)
            throw new InvariantViolation("b", $"the lease of {lease.Holder} is expired at {entry.CommittedAt} ms, before its deadline at {deadline} ms");
    }

    /// <summary>A renewal must not shorten, behind the holder's back, what the holder still relies on: from now on the lease can be expired by its terms.</summary>
    private void Renewed(LogEntry entry, RenewLeader renewal)
    {
        SimNode holder = world.NodeOf(renewal.Node)!;
        if (renewal.Unbounded || holder.Held is not { } held || held.Epoch != renewal.Epoch || held.ByPromises) return;
        if (held.Unbounded) throw new InvariantViolation("b", $"{holder.Name} holds its lease without bound, and its bounded renewal was accepted");
        double earliestExpiry = entry.CommittedAt + (renewal.TtlMs / (1 + VirtualClock.MaxDrift));
        if (holder.Clock.TrueAt(held.DeadlineMs) is var deadline && deadline > earliestExpiry)
            throw new InvariantViolation("b", $"{holder.Name} relies on its lease until {deadline} ms, and the renewal just accepted lets it expire at {earliestExpiry:0} ms");
    }

    /// <summary>(d) and (e).</summary>
    private void Elected(LogEntry entry, LeaderElected elected)
    {
        Elections++;
        if (elected.Epoch.CompareTo(newest) <= 0) throw new InvariantViolation("d", $"epoch {elected.Epoch} follows {newest}");
        newest = elected.Epoch;
        foreach (SimNode other in world.Nodes)
        {
            if (other.Name != elected.Winner && other.Held is { ByPromises: true } && other.Pg.IsWritable && other.HostUp && !other.HostIsFrozen && !other.JustThawed && Permits(other))
                throw new InvariantViolation("h", $"{elected.Winner} acquires epoch {elected.Epoch} while {other.Name} writes by promises: {other.Held}");
        }
        world.Nemesis.Moment(world.NodeOf(elected.Winner)!, "an election");
        world.Nemesis.Elected(elected.Winner);
        if (entry.Before.Vacancy is not { } vacancy) return;
        CommandId id = StandOf(entry, vacancy, elected.Winner);
        SimNode winner = world.NodeOf(elected.Winner)!;
        if (promotedTo is { } line && winner.Pg.HasData && !Contains(winner.Pg.Wal, line))
            throw new InvariantViolation("e", $"{winner.Name} won with {winner.Pg.Wal}, which lacks the recorded promotion to branch {line.Id}");
        if (!winner.Pg.HasData || !endAtStand.TryGetValue(id, out Wal end) || !end.IsPrefixOf(winner.Pg.Wal))
            throw new InvariantViolation("e", $"{winner.Name} won and no longer has what it stood with: now {winner.Pg.Wal}");
        CandidateVerdict won = elected.Candidates.First(verdict => verdict.Node == elected.Winner);
        foreach (CandidateVerdict other in elected.Candidates)
        {
            if (!other.Eligible || other.Node == elected.Winner || other.Timeline != won.Timeline) continue;
            if (!endAtStand.TryGetValue(StandOf(entry, vacancy, other.Node), out Wal its)) continue;
            if (its.Length > end.Length)
                throw new InvariantViolation("e", $"{winner.Name} won with {end}, and {other.Node} stood for as eligible with more: {its}");
        }
    }

    private static bool Contains(Wal wal, Branch line)
    {
        for (Branch? branch = wal.Branch; branch is not null; branch = branch.Parent)
            if (branch == line) return true;
        return false;
    }

    /// <summary>The log was cut at its end: what only the lost entries said is not recorded.</summary>
    public void FormedAnew() => promotedTo = null;

    /// <summary>The closing entry may itself be a stand.</summary>
    private static CommandId StandOf(LogEntry entry, Vacancy vacancy, NodeName node) =>
        entry.Envelope.Command is StandForElection closing && closing.Node == node ? entry.Envelope.Id
        : vacancy.Stands.TryGetValue(node, out Stand? stand) ? stand.Id : default;

    /// <summary>(f): whoever the synchronous set makes electable holds every acknowledged synchronous commit.</summary>
    public void CheckElectable(ClusterState state)
    {
        if (world.Commits.Acknowledged is not { } acknowledged || state.Sync.Leader is null) return;
        foreach (SimNode node in world.Nodes)
        {
            if (!node.HasPostgres || !node.Pg.HasData || !state.Sync.Covers(node.Name, node.Pg.Incarnation)) continue;
            if (!acknowledged.IsPrefixOf(node.Pg.Wal))
                throw new InvariantViolation("f", $"{node.Name} is electable with {node.Pg.Wal}, without the acknowledged {acknowledged}");
        }
    }

    /// <summary>(i): the bytes of the whole log, applied from nothing and from a snapshot on the way, give the same state.</summary>
    public void CheckReplay()
    {
        IReadOnlyList<LogEntry> entries = world.Log.Entries;
        int cut = world.Rng.Between(0, entries.Count - 1);
        ClusterState state = ClusterState.Empty;
        for (int i = 0; i < entries.Count; i++)
        {
            if (i == cut) state = SnapshotCodec.Decode(SnapshotCodec.Encode(state));
            state = ClusterStateMachine.Apply(state, CommandCodec.Decode(CommandCodec.Encode(entries[i].Envelope)), entries[i].Index).State;
        }
        CheckSame(state, entries.Count, "a replay with a snapshot on the way");
        foreach (SimNode node in world.Nodes)
            if (node.AgentUp) CheckSame(node.State, node.Applied, $"node {node.Name}");
    }

    public void CheckSame(ClusterState state, int count, string who)
    {
        ClusterState expected = world.Log.StateAt(count);
        if (ReferenceEquals(state, expected)) return;
        if (SnapshotCodec.Hash(state) != SnapshotCodec.Hash(expected))
            throw new InvariantViolation("i", $"{who} has another state at index {expected.AppliedIndex}");
    }

    public bool IsWhole() => WhyNotWhole() is null;

    /// <summary>(j): what is not whole yet, or null.</summary>
    public string? WhyNotWhole()
    {
        ClusterState state = world.Log.State;
        if (state.Leadership is not Led led) return $"the cluster is {state.Leadership.Phase}";
        if (!led.Checkpointed) return "the leader's checkpoint is not recorded";
        if (state.Failover is not null) return "a switchover is pending";
        foreach (Member member in state.Members.Values)
            if (member.ScheduledRestart is { } restart) return $"the restart of {member.Name} scheduled for {restart.AtUnixMs - 1_700_000_000_000} is pending";
        SimNode leader = world.NodeOf(led.Lease.Holder)!;
        if (leader.Pg.State != Processes.Primary || !leader.AgentUp) return $"the leader {leader.Name} is {leader.Pg.State}";
        foreach (SimNode node in world.Nodes)
        {
            if (!node.HasPostgres || node == leader) continue;
            if (!node.AgentUp) return $"the agent of {node.Name} is down";
            if (StatesItsReason(node)) continue;
            if (node.Pg is not { State: Processes.Standby, IsStreaming: true }) return $"{node.Name} does not stream ({node.LastDecision?.Rule}: {node.LastDecision?.Reason})";
            if (node.LastDecision?.Rule != "follow.steady") return $"{node.Name} is not settled ({node.LastDecision?.Rule}: {node.LastDecision?.Reason})";
            CheckFollows(node, leader);
        }
        return null;
    }

    /// <summary>A node that waits for a human and says so is whole enough: its configuration forbids to repair it.</summary>
    private static bool StatesItsReason(SimNode node) =>
        node.LastDecision?.Rule == "rejoin.diverged" && !node.Traits.UsePgRewind && !node.Traits.RemoveDataOnDivergedTimelines;
}
