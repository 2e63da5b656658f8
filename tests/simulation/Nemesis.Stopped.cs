using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

/// <summary>What stops, stands still, or is cut off while the rest goes on; and what operators do to the group itself.</summary>
internal sealed partial class Nemesis
{
    /// <summary>SIGSTOP of the agent: its PostgreSQL goes on, and only a guard can fence it.</summary>
    private void StopAgent(SimNode node)
    {
        if ((!node.IsGuarded && node.HasPostgres && world.Options.Mutation != Mutation.AgentStoppedWithoutGuard) || !node.AgentUp || node.IsFrozen) return;
        Say($"the agent of {node.Name} is stopped");
        node.Freeze(world.Rng.Between(100, 15_000));
    }

    /// <summary>Guard and agent do not die at once: what then still runs has nobody who fences it.</summary>
    private void KillGuard(SimNode node)
    {
        if (!node.IsGuarded || !node.AgentUp || node.IsFrozen) return;
        Say($"the guard of {node.Name} is killed");
        node.KillGuard();
    }

    private void FreezeHost(SimNode node)
    {
        if (!node.HostUp || !node.IsGuarded) return;
        Say($"the host of {node.Name} stands still");
        node.FreezeHost(world.Rng.Between(300, 20_000));
    }

    private void JumpWallClock(SimNode node)
    {
        Say($"the wall clock of {node.Name} jumps");
        node.WallClockJumpMs = world.Rng.Between(-10_000_000, 10_000_000);
    }

    /// <summary>The Raft ports of some or all nodes are cut off; requests between APIs and replication go on.</summary>
    private void CutRaft()
    {
        SimNode[] cut = world.Rng.Between(0, 3) switch
        {
            0 => [.. world.Nodes],
            1 when world.Log.State.Leader is { } leader => [world.NodeOf(leader)!],
            2 => [.. world.Nodes.Where(_ => world.Rng.Chance(0.6))],
            _ => [Any()],
        };
        Say($"the Raft ports of {string.Join(' ', cut.Select(static node => node.Name))} are cut");
        foreach (SimNode node in cut)
        {
            node.RaftCut = true;
            world.After(world.Rng.Between(1000, 20_000), () => node.RaftCut = false);
        }
    }

    private void CutLinks()
    {
        Say("requests between some APIs are lost");
        foreach (SimNode from in world.Nodes)
            foreach (SimNode to in world.Nodes)
                if (world.Rng.Chance(0.3)) world.CutLinks.Add((from, to));
        world.After(world.Rng.Between(500, 8000), world.CutLinks.Clear);
    }

    private void RemoveMember(SimNode node)
    {
        Say($"an operator removes {node.Name}, which joins again");
        Any().Post(new RemovePeer(node.Name));
    }

    /// <summary>Not in synchronous worlds: the entries that are lost may have said who holds the acknowledged commits.</summary>
    private void FormAnew(SimNode? survivor = null)
    {
        if (world.Options.Synchronous || world.Log.State.SystemIdentifier == 0) return;
        Say("the quorum is lost for good; all nodes are stopped and the group is formed anew");
        world.Log.FormAnew(survivor ?? world.Nodes.Where(static node => node.HasPostgres && node.Pg.HasData).MaxBy(static node => node.Applied) ?? world.Nodes[0]);
        world.Oracle.FormedAnew();
        foreach (SimNode node in world.Nodes) world.After(world.Rng.Between(10, 3000), node.StartAgent);
    }

    /// <summary>A node stood: nothing may change what it stood with.</summary>
    public void Stood(SimNode node)
    {
        LagBehind(node);
        if (world.Options.Mutation != Mutation.StandNotFrozen || !world.Rng.Chance(0.2)) return;
        world.After(world.Rng.Between(0, 200), () =>
        {
            if (node.Pg.State != Processes.Standby) return;
            Say($"the data of {node.Name} is cleared after its stand");
            node.Pg.Kill();
            node.Pg.Special = new NoData();
        });
    }
}
