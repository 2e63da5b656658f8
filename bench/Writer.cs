using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;

namespace Patroni.Raft.Bench;

/// <summary>
/// An application that writes all the time: one row after the other through a connection string with several hosts, connecting
/// again 50 ms after any error. Its longest gap between two acknowledged writes is how long the outage was for a client.
/// </summary>
internal sealed class Writer : IAsyncDisposable
{
    private static readonly TimeSpan ReconnectDelay = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(2);
    private readonly NpgsqlDataSource _source;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<(long Row, long At)> _acknowledged = new();
    private readonly Task _loop;

    private Writer(NpgsqlDataSource source)
    {
        _source = source;
        _loop = RunAsync();
    }

    /// <summary>Rows acknowledged so far.</summary>
    public int Count => _acknowledged.Count;

    public static async Task<Writer> StartAsync(string connectionString)
    {
        var source = Open(connectionString);
        await using (var command = source.CreateCommand("DROP TABLE IF EXISTS bench; CREATE TABLE bench (id bigint PRIMARY KEY)"))
        {
            await command.ExecuteNonQueryAsync();
        }

        return new Writer(source);
    }

    /// <summary>Waits until writes have been acknowledged without a longer pause for the given time.</summary>
    public async Task WaitSteadyAsync(TimeSpan steady, TimeSpan limit)
    {
        var watch = Stopwatch.StartNew();
        for (var since = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(since) < steady;)
        {
            if (watch.Elapsed > limit)
            {
                throw new TimeoutException($"No steady writes within {limit.TotalSeconds} s.");
            }

            var before = Count;
            await Task.Delay(100);
            if (Count == before)
            {
                since = Stopwatch.GetTimestamp();
            }
        }
    }

    /// <summary>Stops writing; returns the longest gap and how many acknowledged rows the final primary does not have.</summary>
    public async Task<(TimeSpan LongestGap, int Acknowledged, int Lost)> FinishAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        var rows = _acknowledged.ToArray();
        var gap = rows.Zip(rows.Skip(1), (a, b) => Stopwatch.GetElapsedTime(a.At, b.At)).DefaultIfEmpty().Max();
        var present = new HashSet<long>();
        await using var command = _source.CreateCommand("SELECT id FROM bench");
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            present.Add(reader.GetInt64(0));
        }

        return (gap, rows.Length, rows.Count(r => !present.Contains(r.Row)));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        await _source.DisposeAsync();
        _stop.Dispose();
    }

    private static NpgsqlDataSource Open(string connectionString) =>
        new NpgsqlDataSourceBuilder(connectionString).BuildMultiHost().WithTargetSession(TargetSessionAttributes.ReadWrite);

    private async Task RunAsync()
    {
        for (long row = 0; !_stop.IsCancellationRequested;)
        {
            try
            {
                await using var connection = await _source.OpenConnectionAsync(_stop.Token);
                while (!_stop.IsCancellationRequested)
                {
                    row++;
                    await using var command = new NpgsqlCommand("INSERT INTO bench VALUES ($1)", connection);
                    command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = row });
                    await command.ExecuteNonQueryAsync();
                    _acknowledged.Enqueue((row, Stopwatch.GetTimestamp()));
                    await Task.Delay(Pace);
                }
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException or OperationCanceledException or IOException or ObjectDisposedException or System.Net.Sockets.SocketException)
            {
                await Task.Delay(ReconnectDelay);
            }
        }
    }
}
