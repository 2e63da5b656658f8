using System.Net;

namespace Patroni.Raft.Consensus;

/// <summary>Nobody leads, or the leader was not reachable, until the timeout; the proposal was never appended by a leader that this node knows of.</summary>
public sealed class NoLeaderException(string message) : Exception(message);

/// <summary>
/// The proposal reached a leader but its result did not come back before the timeout. It may be applied later
/// (usually is): retry with the same id.
/// </summary>
public sealed class ProposalOutcomeUnknownException(ProposalId id, string message) : Exception(message)
{
    /// <summary>The proposal whose outcome is unknown.</summary>
    public ProposalId Id { get; } = id;
}

/// <summary>The node has stopped for good: its disk failed, or it met an entry that it cannot apply. The process must end.</summary>
public sealed class RaftStoppedException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>Why a node refuses to start.</summary>
public enum RaftStartFailure
{
    /// <summary>Options contradict each other or miss something.</summary>
    Configuration,

    /// <summary>The address is used by another process.</summary>
    AddressInUse,

    /// <summary>The data directory is used by another process.</summary>
    DirectoryInUse,

    /// <summary>The data directory cannot be read or written.</summary>
    DirectoryUnusable,

    /// <summary>The log, snapshot or meta file is damaged or missing.</summary>
    LogDamaged,

    /// <summary>The data directory is empty but the partners already form a group: remove this member and join it again.</summary>
    DirectoryLost,

    /// <summary>The data belong to another group, another address or a later version.</summary>
    IdentityMismatch,
}

/// <summary>A refusal to start, in one sentence for the operator.</summary>
public sealed class RaftStartException(RaftStartFailure failure, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The kind of refusal.</summary>
    public RaftStartFailure Failure { get; } = failure;
}
