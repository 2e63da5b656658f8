using System.Collections.Immutable;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Status;

/// <summary>One snapshot of a PostgreSQL that answered, taken in one round trip.</summary>
public sealed record InstanceStatus
{
    /// <summary>pg_postmaster_start_time().</summary>
    public required DateTimeOffset PostmasterStartTime { get; init; }
    /// <summary>pg_is_in_recovery().</summary>
    public required bool InRecovery { get; init; }
    /// <summary>server_version_num, for example 150008.</summary>
    public required int ServerVersion { get; init; }
    /// <summary>Database system identifier.</summary>
    public required ulong SystemIdentifier { get; init; }
    /// <summary>
    /// On a primary the timeline it writes. On a standby the timeline of the WAL receiver, or else the highest of the last
    /// restart point and the minimum recovery end: a lower bound of what is replayed.
    /// </summary>
    public required TimelineId Timeline { get; init; }
    /// <summary>Timeline of the latest checkpoint or restart point in the control file.</summary>
    public required TimelineId CheckpointTimeline { get; init; }
    /// <summary>Primary: pg_current_wal_lsn(); else zero.</summary>
    public required Lsn WriteLsn { get; init; }
    /// <summary>Primary: pg_current_wal_flush_lsn(); else zero.</summary>
    public required Lsn FlushLsn { get; init; }
    /// <summary>Standby: pg_last_wal_receive_lsn(); null when nothing was streamed since the start.</summary>
    public required Lsn? ReceiveLsn { get; init; }
    /// <summary>Standby: pg_last_wal_replay_lsn().</summary>
    public required Lsn? ReplayLsn { get; init; }
    /// <summary>pg_last_xact_replay_timestamp().</summary>
    public required DateTimeOffset? ReplayTimestamp { get; init; }
    /// <summary>pg_is_wal_replay_paused().</summary>
    public required bool ReplayPaused { get; init; }
    /// <summary>Standby: what is known about the end of WAL held here.</summary>
    public required KnownEndOfWal EndOfWal { get; init; }
    /// <summary>The WAL receiver; null when there is none.</summary>
    public required WalReceiver? Receiver { get; init; }
    /// <summary>Standby: primary_conninfo in effect; empty when it is pointed to nobody.</summary>
    public string PrimaryConninfo { get; init; } = "";
    /// <summary>pg_stat_replication.</summary>
    public required ImmutableArray<ReplicationClient> Replication { get; init; }
    /// <summary>pg_replication_slots.</summary>
    public required ImmutableArray<ReplicationSlot> Slots { get; init; }
    /// <summary>Settings that were changed but need a restart.</summary>
    public required ImmutableArray<PendingSetting> PendingRestart { get; init; }
    /// <summary>synchronous_standby_names in effect.</summary>
    public required string SynchronousStandbyNames { get; init; }

    /// <summary>To whom a standby is pointed, also while nobody answers there; null for a primary, and for a standby that is pointed to nobody.</summary>
    public (string Host, int Port)? Upstream
    {
        get
        {
            if (Receiver is { SenderHost: { } sender, SenderPort: { } senderPort }) return (sender, senderPort);
            if (PrimaryConninfo.Length == 0) return null;
            IReadOnlyDictionary<string, string>? pairs = Conninfo.Parse(PrimaryConninfo);
            return (pairs?.GetValueOrDefault("host") ?? "", int.TryParse(pairs?.GetValueOrDefault("port"), out int port) ? port : 5432);
        }
    }

    /// <summary>Major version, for example 15.</summary>
    public int MajorVersion => ServerVersion / 10000;

    /// <summary>Primary: flush position; standby: the highest position received or replayed.</summary>
    public Lsn LastLsn => InRecovery ? Lsn.Max(ReceiveLsn ?? Lsn.Zero, ReplayLsn ?? Lsn.Zero) : FlushLsn;
}

/// <summary>pg_stat_wal_receiver.</summary>
/// <param name="State">starting, streaming, waiting, restarting, stopping.</param>
/// <param name="Slot">Slot it uses.</param>
/// <param name="SenderHost">Host it is connected to.</param>
/// <param name="SenderPort">Port of it.</param>
/// <param name="Timeline">received_tli.</param>
/// <param name="FlushedLsn">flushed_lsn.</param>
public sealed record WalReceiver(string State, string? Slot, string? SenderHost, int? SenderPort, TimelineId Timeline, Lsn? FlushedLsn)
{
    /// <summary>Whether WAL flows.</summary>
    public bool IsStreaming => State == "streaming";
}

/// <summary>One row of pg_stat_replication.</summary>
public sealed record ReplicationClient(
    string? User, string ApplicationName, string? ClientAddress, string State, string SyncState, int SyncPriority,
    Lsn? SentLsn, Lsn? FlushLsn, Lsn? ReplayLsn);

/// <summary>One row of pg_replication_slots.</summary>
public sealed record ReplicationSlot(
    string Name, bool IsPhysical, string? Plugin, string? Database, bool Active, Lsn? RestartLsn, Lsn? ConfirmedFlushLsn, string? WalStatus);

/// <summary>A setting whose new value needs a restart.</summary>
/// <param name="Name">Parameter.</param>
/// <param name="OldValue">In effect now.</param>
/// <param name="NewValue">After a restart; null when it is not known (set outside of our files).</param>
public sealed record PendingSetting(string Name, string OldValue, string? NewValue);

/// <summary>Outcome of asking PostgreSQL for its status.</summary>
public abstract record StatusResult
{
    private StatusResult() { }
    /// <summary>It answered.</summary>
    /// <param name="Status">The snapshot.</param>
    /// <param name="Took">Round trip.</param>
    public sealed record Answered(InstanceStatus Status, TimeSpan Took) : StatusResult;
    /// <summary>It accepts no connections: not running, or (SQLSTATE 57P03) starting, stopping, recovering.</summary>
    /// <param name="Phase">What it says about itself.</param>
    /// <param name="Reason">The error.</param>
    public sealed record NotAccepting(ServerPhase Phase, string Reason) : StatusResult;
    /// <summary>It refused us although it runs: authentication, too many clients, missing database.</summary>
    public sealed record Rejected(string SqlState, string Reason) : StatusResult;
    /// <summary>No answer within the limit: hung, stopped or overloaded.</summary>
    public sealed record Unresponsive(TimeSpan After) : StatusResult;
}

/// <summary>Why a server accepts no connections.</summary>
public enum ServerPhase
{
    /// <summary>Nobody listens.</summary>
    NotListening,
    /// <summary>"the database system is starting up" or not yet accepting connections.</summary>
    StartingUp,
    /// <summary>"the database system is shutting down".</summary>
    ShuttingDown,
    /// <summary>"the database system is in recovery mode": it restarts after a crash of a backend.</summary>
    CrashRestart,
}
