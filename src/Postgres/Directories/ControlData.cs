using System.Globalization;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Directories;

/// <summary>"Database cluster state" of pg_controldata.</summary>
public enum ClusterRunState
{
    /// <summary>A word we do not know.</summary>
    Unknown,
    /// <summary>starting up</summary>
    StartingUp,
    /// <summary>shut down: cleanly, as a primary.</summary>
    ShutDown,
    /// <summary>shut down in recovery: cleanly, as a standby.</summary>
    ShutDownInRecovery,
    /// <summary>shutting down</summary>
    ShuttingDown,
    /// <summary>in crash recovery</summary>
    InCrashRecovery,
    /// <summary>in archive recovery: a running or crashed standby.</summary>
    InArchiveRecovery,
    /// <summary>in production: a running or crashed primary.</summary>
    InProduction,
}

/// <summary>What pg_controldata tells about a data directory.</summary>
public sealed record ControlData
{
    /// <summary>Database system identifier; equal on all members of a cluster.</summary>
    public required ulong SystemIdentifier { get; init; }
    /// <summary>Database cluster state.</summary>
    public required ClusterRunState State { get; init; }
    /// <summary>Latest checkpoint location: the start of that record.</summary>
    public required Lsn CheckpointLocation { get; init; }
    /// <summary>Latest checkpoint's REDO location.</summary>
    public required Lsn CheckpointRedo { get; init; }
    /// <summary>Latest checkpoint's TimeLineID.</summary>
    public required TimelineId CheckpointTimeline { get; init; }
    /// <summary>Latest checkpoint's PrevTimeLineID.</summary>
    public required TimelineId PreviousTimeline { get; init; }
    /// <summary>Minimum recovery ending location; 0/0 for a primary.</summary>
    public required Lsn MinRecoveryEnd { get; init; }
    /// <summary>Min recovery ending loc's timeline; unknown for a primary.</summary>
    public required TimelineId MinRecoveryEndTimeline { get; init; }
    /// <summary>Bytes per WAL segment.</summary>
    public required int WalSegmentSizeBytes { get; init; }
    /// <summary>Whether data checksums are on.</summary>
    public required bool DataChecksums { get; init; }
    /// <summary>wal_log_hints setting.</summary>
    public required bool WalLogHints { get; init; }
    /// <summary>The settings that a standby may not have lower than its primary had.</summary>
    public required StandbyLimits Limits { get; init; }
    /// <summary>Major version from PG_VERSION, for example 15.</summary>
    public required int MajorVersion { get; init; }

    /// <summary>Whether it was stopped cleanly; else a start begins with crash recovery.</summary>
    public bool IsCleanShutdown => State is ClusterRunState.ShutDown or ClusterRunState.ShutDownInRecovery;

    /// <summary>Whether pg_rewind can work on it (manual, pg_rewind, "Warnings").</summary>
    public bool AllowsRewind => DataChecksums || WalLogHints;

    /// <summary>Whether the directory last ran as a standby.</summary>
    public bool WasInRecovery => State is ClusterRunState.ShutDownInRecovery or ClusterRunState.InArchiveRecovery && MinRecoveryEnd.IsValid;

    /// <summary>
    /// Parses the output of pg_controldata run with LC_ALL=C.
    /// </summary>
    /// <param name="text">Its standard output.</param>
    /// <param name="majorVersion">From PG_VERSION.</param>
    /// <param name="missing">The first line that is missing or not understood.</param>
    public static ControlData? Parse(string text, int majorVersion, out string? missing)
    {
        Fields fields = new(text);
        ControlData data = new()
        {
            SystemIdentifier = fields.Number("Database system identifier"),
            State = fields.State("Database cluster state"),
            CheckpointLocation = fields.Position("Latest checkpoint location"),
            CheckpointRedo = fields.Position("Latest checkpoint's REDO location"),
            CheckpointTimeline = new((uint)fields.Number("Latest checkpoint's TimeLineID")),
            PreviousTimeline = new((uint)fields.Number("Latest checkpoint's PrevTimeLineID")),
            MinRecoveryEnd = fields.Position("Minimum recovery ending location"),
            MinRecoveryEndTimeline = new((uint)fields.Number("Min recovery ending loc's timeline")),
            WalSegmentSizeBytes = (int)fields.Number("Bytes per WAL segment"),
            DataChecksums = fields.Number("Data page checksum version") != 0,
            WalLogHints = fields.Text("wal_log_hints setting") == "on",
            Limits = new(
                (int)fields.Number("max_connections setting"),
                (int)fields.Number("max_worker_processes setting"),
                (int)fields.Number("max_wal_senders setting"),
                (int)fields.Number("max_prepared_xacts setting"),
                (int)fields.Number("max_locks_per_xact setting")),
            MajorVersion = majorVersion,
        };
        missing = fields.FirstProblem;
        return missing is null ? data : null;
    }

    private sealed class Fields
    {
        private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);

        internal Fields(string text)
        {
            foreach (string line in text.Split('\n'))
            {
                int colon = line.IndexOf(':');
                if (colon > 0) _values[line[..colon]] = line[(colon + 1)..].Trim();
            }
        }

        internal string? FirstProblem { get; private set; }

        internal string Text(string name)
        {
            if (_values.TryGetValue(name, out string? value)) return value;
            FirstProblem ??= name;
            return "";
        }

        internal ulong Number(string name)
        {
            if (ulong.TryParse(Text(name), NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)) return value;
            FirstProblem ??= name;
            return 0;
        }

        internal Lsn Position(string name)
        {
            if (Lsn.TryParse(Text(name), out Lsn value)) return value;
            FirstProblem ??= name;
            return Lsn.Zero;
        }

        internal ClusterRunState State(string name) => Text(name) switch
        {
            "starting up" => ClusterRunState.StartingUp,
            "shut down" => ClusterRunState.ShutDown,
            "shut down in recovery" => ClusterRunState.ShutDownInRecovery,
            "shutting down" => ClusterRunState.ShuttingDown,
            "in crash recovery" => ClusterRunState.InCrashRecovery,
            "in archive recovery" => ClusterRunState.InArchiveRecovery,
            "in production" => ClusterRunState.InProduction,
            _ => ClusterRunState.Unknown,
        };
    }
}

/// <summary>Settings that a hot standby needs at least as high as its primary (manual, "Hot Standby", administrator's overview).</summary>
/// <param name="MaxConnections">max_connections.</param>
/// <param name="MaxWorkerProcesses">max_worker_processes.</param>
/// <param name="MaxWalSenders">max_wal_senders.</param>
/// <param name="MaxPreparedTransactions">max_prepared_transactions.</param>
/// <param name="MaxLocksPerTransaction">max_locks_per_transaction.</param>
public sealed record StandbyLimits(int MaxConnections, int MaxWorkerProcesses, int MaxWalSenders, int MaxPreparedTransactions, int MaxLocksPerTransaction);
