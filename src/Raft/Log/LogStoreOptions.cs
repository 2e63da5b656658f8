namespace Patroni.Raft.Consensus.Log;

/// <summary>Limits of the log.</summary>
/// <param name="RetainedBytes">Entries of about this size stay behind a snapshot.</param>
/// <param name="FrameBytesLimit">A group commit takes no further operation beyond this size.</param>
internal sealed record LogStoreOptions(long RetainedBytes = 1024 * 1024, int FrameBytesLimit = 4 * 1024 * 1024);
