using System.Diagnostics;
using Patroni.Raft.ChaosTests.Checking;
using Patroni.Raft.ChaosTests.Cluster;

namespace Patroni.Raft.ChaosTests.Clients;

/// <summary>
/// The clients of a run. Appenders append to lists at the node that says it is primary. Readers read lists through every node that says so.
/// One pulse per node writes to it whatever it says, without waiting for standbys: its acknowledgements tell who was writable when.
/// </summary>
internal sealed class Workload : IAsyncDisposable
{
    private const int Appenders = 4;
    private const int KeysAtATime = 4;
    private const string Where = "('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int, (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint";
    private static readonly TimeSpan KeyLife = TimeSpan.FromSeconds(15);

    private readonly ChaosCluster cluster;
    private readonly CancellationTokenSource ending = new();
    private readonly Stopwatch watch = Stopwatch.StartNew();
    private readonly int seed;
    private volatile ChaosNode[] primaries = [];
    private Task[] loops = [];

    private Workload(ChaosCluster cluster, int seed)
    {
        this.cluster = cluster;
        this.seed = seed;
    }

    public Ledger Ledger { get; } = new();

    /// <summary>Creates the tables and begins.</summary>
    public static async Task<Workload> StartAsync(ChaosCluster cluster, int seed)
    {
        ChaosNode primary = await cluster.PrimaryAsync();
        await primary.SqlAsync<int>("""
            DROP TABLE IF EXISTS heads, appends, pulses;
            CREATE TABLE heads (key int PRIMARY KEY, length int NOT NULL);
            CREATE TABLE appends (key int, position int, id bigint NOT NULL, client int, node text, counter bigint, timeline int, postmaster bigint, PRIMARY KEY (key, position));
            CREATE TABLE pulses (at timestamptz DEFAULT clock_timestamp(), node text);
            SELECT 1
            """);
        var workload = new Workload(cluster, seed);
        workload.loops =
        [
            Task.Run(workload.LookAsync),
            .. Enumerable.Range(1, Appenders).Select(client => Task.Run(() => workload.AppendAsync(client))),
            .. cluster.Nodes.Select(node => Task.Run(() => workload.PulseAsync(node))),
            .. cluster.Nodes.Select(node => Task.Run(() => workload.ReadAsync(node))),
        ];
        await workload.MoreAsync(20);
        return workload;
    }

    /// <summary>Waits until that many more appends were acknowledged.</summary>
    public async Task MoreAsync(int appends, int seconds = 300)
    {
        long goal = Ledger.Acknowledged + appends;
        await Wait.UntilAsync($"{appends} more acknowledged appends", () => loops.Any(loop => loop.IsFaulted) || Ledger.Acknowledged >= goal, seconds);
        foreach (Task loop in loops.Where(loop => loop.IsFaulted)) await loop;
    }

    /// <summary>Ends all clients; reads all lists at the primary.</summary>
    public async Task<History> EndAsync()
    {
        await ending.CancelAsync();
        await Task.WhenAll(loops);
        ChaosNode primary = await cluster.PrimaryAsync();
        await using var client = new Client(primary);
        var final = new Dictionary<int, long[]>();
        foreach (int key in ((int[])(await client.QueryAsync("SELECT coalesce(array_agg(key), '{}') FROM heads"))![0])) final[key] = (await ListAsync(client, key))!;
        return Ledger.ToHistory(final);
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await ((Task)Task.WhenAll(loops)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ending.Dispose();
    }

    /// <summary>Keys of the moment: lists stay short, so that they can be read as a whole often.</summary>
    private int Key(Random random) => (int)(watch.Elapsed / KeyLife) * KeysAtATime + random.Next(KeysAtATime);

    private Task PauseAsync(int milliseconds) => ((Task)Task.Delay(milliseconds, ending.Token)).ContinueWith(_ => { }, TaskScheduler.Default);

    private async Task LookAsync()
    {
        while (!ending.IsCancellationRequested)
        {
            primaries = await cluster.WhereAsync(node => node.IsPrimaryAsync());
            await PauseAsync(200);
        }
    }

    private async Task AppendAsync(int number)
    {
        var random = new Random(seed * 100 + number);
        Dictionary<ChaosNode, (Client Client, long Count)> clients = cluster.Nodes.ToDictionary(node => node, node => (new Client(node), 0L));
        for (long sequence = 1; !ending.IsCancellationRequested; sequence++)
        {
            ChaosNode[] known = primaries;
            // Now and then any node: one that is wrong about itself must be found out too.
            ChaosNode node = known.Length > 0 && random.Next(10) > 0 ? known[random.Next(known.Length)] : cluster.Nodes[random.Next(cluster.Nodes.Count)];
            (Client client, long count) = clients[node];
            clients[node] = (client, ++count);
            int key = Key(random);
            long id = ((long)number << 40) + sequence, begin = Ledger.Now;
            Acceptance? accepted = null;
            bool refused = false;
            try
            {
                object[] row = (await client.QueryAsync($"""
                    WITH head AS (INSERT INTO heads AS h VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET length = h.length + 1 RETURNING length)
                    INSERT INTO appends SELECT $1, length, $2, $3, $4, $5, {Where} FROM head RETURNING position, timeline, postmaster
                    """, key, id, number, node.Name, count))!;
                accepted = new((int)row[0], new(node.Name, (long)row[2], (int)row[1]));
            }
            catch (Exception e) when (Client.IsExpected(e))
            {
                bool isStandby = e is Npgsql.PostgresException { SqlState: "25006" };
                refused = !client.Sent || isStandby;
                Ledger.Failed(Client.Brief(e), isStandby);
            }
            // What was not sent, or refused by a standby, did not happen.
            if (!refused) Ledger.Add(new Append(new(begin, Ledger.Now), key, id, number, count, node.Name, accepted));
            await PauseAsync(accepted is not null ? 25 : 100);
        }
        foreach ((Client client, _) in clients.Values) await client.DisposeAsync();
    }

    private async Task PulseAsync(ChaosNode node)
    {
        await using var client = new Client(node);
        while (!ending.IsCancellationRequested)
        {
            long begin = Ledger.Now;
            try
            {
                object[] row = (await client.QueryAsync($"""
                    WITH local AS MATERIALIZED (SELECT set_config('synchronous_commit', 'local', false))
                    INSERT INTO pulses (node) SELECT $1 FROM local RETURNING {Where}
                    """, node.Name))!;
                Ledger.Add(new Pulse(new(begin, Ledger.Now), new(node.Name, (long)row[1], (int)row[0])));
            }
            catch (Exception e) when (Client.IsExpected(e))
            {
                // Most nodes refuse most of the time.
            }
            await PauseAsync(40);
        }
    }

    private async Task ReadAsync(ChaosNode node)
    {
        var random = new Random(seed * 100 + 50 + node.Number);
        await using var client = new Client(node);
        while (!ending.IsCancellationRequested)
        {
            try
            {
                int key = Key(random);
                if (await node.IsPrimaryAsync())
                {
                    long begin = Ledger.Now;
                    // It may have become a standby since it said so.
                    if (await ListAsync(client, key) is { } ids) Ledger.Add(new Read(new(begin, Ledger.Now), node.Name, key, ids));
                }
            }
            catch (Exception e) when (Client.IsExpected(e))
            {
                Ledger.Failed($"read: {Client.Brief(e)}", byStandby: true);
            }
            await PauseAsync(300);
        }
    }

    /// <summary>A list, or null when the node is a standby.</summary>
    private static async Task<long[]?> ListAsync(Client client, int key)
    {
        object[] row = (await client.QueryAsync("SELECT pg_is_in_recovery(), coalesce(array_agg(id ORDER BY position), '{}') FROM appends WHERE key = $1", key))!;
        return (bool)row[0] ? null : (long[])row[1];
    }
}
