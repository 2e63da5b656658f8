namespace Patroni.Raft.Consensus;

/// <summary>
/// Names one proposal for ever: a retry after an unknown result carries the same id, so that the state machine
/// applies it once.
/// </summary>
/// <param name="Proposer">Who proposes: unique per process life (a random incarnation, for example), never reused.</param>
/// <param name="Sequence">Counts up within one proposer.</param>
public readonly record struct ProposalId(ulong Proposer, ulong Sequence)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Proposer:x16}/{Sequence}";
}
