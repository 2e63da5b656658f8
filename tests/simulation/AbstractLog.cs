using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

/// <summary>A committed entry and what applying it once gave; nodes that replay on their own are compared with it.</summary>
internal sealed record LogEntry(long Index, CommandEnvelope Envelope, ClusterState Before, ApplyResult Result, long CommittedAt);

/// <summary>
/// What Raft guarantees, without Raft: one order of entries, committed by a leader with a quorum, applied by every node in that order, late,
/// or skipped by a snapshot. Proposals are delayed, lost, sent twice; answers are lost; leaders change.
/// </summary>
internal sealed class AbstractLog(World world)
{
    private const int RetryAfterMs = 400;
    private readonly List<LogEntry> entries = [];
    private long nextIndex = 1;
    private long electAt = -1;
    private int group;
    private int formedAt;

    public IReadOnlyList<LogEntry> Entries => entries;
    public ClusterState State => entries.Count == 0 ? ClusterState.Empty : entries[^1].Result.State;
    public SimNode? Leader { get; private set; }

    public ClusterState StateAt(int count) => count == 0 ? ClusterState.Empty : entries[count - 1].Result.State;

    public bool HasQuorum
    {
        get
        {
            int connected = 0;
            foreach (SimNode node in world.Nodes)
                if (node.IsConnected) connected++;
            return connected > world.Nodes.Count / 2;
        }
    }

    private bool CanCommit => Leader is { IsConnected: true } && HasQuorum;

    /// <summary>Elections of the group, heartbeats that bring late nodes up to date, and read barriers.</summary>
    public void Tick()
    {
        if (!CanCommit)
        {
            if (electAt < 0) electAt = world.Now + world.Rng.Between(400, 1800);
            else if (world.Now >= electAt) Elect();
        }
        else
        {
            electAt = -1;
        }
        if (!CanCommit) return;
        foreach (SimNode node in world.Nodes)
        {
            if (!node.AgentUp || !node.InGroup || node.CannotReceive) continue;
            if (node != Leader) node.BelievesToLead = false;
            if (!node.StateIsCurrent && node.CanSend && node.BarrierAt < 0) node.BarrierAt = entries.Count;
            if (node.Applied < entries.Count && world.Rng.Chance(0.5)) Send(node, entries.Count);
            else if (!node.StateIsCurrent) node.PassBarrier();
        }
    }

    public void DropLeader(int withinMs = 1500)
    {
        Leader = null;
        electAt = world.Now + world.Rng.Between(1, withinMs);
    }

    private void Elect()
    {
        electAt = -1;
        if (!HasQuorum) return;
        SimNode[] able = [.. world.Nodes.Where(static node => node.IsConnected)];
        Leader = world.Rng.Pick(able);
        Leader.BelievesToLead = true;
        nextIndex++;
        world.Trace.Add(world.Now, "raft", $"{Leader.Name} leads the group");
        Send(Leader, entries.Count);
        Leader.Wake();
    }

    /// <summary>Sends a proposal, again and again under its id until it is answered or the time is over.</summary>
    public void Propose(SimNode from, CommandEnvelope envelope, long timeoutMs, Action<Outcome?> done)
    {
        var attempt = new Attempt(from, from.Life, group, envelope, world.Now + timeoutMs, done);
        if (envelope.Command is StandForElection && world.Nemesis.LateStandMs() is { } lateMs)
        {
            // The one message is slow, and nobody sends another.
            world.After(lateMs, () => Arrive(attempt));
            world.After(timeoutMs, () => attempt.End(null));
            return;
        }
        Try(attempt);
    }

    private sealed class Attempt(SimNode from, int life, int group, CommandEnvelope envelope, long until, Action<Outcome?> done)
    {
        public int Group => group;
        public SimNode From { get; } = from;
        public CommandEnvelope Envelope { get; } = envelope;
        public bool IsOver { get; private set; }
        public long Until => until;

        public void End(Outcome? outcome)
        {
            if (IsOver) return;
            IsOver = true;
            if (From.AgentUp && From.Life == life) done(outcome);
        }

        public bool IsAlive => !IsOver && From.AgentUp && From.Life == life;
    }

    private void Try(Attempt attempt)
    {
        if (!attempt.IsAlive) return;
        if (world.Now >= attempt.Until)
        {
            attempt.End(null);
            return;
        }
        if (attempt.From.CanSend && attempt.From.InGroup)
        {
            attempt.From.Sent(attempt.Envelope.Id);
            if (!world.Rng.Chance(world.LossRate)) world.After(world.ProposalDelay(), () => Arrive(attempt));
            if (world.Rng.Chance(world.DuplicateRate)) world.After(world.Rng.Between(1, 9000), () => Arrive(attempt));
        }
        world.After(RetryAfterMs, () => Try(attempt));
    }

    private void Arrive(Attempt attempt)
    {
        // Nodes of a group that was formed anew do not listen to messages of the former one.
        if (!CanCommit || attempt.Group != group) return;
        Outcome outcome = Commit(attempt.Envelope);
        if (attempt.From.CannotReceive || !attempt.From.InGroup || world.Rng.Chance(world.LossRate)) return;
        world.After(world.Rng.Between(1, 10), () => attempt.End(outcome));
    }

    private Outcome Commit(CommandEnvelope envelope)
    {
        nextIndex += world.Rng.Chance(0.1) ? 2 : 1;
        ClusterState before = State;
        envelope = envelope with { Command = Unchecked(envelope.Command, before) };
        ApplyResult result = Apply(before, envelope);
        var entry = new LogEntry(nextIndex, envelope, before, result, world.Now);
        entries.Add(entry);
        if (envelope.Command is not (RenewLeader or TouchMember) || !result.Outcome.IsAccepted)
            world.Trace.Add(world.Now, "log", $"{entry.Index} {Describe(envelope.Command)} -> {result.Outcome.Code} {result.Outcome.Reason}");
        foreach (EventRecord happened in result.Events)
            if (happened.Event is LeaderElected or VacancyOpened or ElectionFruitless) world.Trace.Add(world.Now, "log", $"{entry.Index}   {Describe(happened.Event)}");
        world.Oracle.Committed(entry);
        if (envelope.Command is SetFailsafeTopology && result.Events.Length > 0 && State.Leader is { } holder) world.Nemesis.TopologySet(holder);
        foreach (SimNode node in world.Nodes)
        {
            if (node == Leader) Send(node, entries.Count);
            else if (node.AgentUp && node.InGroup && !node.CannotReceive) Send(node, entries.Count);
        }
        if (world.Options.LeaderChurn && world.Rng.Chance(0.12)) world.After(world.Rng.Between(0, 4), () => DropLeader(300));
        return result.Outcome;
    }

    /// <summary>Commands that a broken rule would let through, changed so that the rule is satisfied.</summary>
    private Command Unchecked(Command command, ClusterState before) => (world.Options.Mutation, command) switch
    {
        (Mutation.ExpireWithoutIndexCheck, ExpireLeader expire) when before.Lease is { } lease => expire with { LastRenewalIndex = lease.LastRenewalIndex },
        (Mutation.ExpireWithoutEpochCheck, ExpireLeader expire) when before.Lease is { } lease && lease.Epoch != expire.Epoch =>
            expire with { Epoch = lease.Epoch, LastRenewalIndex = lease.LastRenewalIndex },
        (Mutation.StaleStandCounted, StandForElection stand) when before.Vacancy is { } vacancy => stand with { Vacancy = vacancy.Id },
        (Mutation.PromiseWhileStanding, StandForElection stand) when before.Vacancy is { } vacancy && world.NodeOf(stand.Node)!.PromisedOver == stand.Vacancy =>
            InLineage(stand, before) with { Vacancy = vacancy.Id },
        _ => command,
    };

    /// <summary>The stand as one that the recorded promotion does not refuse.</summary>
    private static StandForElection InLineage(StandForElection stand, ClusterState state) =>
        state.LatestPromotion is not { ParentTimeline.IsKnown: true } latest || stand.Timeline >= latest.Timeline ? stand
        : stand with { Timeline = latest.Timeline, History = stand.History.Add(new(latest.ParentTimeline, latest.ForkLsn)) };

    /// <summary>Applies; a broken rule of Apply itself is one whose ground is taken out of the state for this one command.</summary>
    private ApplyResult Apply(ClusterState before, CommandEnvelope envelope)
    {
        bool election = envelope.Command is StandForElection or DeclineElection or CloseElection or RequestFailover or RemovePeer;
        ClusterState shown = world.Options.Mutation switch
        {
            Mutation.TopologyNotEnforced when election => before with { FailsafeTopology = before.FailsafeTopology.Clear() },
            Mutation.LineageCheckOff when election => before with { Lineage = [] },
            Mutation.UnboundedLeaseExpired when envelope.Command is ExpireLeader && before.Lease is { Unbounded: true } lease =>
                before with { Leadership = Replace(before.Leadership, lease with { Unbounded = false }) },
            _ => before,
        };
        ApplyResult result = ClusterStateMachine.Apply(shown, envelope, nextIndex);
        if (ReferenceEquals(shown, before)) return result;
        if (!result.Outcome.IsAccepted) return ClusterStateMachine.Apply(before, envelope, nextIndex);
        return result with { State = result.State with { FailsafeTopology = before.FailsafeTopology, Lineage = before.Lineage } };
    }

    public static Leadership Replace(Leadership leadership, LeaderLease lease) => leadership switch
    {
        Elected elected => elected with { Lease = lease },
        Led led => led with { Lease = lease },
        _ => leadership,
    };

    /// <summary>
    /// The quorum is lost for good, and an operator forms the group anew from one node's log, which may lack the newest entries. All agents and servers were
    /// stopped before; the numbers of entries go on from that log.
    /// </summary>
    public void FormAnew(SimNode survivor)
    {
        int kept = Math.Max(survivor.Applied, entries.Count - world.Rng.Between(0, world.Options.Plot == Plot.FormedAnew ? 150 : 4));
        // A node of the present group has the entry that formed it; a directory of a former group is not one to go on from.
        kept = Math.Max(kept, formedAt);
        // Nor is a log that lacks a promotion which others follow: the next one takes its timeline number, and their directories do not tell the two apart.
        kept = Math.Max(kept, entries.FindLastIndex(static entry => entry.Envelope.Command is ReportPromoted && entry.Result.Events.Length > 0) + 1);
        // A log that does not know of the database cluster at all would create another; that is no recovery.
        while (kept < entries.Count && StateAt(kept).SystemIdentifier == 0) kept++;
        world.Trace.Add(world.Now, "raft", $"the group is formed anew from {survivor.Name}, {entries.Count - kept} entries are lost");
        group++;
        foreach (SimNode node in world.Nodes) node.ForgetLog();
        entries.RemoveRange(kept, entries.Count - kept);
        nextIndex = entries.Count == 0 ? 1 : entries[^1].Index + 1;
        Leader = null;
        formedAt = entries.Count;
        if (world.Options.Mutation == Mutation.EpochsReused) return;
        formedAt++;
        uint generation = State.Generation + 1;
        Commit(new(new(ulong.MaxValue, generation), 0, new RaiseGeneration(generation, "the group was formed anew")));
    }

    private static string Describe(object command)
    {
        string text = command.ToString()!;
        return text.Length > 260 ? text[..260] + "..." : text;
    }

    private void Send(SimNode node, int count)
    {
        int life = node.Life;
        world.After(world.ApplyDelay(node), () =>
        {
            if (node.AgentUp && node.Life == life) node.Receive(count);
        });
    }
}
