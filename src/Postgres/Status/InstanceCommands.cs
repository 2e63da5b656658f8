using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Npgsql;
using Npgsql.Replication;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Status;

/// <summary>Outcome of a command to PostgreSQL.</summary>
/// <param name="Error">Null when it succeeded.</param>
public readonly record struct CommandResult(string? Error)
{
    /// <summary>Success.</summary>
    public static CommandResult Ok => default;
    /// <summary>Whether it succeeded.</summary>
    public bool IsSuccess => Error is null;
}

/// <summary>Commands that need a connection of their own, because they take long or must not disturb the status connection.</summary>
public sealed class InstanceCommands(PostgresSettings settings) : IAsyncDisposable
{
    private static readonly TimeSpan PollPause = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan ReconnectPause = TimeSpan.FromMilliseconds(20);
    private readonly LocalServer _server = LocalServer.Of(settings, null);

    /// <summary>
    /// CHECKPOINT: before a planned stop, so that the shutdown checkpoint is short; after a promotion, so that others can rewind.
    /// </summary>
    public Task<CommandResult> CheckpointAsync(CancellationToken cancel) => RunAsync("CHECKPOINT", cancel);

    /// <summary>Runs a statement without result.</summary>
    public async Task<CommandResult> RunAsync(string sql, CancellationToken cancel)
    {
        try
        {
            await using NpgsqlConnection connection = await _server.OpenAsync(cancel);
            await using NpgsqlCommand command = new(sql, connection);
            await command.ExecuteNonQueryAsync(cancel);
            return CommandResult.Ok;
        }
        catch (Exception e) when (IsExpected(e))
        {
            return new(e.Message);
        }
    }

    /// <summary>
    /// Waits until a promotion is through: the server has left recovery and accepts writes. Null when time runs out or the server is
    /// gone; else the new timeline and the position where it began. A connection that fails is tried again: it says nothing about the promotion.
    /// </summary>
    /// <param name="limit">primary_start_timeout.</param>
    /// <param name="cancel">Stops waiting; the promotion goes on.</param>
    public async Task<PromotionOutcome?> WaitPromotedAsync(TimeSpan limit, CancellationToken cancel)
    {
        long begin = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begin) < limit && !cancel.IsCancellationRequested)
        {
            try
            {
                if (await PollPromotionAsync(begin, limit, cancel) is { } outcome) return outcome;
            }
            catch (Exception e) when (IsExpected(e))
            {
                if (Processes.PostmasterPidFile.Read(settings.DataDir) is not { } file || Processes.ProcFs.ReadStat(file.Pid) is null or { State: 'Z' }) return null;
            }
            await Task.Delay(ReconnectPause, CancellationToken.None);
        }
        return null;
    }

    private async Task<PromotionOutcome?> PollPromotionAsync(long begin, TimeSpan limit, CancellationToken cancel)
    {
        await using NpgsqlConnection connection = await _server.OpenAsync(cancel);
        await using NpgsqlCommand command = new("SELECT pg_catalog.pg_is_in_recovery()", connection);
        await command.PrepareAsync(cancel);
        while ((bool)(await command.ExecuteScalarAsync(cancel))!)
        {
            if (Stopwatch.GetElapsedTime(begin) >= limit) return null;
            await Task.Delay(PollPause, cancel);
        }
        await using NpgsqlCommand current = new("SELECT pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)", connection);
        TimelineId timeline = new(uint.Parse((string)(await current.ExecuteScalarAsync(cancel))!, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
        // The file is written before recovery ends (StartupXLOG, writeTimeLineHistory).
        string path = Path.Combine(settings.DataDir, "pg_wal", TimelineHistory.FileName(timeline));
        TimelineHistory? history = Directories.DurableFile.ReadOrNull(path) is { } text ? TimelineHistory.Parse(timeline, text) : null;
        return history is { Ancestors: [.., var last] } ? new(timeline, last.SwitchPoint, history, Stopwatch.GetElapsedTime(begin)) : null;
    }

    /// <summary>
    /// The timeline that a standby really replays, exactly (IDENTIFY_SYSTEM): <see cref="InstanceStatus.Timeline"/> is only a lower bound
    /// while nothing is streamed. Uses a WAL sender for a moment. Null when it cannot be asked.
    /// </summary>
    public async Task<TimelineId?> ReadReplayTimelineAsync(TimeSpan limit, CancellationToken cancel)
    {
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(limit);
        try
        {
            // A logical connection names a database, so that the rules of pg_hba.conf for the superuser cover it; nothing is decoded.
            await using LogicalReplicationConnection connection = new(_server.ConnectionString);
            await connection.Open(timeout.Token);
            return new(checked((uint)(await connection.IdentifySystem(timeout.Token)).Timeline));
        }
        catch (Exception e) when (IsExpected(e))
        {
            return null;
        }
    }

    /// <summary>
    /// Waits until a standby receives nothing any more and will not begin to: it has taken the empty primary_conninfo, and there is no WAL receiver. Returns why not, or null.
    /// A paused replay keeps the receiver: it ends only when recovery asks for the next WAL (measured).
    /// </summary>
    /// <param name="limit">Longest time to wait.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async Task<string?> WaitDetachedAsync(TimeSpan limit, CancellationToken cancel)
    {
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(limit);
        string last = "PostgreSQL does not answer";
        try
        {
            await using NpgsqlConnection connection = await _server.OpenAsync(timeout.Token);
            await using NpgsqlCommand command = new("""
                SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN ''
                  WHEN pg_catalog.current_setting('primary_conninfo') <> '' THEN 'PostgreSQL has not taken its new configuration'
                  WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver WHERE status IS NOT NULL) THEN
                    CASE WHEN pg_catalog.pg_is_wal_replay_paused() THEN 'the WAL receiver goes on because replay is paused' ELSE 'the WAL receiver goes on' END
                  ELSE '' END
                """, connection);
            while (true)
            {
                last = (string)(await command.ExecuteScalarAsync(timeout.Token))!;
                if (last.Length == 0) return null;
                await Task.Delay(PollPause, timeout.Token);
            }
        }
        catch (Exception e) when (IsExpected(e))
        {
            return $"{last} (after {limit.TotalSeconds:0.#} s)";
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _server.DisposeAsync();

    internal static bool IsExpected(Exception e) =>
        e is NpgsqlException or SocketException or IOException or TimeoutException or OperationCanceledException;
}

/// <summary>A finished promotion.</summary>
/// <param name="Timeline">The new timeline.</param>
/// <param name="ForkLsn">Where it began.</param>
/// <param name="History">Its history.</param>
/// <param name="Took">From the start of waiting.</param>
public sealed record PromotionOutcome(TimelineId Timeline, Lsn ForkLsn, TimelineHistory History, TimeSpan Took);
