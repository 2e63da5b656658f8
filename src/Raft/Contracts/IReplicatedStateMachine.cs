namespace Patroni.Raft.Consensus;

/// <summary>
/// The deterministic state machine behind the log. All methods are called by one applier, never concurrently.
/// </summary>
/// <remarks>
/// An exception from any method means that this node cannot follow the log any more (an entry that it cannot decode):
/// the node stops for good and <see cref="RaftNode.Stopped"/> faults. Deduplication of a retried
/// <see cref="ProposalId"/> belongs here, because it must be part of the replicated state.
/// </remarks>
public interface IReplicatedStateMachine
{
    /// <summary>Applies one committed command, in index order, exactly once per life of the process.</summary>
    /// <param name="index">Log index, strictly increasing; not contiguous, because the log holds entries of its own too.</param>
    /// <param name="term">Raft term in which the entry was appended.</param>
    /// <param name="payload">The proposed bytes, valid for ever (never pooled).</param>
    AppliedEntry Apply(long index, long term, ReadOnlyMemory<byte> payload);

    /// <summary>Encodes the whole state as of the last applied entry.</summary>
    ReadOnlyMemory<byte> CaptureSnapshot();

    /// <summary>Replaces the whole state: at start, and when this node was too far behind the leader's log.</summary>
    /// <param name="index">The last index contained in the snapshot.</param>
    /// <param name="term">The term of that entry.</param>
    /// <param name="snapshot">Bytes of <see cref="CaptureSnapshot"/>, maybe of another node.</param>
    void InstallSnapshot(long index, long term, ReadOnlyMemory<byte> snapshot);

    /// <summary>
    /// The group's generation was fixed or raised (force-new-cluster) at this point of the log; the same call at the same
    /// point on every node. Not repeated after a snapshot: the state must remember it.
    /// </summary>
    /// <param name="index">Log index of the entry.</param>
    /// <param name="generation">1 for a new group; fencing tokens are (generation, index).</param>
    void GenerationChanged(long index, long generation)
    {
    }
}
