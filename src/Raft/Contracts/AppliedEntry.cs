namespace Patroni.Raft.Consensus;

/// <summary>What the state machine made of one command.</summary>
/// <param name="Id">The proposal that the entry carried.</param>
/// <param name="Outcome">The answer for whoever waits for <paramref name="Id"/>; the remembered one if the entry was a duplicate.</param>
public readonly record struct AppliedEntry(ProposalId Id, ReadOnlyMemory<byte> Outcome);
