using System.Collections.Concurrent;
using Npgsql;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>
/// A client that inserts rows one after the other over a connection string that names all nodes, and remembers which were acknowledged.
/// A row whose insert failed is never tried again: it may be there or not.
/// </summary>
internal sealed class Writer : IAsyncDisposable
{
    private readonly CancellationTokenSource ending = new();
    private readonly ConcurrentQueue<long> acknowledged = new();
    private readonly ConcurrentQueue<string> failures = new();
    private readonly string connectionString;
    private readonly Task loop;
    private long acknowledgedCount;

    private Writer(IEnumerable<TestNode> nodes)
    {
        var builder = new NpgsqlConnectionStringBuilder
        {
            Host = string.Join(',', nodes.Select(node => $"127.0.0.1:{node.PostgresPort}")),
            Username = "postgres", Password = TestCluster.SuperuserPassword, Database = "postgres", Pooling = false, Timeout = 5,
            HostRecheckSeconds = 0,
            // A cancelled insert would be answered with success although no standby has it: break the connection instead.
            CommandTimeout = 300, CancellationTimeout = -1,
        };
        // Npgsql refuses it for a single host.
        if (nodes.Skip(1).Any()) builder.TargetSessionAttributes = "read-write";
        connectionString = builder.ConnectionString;
        loop = Task.Run(RunAsync);
    }

    public long Acknowledged => Interlocked.Read(ref acknowledgedCount);
    public int Failed => failures.Count;
    public IEnumerable<string> Failures => failures.Distinct();
    public IReadOnlyCollection<long> AcknowledgedRows => [.. acknowledged];

    /// <summary>Creates the table and begins.</summary>
    public static async Task<Writer> StartAsync(TestCluster cluster) => await StartAsync(cluster.DataNodes, await cluster.PrimaryAsync());

    /// <summary>Creates the table on a PostgreSQL that may have no agent yet, and begins there and nowhere else.</summary>
    public static Task<Writer> StartAsync(TestNode only) => StartAsync([only], only);

    private static async Task<Writer> StartAsync(IEnumerable<TestNode> nodes, TestNode primary)
    {
        await primary.SqlAsync("CREATE TABLE IF NOT EXISTS written (id bigint PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())");
        await primary.SqlAsync("TRUNCATE written");
        var writer = new Writer(nodes);
        await writer.MoreAsync(5);
        return writer;
    }

    /// <summary>Waits until that many more rows were acknowledged.</summary>
    public async Task MoreAsync(int rows, int seconds = Wait.Seconds)
    {
        long goal = Acknowledged + rows;
        try
        {
            await Wait.UntilAsync($"{rows} more acknowledged rows", () => loop.IsFaulted || Acknowledged >= goal, seconds);
            if (loop.IsFaulted) await loop;
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}; failures: {string.Join(" | ", Failures.TakeLast(5))}");
        }
    }

    public async Task StopAsync()
    {
        await ending.CancelAsync();
        await loop;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        ending.Dispose();
    }

    private async Task RunAsync()
    {
        long id = 0;
        while (!ending.IsCancellationRequested)
        {
            try
            {
                await using var connection = new NpgsqlConnection(connectionString);
                await connection.OpenAsync(ending.Token);
                await using var command = new NpgsqlCommand("INSERT INTO written (id) VALUES ($1)", connection) { Parameters = { new NpgsqlParameter<long>() } };
                while (!ending.IsCancellationRequested)
                {
                    ((NpgsqlParameter<long>)command.Parameters[0]).TypedValue = ++id;
                    await command.ExecuteNonQueryAsync(ending.Token);
                    acknowledged.Enqueue(id);
                    Interlocked.Increment(ref acknowledgedCount);
                    // A steady load, not a benchmark: the nodes need the cores too.
                    await Task.Delay(10, ending.Token);
                }
            }
            catch (OperationCanceledException) when (ending.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException or IOException or OperationCanceledException or ObjectDisposedException)
            {
                if (ending.IsCancellationRequested) return;
                failures.Enqueue(e.Message);
                await ((Task)Task.Delay(50, ending.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
