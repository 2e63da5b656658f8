using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Status;

/// <summary>How the end of WAL held by an instance is known.</summary>
public enum EndOfWalBasis
{
    /// <summary>Not known: a restarted standby accepts connections while it is far behind WAL it has and had acknowledged.</summary>
    Unknown,
    /// <summary>A primary: it is its own flush position.</summary>
    Primary,
    /// <summary>
    /// The startup process has asked for streaming: it does so only when it has replayed all WAL it has; from then on the
    /// WAL receiver's flush position counts on from there.
    /// </summary>
    Streamed,
    /// <summary>The startup process waits for WAL to appear after it found nothing more locally or in the archive.</summary>
    RecoveryWaits,
}

/// <summary>The end of the WAL that an instance holds and would replay before a promotion, when that is known for certain.</summary>
/// <param name="Basis">Why it is known.</param>
/// <param name="Lsn">
/// The position; zero when unknown. Every acknowledged commit that was received lies before it. While it is a received position it may end
/// inside of a record that never came whole (measured: primaries flush at page boundaries), so a promotion may fork less than a record before it.
/// </param>
public readonly record struct KnownEndOfWal(EndOfWalBasis Basis, Lsn Lsn)
{
    /// <summary>Whether the node may stand for election with it.</summary>
    public bool IsKnown => Basis != EndOfWalBasis.Unknown;

    /// <summary>
    /// Judges a standby (rule: architecture, "a standby may stand only with a known end of local WAL"). The receive position is
    /// NULL until the startup process requests streaming (walreceiverfuncs.c, RequestXLogStreaming), which WaitForWALToBecomeAvailable
    /// (xlogrecovery.c) does only after archive and pg_wal gave no further valid record; it may be set to the beginning of a segment, hence
    /// the maximum with the replay position. The wait events are those of the same function when every source has failed.
    /// A paused or delayed replay shows neither, and stays unknown.
    /// </summary>
    /// <param name="receive">pg_last_wal_receive_lsn().</param>
    /// <param name="replay">pg_last_wal_replay_lsn(), read after the wait event.</param>
    /// <param name="startupWaitEvent">wait_event of the startup process.</param>
    public static KnownEndOfWal OfStandby(Lsn? receive, Lsn? replay, string? startupWaitEvent)
    {
        Lsn replayed = replay ?? Lsn.Zero;
        if (receive is { IsValid: true } received) return new(EndOfWalBasis.Streamed, Lsn.Max(received, replayed));
        // RecoveryWalAll is version 12's name for the wait in which all sources are exhausted.
        return replayed.IsValid && startupWaitEvent is "RecoveryRetrieveRetryInterval" or "RecoveryWalStream" or "RecoveryWalAll"
            ? new(EndOfWalBasis.RecoveryWaits, replayed)
            : default;
    }
}
