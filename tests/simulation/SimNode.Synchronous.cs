using System.Collections.Immutable;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

internal sealed partial class SimNode
{
    private long provenFrom;
    /// <summary>The leadership for which <see cref="provenFrom"/> was taken: what a standby passed under another one proves nothing.</summary>
    private Epoch provenUnder;
    /// <summary>The version that an addition proposed by this server named: it may be in force unknown until the set moved on. Unknown itself after a restart.</summary>
    private long? additionAt;

    /// <summary>
    /// The primary's side of a synchronous set of one, which the core does not manage yet: adding goes PostgreSQL first and into the log once the
    /// standby passed a position taken after that; removing goes the log first, then PostgreSQL.
    /// </summary>
    private void KeepSynchronousSet(NodeView view)
    {
        if (!world.Options.Synchronous || view.State.Leadership is not Led led || led.Lease.Holder != Name || view.Server is not PrimaryServer || !view.StateIsCurrent) return;
        if (view.Lease is not { } held || held.Epoch != led.Lease.Epoch) return;
        SyncState sync = view.State.Sync;
        if (sync.Leader != Name || sync.LeaderIncarnation != Pg.Incarnation)
        {
            Post(new SetSyncState(held.Epoch, sync.Version, Name, [], 0));
            return;
        }
        if (sync.Standbys.IsEmpty) Add(held.Epoch, sync);
        else if (!Serves(world.NodeOf(sync.Standbys[0].Node)!) || sync.Standbys[0].Incarnation != world.NodeOf(sync.Standbys[0].Node)!.Pg.Incarnation)
        {
            if (Is(Mutation.SyncRemovalReversed)) SynchronousStandby = null;
            Post(new SetSyncState(held.Epoch, sync.Version, Name, [], 0));
        }
        else if (SynchronousStandby is null && !Is(Mutation.SyncRemovalReversed)) SynchronousStandby = sync.Standbys[0].Node;
    }

    private bool Serves(SimNode standby) => standby.Pg is { State: Processes.Standby, IsStreaming: true } && standby.Pg.Upstream == Name;

    private void Add(Epoch epoch, SyncState sync)
    {
        if (additionAt == long.MinValue) additionAt = sync.Version;
        if (additionAt is { } named && named != sync.Version) additionAt = null;
        if (provenUnder != epoch) (provenUnder, provenFrom) = (epoch, Pg.Wal.Length);
        if (SynchronousStandby is { } chosen)
        {
            SimNode standby = world.NodeOf(chosen)!;
            if (!Serves(standby))
            {
                // It may be dropped at once only if nothing that was sent can still put it into the log.
                if (additionAt is null) SynchronousStandby = null;
                else Post(new SetSyncState(epoch, sync.Version, Name, [], 0));
            }
            else if (standby.Pg.Wal.Length >= provenFrom || Is(Mutation.SyncAddBeforeFlush))
            {
                additionAt = sync.Version;
                Post(new SetSyncState(epoch, sync.Version, Name, ImmutableArray.Create(new SyncMember(chosen, standby.Pg.Incarnation)), 0));
            }
            return;
        }
        foreach (SimNode node in world.Nodes)
        {
            if (node == this || !node.HasPostgres || !Serves(node)) continue;
            SynchronousStandby = node.Name;
            provenFrom = Pg.Wal.Length;
            return;
        }
    }
}
