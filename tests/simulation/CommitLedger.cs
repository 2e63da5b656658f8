using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

/// <summary>
/// Acknowledged synchronous commits. A commit waits until the standby that the server was told to wait for has it; what was acknowledged while the log
/// keeps a synchronous set must be held by everybody whom that set makes electable.
/// </summary>
internal sealed class CommitLedger(World world)
{
    private (SimNode Node, Wal Wal)? waiting;

    /// <summary>The newest acknowledged commit; all earlier ones are part of its WAL.</summary>
    public Wal? Acknowledged { get; private set; }

    public void Written(SimNode node, Wal wal)
    {
        // What a thawed host takes before its guard strikes is lost when it waits for no standby: the known limit.
        if (!world.Options.Synchronous || node.JustThawed) return;
        waiting = (node, wal);
        Tick();
    }

    public void Tick()
    {
        if (waiting is not { } commit || world.Log.State.Sync.Leader is null) return;
        if (commit.Node.Pg.State == Processes.None)
        {
            waiting = null;
            return;
        }
        if (commit.Node.SynchronousStandby is { } standby)
        {
            PgModel pg = world.NodeOf(standby)!.Pg;
            if (!pg.HasData) return;
            // The standby confirms what it has of this primary's WAL.
            Wal held = pg.Wal.IsPrefixOf(commit.Wal) && pg.IsStreaming && pg.Upstream == commit.Node.Name ? pg.Wal : default;
            if (held.Branch is null || held.Branch != commit.Wal.Branch) return;
            Acknowledge(held);
            return;
        }
        Acknowledge(commit.Wal);
        waiting = null;
    }

    private void Acknowledge(Wal wal)
    {
        if (Acknowledged is { } before && !before.IsPrefixOf(wal))
        {
            if (wal.IsPrefixOf(before)) return;
            throw new InvariantViolation("f", $"a primary acknowledges {wal} without the acknowledged {before}");
        }
        Acknowledged = wal;
    }
}
