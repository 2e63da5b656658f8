using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

/// <summary>The acts of each <see cref="Plot"/>, and what it makes of the moments that matter.</summary>
internal sealed partial class Nemesis
{
    private readonly List<SimNode> away = [];
    private SimNode? left;
    private SimNode? deaf;
    private SimNode? spare;
    private SimNode? promotedAgain;

    private Plot Plot => world.Options.Plot;

    private SimNode? Primary => world.Log.State.Leadership is Led led ? world.NodeOf(led.Lease.Holder) : null;

    private void Act()
    {
        switch (Plot)
        {
            case Plot.FormedAnew: LoseTheQuorum(); break;
            case Plot.LateStands: HandOver(); break;
            case Plot.EarlyRejoins: CutOffUntilAnotherIsPromoted(); break;
            case Plot.DeafReplicas: Deafen(); break;
            case Plot.Promises: Betray(); break;
            case Plot.Topologies: SendAway(); break;
        }
    }

    /// <summary>How long a stand is on its way when the plot wants it to be late: until after the next vacancy opened.</summary>
    public int? LateStandMs() => Plot is Plot.LateStands or Plot.Promises && world.Rng.Chance(0.35) ? world.Rng.Between(3000, 13_000) : null;

    /// <summary>How long the checkpoint takes that an agent asked for.</summary>
    public int CheckpointMs() => world.Rng.Between(20, Plot == Plot.EarlyRejoins ? 8000 : 600);

    /// <summary>One node misses that another was elected, and the group goes on from its log.</summary>
    private void LoseTheQuorum()
    {
        if (Primary is not { } primary || left is not null) return;
        SimNode[] able = [.. world.Nodes.Where(static node => node.HasPostgres && node.Pg.HasData)];
        if (able.Length == 0) return;
        SimNode survivor = left = world.Rng.Pick(able);
        Say($"the Raft port of {survivor.Name} is cut");
        survivor.RaftCut = true;
        // The more it misses, the more of what the lost group counted is counted again.
        world.After(world.Rng.Between(0, 15_000), () =>
        {
            if (over || left != survivor) return;
            HandOver();
            if (world.Rng.Chance(0.5)) Crash(primary);
            world.After(world.Rng.Between(500, 9000), () => GoOnFrom(survivor));
        });
    }

    /// <summary>Somebody was elected: the quorum may be lost before anybody hears of a promotion.</summary>
    public void Elected(NodeName winner)
    {
        if (!over && winner == promotedAgain?.Name && spare is { } other)
        {
            other.RaftCut = false;
            Crash(other, world.Rng.Between(1500, 5000));
        }
        if (left is { } survivor && world.Rng.Chance(0.7)) world.After(world.Rng.Between(0, 60), () => GoOnFrom(survivor));
    }

    private void GoOnFrom(SimNode survivor)
    {
        if (left != survivor) return;
        left = null;
        survivor.RaftCut = false;
        if (!over && survivor.Pg.HasData) FormAnew(survivor);
    }

    private void HandOver()
    {
        if (Primary is not { } primary) return;
        SimNode[] others = [.. world.Nodes.Where(node => node.HasPostgres && node != primary)];
        SimNode candidate = world.Rng.Pick(others);
        Say($"an operator asks for a switchover to {candidate.Name}");
        Any().Post(new RequestFailover(FailoverKind.Switchover, null, candidate.Name, null, null));
    }

    private void CutOffUntilAnotherIsPromoted()
    {
        if (Primary is not { Group: 0 } primary) return;
        Say($"{primary.Name} is cut off until another is promoted");
        primary.Group = 1;
        away.Add(primary);
        world.After(20_000, () => ComeBack(primary));
    }

    private void ComeBack(SimNode node)
    {
        if (away.Remove(node)) node.Group = 0;
    }

    /// <summary>
    /// Two replicas lose their Raft ports alone, and the primary is told to end: with nobody else to stand it is elected again. The one stays deaf; the other has what
    /// the primary had when it ended, and nothing of its promotion.
    /// </summary>
    private void Deafen()
    {
        if (Primary is not { AgentUp: true } primary || deaf is not null) return;
        SimNode[] replicas = [.. world.Nodes.Where(node => node.HasPostgres && node != primary && node.Pg.State == Processes.Standby)];
        if (replicas.Length < 2) return;
        (promotedAgain, deaf, spare) = (primary, replicas[0], replicas[1]);
        if (world.Rng.Chance(0.5)) (deaf, spare) = (spare, deaf);
        foreach (SimNode node in new[] { deaf, spare })
        {
            Say($"the Raft port of {node.Name} is cut");
            node.RaftCut = true;
        }
        world.After(world.Rng.Between(100, 1500), () =>
        {
            Say($"the agent of {primary.Name} is told to end");
            primary.ShutdownRequested = true;
            primary.Wake();
            world.After(world.Rng.Between(900, 2500), primary.StartAgent);
        });
        world.After(world.Rng.Between(14_000, 22_000), () =>
        {
            foreach (SimNode node in world.Nodes) node.RaftCut = false;
            deaf = spare = promotedAgain = null;
        });
    }

    /// <summary>The primary dies, or has to live by promises.</summary>
    private void Betray()
    {
        if (Primary is not { } primary) return;
        if (world.Rng.Chance(0.35)) Crash(primary);
        else LiveByPromises(primary, []);
    }

    /// <summary>Only the Raft port of the primary is cut; who has no PostgreSQL, and those named, do not hear its questions.</summary>
    private void LiveByPromises(SimNode primary, IReadOnlyCollection<SimNode> unasked)
    {
        if (primary.RaftCut) return;
        int forMs = world.Rng.Between(5000, 14_000);
        Say($"the Raft port of {primary.Name} is cut for {forMs} ms");
        primary.RaftCut = true;
        world.After(forMs, () => primary.RaftCut = false);
        foreach (SimNode node in world.Nodes)
            if (node != primary && (unasked.Contains(node) || world.Rng.Chance(node.HasPostgres ? 0.1 : 0.85))) Unlink(primary, node, forMs);
    }

    private void Unlink(SimNode from, SimNode to, int forMs)
    {
        Say($"requests from {from.Name} to {to.Name} are lost");
        world.CutLinks.Add((from, to));
        world.After(forMs, () => world.CutLinks.Remove((from, to)));
    }

    /// <summary>A member is away until the topology goes on without it; when it comes back the primary is without quorum.</summary>
    private void SendAway()
    {
        if (Primary is not { } primary || away.Count > 0) return;
        SimNode[] others = [.. world.Nodes.Where(node => node.HasPostgres && node != primary && node.Group == 0)];
        if (others.Length == 0) return;
        SimNode node = world.Rng.Pick(others);
        Say($"{node.Name} is cut off");
        node.Group = 1;
        away.Add(node);
        bool atOnce = world.Rng.Chance(0.5);
        world.After(world.Rng.Between(4500, 8000), () =>
        {
            if (!over && atOnce && Primary is { } still && still != node) LiveByPromises(still, [node]);
            world.After(world.Rng.Between(0, 30), () => ComeBack(node));
        });
    }

    /// <summary>An instance was promoted; the agent has not said so yet.</summary>
    public void Promoted(SimNode node)
    {
        Moment(node, "a promotion");
        if (over) return;
        if (Plot == Plot.LateStands && world.Rng.Chance(0.6)) world.After(world.Rng.Between(0, 8), () => DieBriefly(node, 2500));
        // Before the log hears of it; the deaf replica has what it wrote until then.
        if (node == promotedAgain && world.Rng.Chance(0.8))
        {
            node.CanSend = false;
            world.After(world.Rng.Between(20, 150), () =>
            {
                node.CanSend = true;
                if (!over) Crash(node, world.Rng.Between(7000, 12_000));
            });
        }
        if (Plot == Plot.EarlyRejoins)
            foreach (SimNode other in away.ToArray())
                if (other != node) world.After(world.Rng.Between(0, 400), () => ComeBack(other));
        if (Plot == Plot.Promises && world.Rng.Chance(0.5))
        {
            world.After(world.Rng.Between(300, 2500), () =>
            {
                if (!over && Primary == node) LiveByPromises(node, []);
            });
        }
    }

    private void DieBriefly(SimNode node, int atMostMs)
    {
        if (over || !node.AgentUp) return;
        Say($"agent and server of {node.Name} are killed");
        node.KillAgent();
        node.Pg.Kill();
        world.After(world.Rng.Between(50, atMostMs), node.StartAgent);
    }

    /// <summary>A directory has another content, and the log is not told.</summary>
    public void Ended(SimNode node, ActionKind action)
    {
        if (over || Plot != Plot.LateStands || action is not (ActionKind.RemoveData or ActionKind.Clone or ActionKind.Rewind) || !world.Rng.Chance(0.6)) return;
        Say($"the Raft port of {node.Name} is cut");
        node.RaftCut = true;
        world.After(world.Rng.Between(4000, 12_000), () => node.RaftCut = false);
        world.After(world.Rng.Between(0, 1500), () =>
        {
            if (!over && Primary is { } primary) Crash(primary);
        });
    }

    /// <summary>A node promised: it may die before or after the promise is on disk, and not be asked again.</summary>
    public void Promised(SimNode node)
    {
        if (over || Plot != Plot.Promises || !world.Rng.Chance(0.25)) return;
        world.After(world.Rng.Between(0, 80), () =>
        {
            if (over || Primary is not { } primary) return;
            DieBriefly(node, 800);
            if (world.Rng.Chance(0.7)) Unlink(primary, node, world.Rng.Between(3000, 9000));
        });
    }

    /// <summary>A node stood: it may not hear what came of it for long.</summary>
    private void LagBehind(SimNode node)
    {
        if (over || Plot != Plot.Promises || !world.Rng.Chance(0.4)) return;
        Say($"{node.Name} cannot hear the group");
        node.CannotReceive = true;
        world.After(world.Rng.Between(6000, 18_000), () => node.CannotReceive = false);
    }

    /// <summary>A topology is in force; the primary that proposed it may not hear so.</summary>
    public void TopologySet(NodeName holder)
    {
        if (over || Plot != Plot.Topologies || !world.Rng.Chance(0.4)) return;
        SimNode primary = world.NodeOf(holder)!;
        SimNode[] unasked = [.. world.Nodes.Where(node => node != primary && world.Rng.Chance(0.4))];
        LiveByPromises(primary, unasked);
    }
}
