using System.Diagnostics;
using System.Net.Sockets;
using Npgsql;
using Patroni.Raft.Postgres.Configuration;

namespace Patroni.Raft.Postgres.Status;

/// <summary>
/// Asks the local PostgreSQL for its status over one connection, kept open and reopened when it breaks. A call returns within its
/// limit whatever PostgreSQL does; an answer that comes later is thrown away with its connection. One call at a time.
/// </summary>
public sealed class StatusReader : IAsyncDisposable
{
    private readonly LocalServer _server;
    private readonly PostgresSettings _settings;
    private StatusSession? _session;
    private volatile bool _disposed;

    /// <summary>Connects at the first call.</summary>
    public StatusReader(PostgresSettings settings)
    {
        _settings = settings;
        _server = LocalServer.Of(settings, TimeSpan.FromSeconds(30));
    }

    /// <summary>One snapshot.</summary>
    /// <param name="limit">Longest time to wait for it.</param>
    public async Task<StatusResult> ReadAsync(TimeSpan limit)
    {
        long begin = Stopwatch.GetTimestamp();
        CancellationTokenSource cancel = new();
        // Not inline: connecting may block in name resolution, and cancelling may block in closing.
        Task<StatusResult> work = Task.Run(() => ReadCoreAsync(begin, cancel.Token), CancellationToken.None);
        try
        {
            return await work.WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            _ = Task.Run(async () =>
            {
                cancel.Cancel();
                await work.ContinueWith(static _ => { }, TaskScheduler.Default);
                cancel.Dispose();
            });
            return new StatusResult.Unresponsive(Stopwatch.GetElapsedTime(begin));
        }
    }

    private async Task<StatusResult> ReadCoreAsync(long begin, CancellationToken cancel)
    {
        for (int attempt = 0; ; attempt++)
        {
            StatusSession? session = Interlocked.Exchange(ref _session, null);
            bool reused = session is not null;
            try
            {
                session ??= await StatusSession.OpenAsync(_server, _settings, cancel);
                InstanceStatus status = await session.ReadAsync(cancel);
                await KeepAsync(session, cancel);
                return new StatusResult.Answered(status, Stopwatch.GetElapsedTime(begin));
            }
            catch (Exception e) when (e is NpgsqlException or SocketException or IOException or OperationCanceledException or InvalidOperationException or TimeoutException)
            {
                if (session is not null) await session.DisposeAsync();
                // Once more on a new connection: the kept one was broken by a restart, or a promotion fell between two functions.
                if (attempt == 0 && !cancel.IsCancellationRequested && (reused || e is PostgresException { SqlState: PostgresErrorCodes.ObjectNotInPrerequisiteState }))
                    continue;
                return Classify(e, begin);
            }
        }
    }

    // An answer that came too late does not displace the connection of a later call, nor outlive the reader.
    private async Task KeepAsync(StatusSession session, CancellationToken cancel)
    {
        if (cancel.IsCancellationRequested || Interlocked.CompareExchange(ref _session, session, null) is not null) await session.DisposeAsync();
        else if (_disposed && Interlocked.Exchange(ref _session, null) is { } late) await late.DisposeAsync();
    }

    private static StatusResult Classify(Exception e, long begin) => e switch
    {
        PostgresException { SqlState: PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown } p =>
            new StatusResult.NotAccepting(PhaseOf(p), p.MessageText),
        PostgresException { SqlState: PostgresErrorCodes.QueryCanceled } => new StatusResult.Unresponsive(Stopwatch.GetElapsedTime(begin)),
        PostgresException p => new StatusResult.Rejected(p.SqlState, p.MessageText),
        OperationCanceledException or TimeoutException => new StatusResult.Unresponsive(Stopwatch.GetElapsedTime(begin)),
        NpgsqlException { InnerException: TimeoutException } => new StatusResult.Unresponsive(Stopwatch.GetElapsedTime(begin)),
        _ => new StatusResult.NotAccepting(ServerPhase.NotListening, e.InnerException?.Message ?? e.Message),
    };

    // The server gives its phases one SQLSTATE. Its texts are stable but translated (lc_messages), so what is not recognised counts as starting up.
    private static ServerPhase PhaseOf(PostgresException e) =>
        e.SqlState is PostgresErrorCodes.AdminShutdown || e.Routine == "ProcessStartupPacket" && e.MessageText.Contains("shutting down", StringComparison.Ordinal) ? ServerPhase.ShuttingDown
        : e.SqlState is PostgresErrorCodes.CrashShutdown || e.MessageText.Contains("in recovery mode", StringComparison.Ordinal) ? ServerPhase.CrashRestart
        : ServerPhase.StartingUp;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        if (Interlocked.Exchange(ref _session, null) is { } session) await session.DisposeAsync();
        await _server.DisposeAsync();
    }
}
