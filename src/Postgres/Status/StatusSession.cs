using System.Collections.Immutable;
using System.Globalization;
using Npgsql;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Status;

/// <summary>An open connection with the prepared status queries; four statements, one round trip.</summary>
internal sealed class StatusSession : IAsyncDisposable
{
    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlBatch _batch;
    private readonly PostgresSettings _settings;
    private readonly ImmutableSortedDictionary<string, string> _enforced;
    private readonly int _version;

    private StatusSession(NpgsqlConnection connection, NpgsqlBatch batch, PostgresSettings settings)
    {
        _connection = connection;
        _batch = batch;
        _settings = settings;
        _enforced = EnforcedParameters.Configured(settings);
        _version = connection.PostgreSqlVersion.Major * 10000 + connection.PostgreSqlVersion.Minor;
    }

    internal static async Task<StatusSession> OpenAsync(LocalServer server, PostgresSettings settings, CancellationToken cancel)
    {
        NpgsqlConnection connection = await server.OpenAsync(cancel);
        try
        {
            NpgsqlBatch batch = new(connection);
            int major = connection.PostgreSqlVersion.Major;
            foreach (string sql in new[] { Main(major), Replication, Slots(major), Settings(settings) }) batch.BatchCommands.Add(new(sql));
            await batch.PrepareAsync(cancel);
            return new(connection, batch, settings);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    internal async Task<InstanceStatus> ReadAsync(CancellationToken cancel)
    {
        await using NpgsqlDataReader reader = await _batch.ExecuteReaderAsync(cancel);
        await reader.ReadAsync(cancel);
        InstanceStatus main = ReadMain(reader);
        await reader.NextResultAsync(cancel);
        var replication = ImmutableArray.CreateBuilder<ReplicationClient>();
        while (await reader.ReadAsync(cancel))
            replication.Add(new(Text(reader, 0), Text(reader, 1) ?? "", Text(reader, 2), Text(reader, 3) ?? "", Text(reader, 4) ?? "",
                reader.IsDBNull(5) ? 0 : reader.GetInt32(5), Position(reader, 6), Position(reader, 7), Position(reader, 8)));
        await reader.NextResultAsync(cancel);
        var slots = ImmutableArray.CreateBuilder<ReplicationSlot>();
        while (await reader.ReadAsync(cancel))
            slots.Add(new(Text(reader, 0)!, Text(reader, 1) == "physical", Text(reader, 2), Text(reader, 3), reader.GetBoolean(4),
                Position(reader, 5), Position(reader, 6), Text(reader, 7)));
        await reader.NextResultAsync(cancel);
        var pending = ImmutableArray.CreateBuilder<PendingSetting>();
        while (await reader.ReadAsync(cancel))
            if (Pending(reader) is { } setting) pending.Add(setting);
        return main with { Replication = replication.ToImmutable(), Slots = slots.ToImmutable(), PendingRestart = pending.ToImmutable() };
    }

    public async ValueTask DisposeAsync()
    {
        await _batch.DisposeAsync();
        await _connection.DisposeAsync();
    }

    // The wait event comes before the positions: seen waiting first, then the position is that of the wait or later, never earlier.
    // CASE keeps functions from being called in the role in which they raise an error.
    private static string Main(int major) => $"""
        SELECT pg_catalog.pg_postmaster_start_time(), x.r, s.system_identifier::text, c.timeline_id, m.min_recovery_end_timeline,
          CASE WHEN x.r THEN NULL ELSE pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END,
          CASE WHEN x.r THEN NULL ELSE pg_catalog.pg_current_wal_lsn()::text END,
          CASE WHEN x.r THEN NULL ELSE pg_catalog.pg_current_wal_flush_lsn()::text END,
          CASE WHEN x.r THEN (SELECT a.wait_event FROM pg_catalog.pg_stat_activity a WHERE a.backend_type = 'startup' LIMIT 1) END,
          CASE WHEN x.r THEN pg_catalog.pg_last_wal_receive_lsn()::text END,
          CASE WHEN x.r THEN pg_catalog.pg_last_wal_replay_lsn()::text END,
          CASE WHEN x.r THEN pg_catalog.pg_last_xact_replay_timestamp() END,
          CASE WHEN x.r THEN pg_catalog.pg_is_wal_replay_paused() ELSE false END,
          w.status, w.slot_name, w.sender_host, w.sender_port, w.received_tli, w.{(major >= 13 ? "flushed_lsn" : "received_lsn")}::text,
          pg_catalog.current_setting('synchronous_standby_names'), pg_catalog.current_setting('server_version_num'),
          CASE WHEN x.r THEN pg_catalog.current_setting('primary_conninfo') END
        FROM (SELECT pg_catalog.pg_is_in_recovery() AS r) x
          CROSS JOIN pg_catalog.pg_control_system() s CROSS JOIN pg_catalog.pg_control_checkpoint() c CROSS JOIN pg_catalog.pg_control_recovery() m
          LEFT JOIN pg_catalog.pg_stat_wal_receiver w ON true
        """;

    private const string Replication = """
        SELECT usename::text, application_name, host(client_addr), state, sync_state, sync_priority, sent_lsn::text, flush_lsn::text, replay_lsn::text
        FROM pg_catalog.pg_stat_replication ORDER BY application_name, pid
        """;

    private static string Slots(int major) => $"""
        SELECT slot_name::text, slot_type, plugin::text, database::text, active, restart_lsn::text, confirmed_flush_lsn::text, {(major >= 13 ? "wal_status" : "NULL::text")}
        FROM pg_catalog.pg_replication_slots WHERE NOT temporary ORDER BY slot_name
        """;

    private static string Settings(PostgresSettings settings) => $"""
        SELECT name, setting, unit, vartype, pg_catalog.current_setting(name, true), pending_restart FROM pg_catalog.pg_settings
        WHERE pending_restart OR name IN ({string.Join(", ", EnforcedParameters.Configured(settings).Keys.Select(name => $"'{name}'"))})
        """;

    private InstanceStatus ReadMain(NpgsqlDataReader reader)
    {
        bool recovery = reader.GetBoolean(1);
        TimelineId checkpoint = new((uint)reader.GetInt32(3));
        Lsn? receive = Position(reader, 9), replay = Position(reader, 10), flush = Position(reader, 7);
        WalReceiver? receiver = reader.IsDBNull(13) ? null : new(reader.GetString(13), Text(reader, 14), Text(reader, 15),
            reader.IsDBNull(16) ? null : reader.GetInt32(16), reader.IsDBNull(17) ? TimelineId.Unknown : new((uint)reader.GetInt32(17)), Position(reader, 18));
        return new()
        {
            PostmasterStartTime = new DateTimeOffset(reader.GetDateTime(0)),
            InRecovery = recovery,
            ServerVersion = int.Parse(reader.GetString(20), CultureInfo.InvariantCulture),
            SystemIdentifier = SystemIdentifier(reader.GetString(2)),
            CheckpointTimeline = checkpoint,
            Timeline = recovery
                ? Highest(receiver is { FlushedLsn.IsValid: true } ? receiver.Timeline : TimelineId.Unknown, checkpoint,
                    reader.IsDBNull(4) ? TimelineId.Unknown : new((uint)reader.GetInt32(4)))
                : new(uint.Parse(reader.GetString(5), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)),
            WriteLsn = Position(reader, 6) ?? Lsn.Zero,
            FlushLsn = flush ?? Lsn.Zero,
            ReceiveLsn = receive,
            ReplayLsn = replay,
            ReplayTimestamp = reader.IsDBNull(11) ? null : new DateTimeOffset(reader.GetDateTime(11)),
            ReplayPaused = reader.GetBoolean(12),
            EndOfWal = recovery ? KnownEndOfWal.OfStandby(receive, replay, Text(reader, 8)) : new(EndOfWalBasis.Primary, flush ?? Lsn.Zero),
            Receiver = receiver,
            Replication = [],
            Slots = [],
            PendingRestart = [],
            SynchronousStandbyNames = reader.GetString(19),
            PrimaryConninfo = Text(reader, 21) ?? "",
        };
    }

    private PendingSetting? Pending(NpgsqlDataReader reader)
    {
        string name = reader.GetString(0), shown = Text(reader, 4) ?? "";
        if (_enforced.TryGetValue(name, out string? wanted))
            return ParameterValue.Same(reader.GetString(3), Text(reader, 2), reader.GetString(1), wanted) ? null : new(name, shown, wanted);
        return reader.GetBoolean(5) ? new(name, shown, _settings.Parameters.GetValueOrDefault(name)) : null;
    }

    private static TimelineId Highest(TimelineId a, TimelineId b, TimelineId c) => new(Math.Max(a.Value, Math.Max(b.Value, c.Value)));

    // PostgreSQL shows the unsigned number as signed bigint in SQL, but unsigned in pg_controldata and IDENTIFY_SYSTEM.
    private static ulong SystemIdentifier(string text) => unchecked((ulong)long.Parse(text, CultureInfo.InvariantCulture));

    private static string? Text(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    private static Lsn? Position(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : Lsn.Parse(reader.GetString(column));
}
