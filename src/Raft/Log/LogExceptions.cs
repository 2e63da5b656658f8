namespace Patroni.Raft.Consensus.Log;

/// <summary>The log refuses an operation that would break a rule of Raft; nothing was written.</summary>
internal sealed class LogRefusedException(string message) : InvalidOperationException(message);

/// <summary>A file of the log is damaged, missing or of a later version; nothing was changed.</summary>
internal sealed class LogDamagedException(string message) : IOException(message + Advice)
{
    private const string Advice =
        " This node does not start with a log that it cannot trust. If the other members have a quorum: remove this member from the group,"
        + " empty its Raft directory and let it join again. If not: restore the directory from this very node, or see docs/raft-log.md.";
}
