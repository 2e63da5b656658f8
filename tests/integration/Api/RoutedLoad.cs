using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;
using Patroni.Raft.IntegrationTests.Cluster.Harness;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>An application behind HAProxy: a writer that keeps its connection while it can, and a reader with a new connection for every question.</summary>
internal sealed class RoutedLoad : IAsyncDisposable
{
    private readonly CancellationTokenSource ending = new();
    private readonly ConcurrentQueue<(TimeSpan At, long Row, int Port)> writes = new();
    private readonly ConcurrentQueue<(TimeSpan At, bool OfReplica, int Port)> reads = new();
    private readonly ConcurrentQueue<(TimeSpan At, string What)> failures = new();
    private readonly Stopwatch watch = Stopwatch.StartNew();
    private readonly Haproxy haproxy;
    private readonly Task loops;

    public RoutedLoad(Haproxy haproxy)
    {
        this.haproxy = haproxy;
        loops = Task.WhenAll(Task.Run(() => ForeverAsync(WriteAsync)), Task.Run(() => ForeverAsync(ReadAsync)));
    }

    public IReadOnlyCollection<long> AcknowledgedRows => [.. writes.Select(write => write.Row)];

    /// <summary>The longest time without an acknowledged write.</summary>
    public TimeSpan LongestGap
    {
        get
        {
            TimeSpan[] times = [.. writes.Select(write => write.At)];
            return times.Zip(times.Skip(1), static (earlier, later) => later - earlier).DefaultIfEmpty().Max();
        }
    }

    /// <summary>
    /// Waits until everything goes where it should: 40 writes in a row on this primary and 40 reads in a row on replicas, all of these among them, and
    /// no error meanwhile.
    /// </summary>
    public Task SettledAsync(TestNode primary, params TestNode[] replicas)
    {
        const int Row = 40;
        TimeSpan since = watch.Elapsed;
        return Wait.UntilAsync($"writes on {primary.Name} and reads on {string.Join(" and ", replicas.Select(node => node.Name))}", () =>
        {
            (TimeSpan At, long, int Port)[] written = [.. writes.Where(write => write.At > since).TakeLast(Row)];
            (TimeSpan At, bool OfReplica, int Port)[] read = [.. reads.Where(read => read.At > since).TakeLast(Row)];
            if (written.Length < Row || read.Length < Row) return false;
            TimeSpan first = written[0].At < read[0].At ? written[0].At : read[0].At;
            return !failures.Any(failure => failure.At >= first) && written.All(write => write.Port == primary.PostgresPort)
                && read.All(answer => answer.OfReplica) && replicas.Select(node => node.PostgresPort).Order().SequenceEqual(read.Select(answer => answer.Port).Distinct().Order());
        });
    }

    /// <summary>Waits until so many more writes were acknowledged.</summary>
    public Task MoreWritesAsync(int count)
    {
        int goal = writes.Count + count;
        return Wait.UntilAsync($"{count} more writes", () => writes.Count >= goal);
    }

    public string Describe() => string.Join('\n', failures.GroupBy(failure => failure.What).Select(group => $"{group.Count()} x {group.Key}"));

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await loops;
        ending.Dispose();
    }

    private async Task ForeverAsync(Func<Task> round)
    {
        while (!ending.IsCancellationRequested)
        {
            try
            {
                await round();
            }
            catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException or OperationCanceledException)
            {
                if (!ending.IsCancellationRequested) failures.Enqueue((watch.Elapsed, e.Message));
            }
            await ((Task)Task.Delay(30, ending.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private long row;

    private async Task WriteAsync()
    {
        await using NpgsqlConnection connection = await OpenAsync(haproxy.WritePort);
        while (!ending.IsCancellationRequested)
        {
            await using var command = new NpgsqlCommand("INSERT INTO routed VALUES ($1) RETURNING inet_server_port()", connection) { Parameters = { new() { Value = ++row } } };
            int port = (int)(await command.ExecuteScalarAsync(ending.Token))!;
            writes.Enqueue((watch.Elapsed, row, port));
            await Task.Delay(20, ending.Token);
        }
    }

    private async Task ReadAsync()
    {
        await using NpgsqlConnection connection = await OpenAsync(haproxy.ReadPort);
        await using var command = new NpgsqlCommand("SELECT pg_is_in_recovery(), inet_server_port()", connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(ending.Token);
        await reader.ReadAsync(ending.Token);
        reads.Enqueue((watch.Elapsed, reader.GetBoolean(0), reader.GetInt32(1)));
    }

    private async Task<NpgsqlConnection> OpenAsync(int port)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1", Port = port, Username = "postgres", Password = TestCluster.SuperuserPassword, Database = "postgres", Pooling = false,
            Timeout = 10, CommandTimeout = 20, CancellationTimeout = -1,
        }.ConnectionString);
        try
        {
            await connection.OpenAsync(ending.Token);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }
}
