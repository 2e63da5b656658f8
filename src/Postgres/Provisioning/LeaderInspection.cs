using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Npgsql;
using Npgsql.Replication;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Provisioning;

/// <summary>What a rewind needs to know of the server it takes for its source.</summary>
/// <param name="SystemIdentifier">Its database system identifier.</param>
/// <param name="InRecovery">Whether it is a standby.</param>
/// <param name="CheckpointTimeline">Timeline of its last checkpoint.</param>
/// <param name="History">Its timeline and ancestors.</param>
public sealed record LeaderInspection(ulong SystemIdentifier, bool InRecovery, TimelineId CheckpointTimeline, TimelineHistory History)
{
    /// <summary>
    /// Whether the control file shows the current timeline. Before the first checkpoint after a promotion pg_rewind reads the old
    /// one there and answers "same timeline" (measured).
    /// </summary>
    public bool HasCheckpointed => CheckpointTimeline == History.Timeline;

    /// <summary>Asks the server; everything used is allowed to the rewind user (pg_read_binary_file is granted to it).</summary>
    public static Task<(LeaderInspection? Leader, string? Error)> ReadAsync(
        PostgresAddress address, Credentials user, string database, TimeSpan limit, CancellationToken cancel = default) => AskAsync(address, limit, cancel, async timeout =>
    {
        await using LocalServer server = LocalServer.At(address, user, database, limit);
        await using NpgsqlConnection connection = await server.OpenAsync(timeout);
        await using NpgsqlCommand command = new("""
            SELECT s.system_identifier::text, pg_catalog.pg_is_in_recovery(), c.timeline_id,
              CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END
            FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c
            """, connection);
        ulong system;
        bool recovery;
        TimelineId checkpoint, current;
        await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync(timeout))
        {
            await reader.ReadAsync(timeout);
            system = unchecked((ulong)long.Parse(reader.GetString(0), CultureInfo.InvariantCulture));
            recovery = reader.GetBoolean(1);
            checkpoint = new((uint)reader.GetInt32(2));
            current = recovery ? checkpoint : new(uint.Parse(reader.GetString(3), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
        }
        TimelineHistory? history = new(current, []);
        if (current.Value > 1)
        {
            await using NpgsqlCommand read = new($"SELECT pg_catalog.pg_read_binary_file('pg_wal/{TimelineHistory.FileName(current)}')", connection);
            byte[] content = (byte[])(await read.ExecuteScalarAsync(timeout))!;
            history = TimelineHistory.Parse(current, Encoding.UTF8.GetString(content));
            if (history is null) return (null, $"{TimelineHistory.FileName(current)} of {address} cannot be understood");
        }
        return ((LeaderInspection?)new LeaderInspection(system, recovery, checkpoint, history), (string?)null);
    });

    /// <summary>Asks a server for its database system identifier, as a clone would reach it (IDENTIFY_SYSTEM).</summary>
    /// <returns>The identifier, or null and why there is none.</returns>
    public static Task<(ulong? SystemIdentifier, string? Error)> IdentifyAsync(
        PostgresAddress address, Credentials replication, TimeSpan limit, CancellationToken cancel = default) => AskAsync(address, limit, cancel, async timeout =>
    {
        await using LocalServer server = LocalServer.At(address, replication, "", null);
        await using PhysicalReplicationConnection connection = new(server.ConnectionString);
        await connection.Open(timeout);
        return ((ulong?)ulong.Parse((await connection.IdentifySystem(timeout)).SystemId, CultureInfo.InvariantCulture), (string?)null);
    });

    private static async Task<(T? Answer, string? Error)> AskAsync<T>(
        PostgresAddress address, TimeSpan limit, CancellationToken cancel, Func<CancellationToken, Task<(T?, string?)>> ask)
    {
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(limit);
        try
        {
            return await ask(timeout.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return (default, $"{address} did not answer within {limit.TotalSeconds:F1} s");
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or IOException or TimeoutException or FormatException)
        {
            return (default, $"{address}: {e.Message}");
        }
    }
}
