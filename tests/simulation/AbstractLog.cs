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
            if (!node.AgentUp || node.Group != 0 || node.CannotReceive) continue;
            if (node != Leader) node.BelievesToLead = false;
            if (!node.StateIsCurrent && node.CanSend && node.BarrierAt < 0) node.BarrierAt = entries.Count;
            if (node.Applied < entries.Count && world.Rng.Chance(0.5)) Send(node, entries.Count);
            else if (!node.StateIsCurrent) node.PassBarrier();
        }
    }

    public void DropLeader()
    {
        Leader = null;
        electAt = world.Now + world.Rng.Between(1, 1500);
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
        var attempt = new Attempt(from, from.Life, envelope, world.Now + timeoutMs, done);
        Try(attempt);
    }

    private sealed class Attempt(SimNode from, int life, CommandEnvelope envelope, long until, Action<Outcome?> done)
    {
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
        if (attempt.From.CanSend && attempt.From.Group == 0)
        {
            if (!world.Rng.Chance(world.LossRate)) world.After(world.ProposalDelay(), () => Arrive(attempt));
            if (world.Rng.Chance(world.DuplicateRate)) world.After(world.Rng.Between(1, 9000), () => Arrive(attempt));
        }
        world.After(RetryAfterMs, () => Try(attempt));
    }

    private void Arrive(Attempt attempt)
    {
        if (!CanCommit) return;
        Outcome outcome = Commit(attempt.Envelope);
        if (attempt.From.CannotReceive || attempt.From.Group != 0 || world.Rng.Chance(world.LossRate)) return;
        world.After(world.Rng.Between(1, 10), () => attempt.End(outcome));
    }

    private Outcome Commit(CommandEnvelope envelope)
    {
        nextIndex += world.Rng.Chance(0.1) ? 2 : 1;
        ClusterState before = State;
        if (world.Options.Mutation == Mutation.ExpireWithoutIndexCheck && envelope.Command is ExpireLeader expire && before.Lease is { } lease)
            envelope = envelope with { Command = expire with { LastRenewalIndex = lease.LastRenewalIndex } };
        ApplyResult result = ClusterStateMachine.Apply(before, envelope, nextIndex);
        var entry = new LogEntry(nextIndex, envelope, before, result, world.Now);
        entries.Add(entry);
        if (envelope.Command is not (RenewLeader or TouchMember) || !result.Outcome.IsAccepted)
            world.Trace.Add(world.Now, "log", $"{entry.Index} {Describe(envelope.Command)} -> {result.Outcome.Code} {result.Outcome.Reason}");
        foreach (EventRecord happened in result.Events)
            if (happened.Event is LeaderElected or VacancyOpened or ElectionFruitless) world.Trace.Add(world.Now, "log", $"{entry.Index}   {Describe(happened.Event)}");
        world.Oracle.Committed(entry);
        foreach (SimNode node in world.Nodes)
        {
            if (node == Leader) Send(node, entries.Count);
            else if (node.AgentUp && node.Group == 0 && !node.CannotReceive) Send(node, entries.Count);
        }
        return result.Outcome;
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
            if (node.AgentUp && node.Life == life) node.Deliver(count);
        });
    }
}
