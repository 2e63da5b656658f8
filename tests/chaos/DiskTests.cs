using Patroni.Raft.Agent.Instance;
using Patroni.Raft.ChaosTests.Checking;
using Patroni.Raft.ChaosTests.Clients;
using Patroni.Raft.ChaosTests.Cluster;
using Patroni.Raft.ChaosTests.Network;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.ChaosTests;

/// <summary>One cluster for all scenarios; each begins and ends with a whole one.</summary>
public sealed class DiskCluster : IAsyncLifetime
{
    private ChaosCluster? cluster;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (cluster is not null) await cluster.DisposeAsync();
    }

    internal async Task RunAsync(Func<ChaosCluster, Task> scenario)
    {
        try
        {
            if (cluster is null)
            {
                cluster = new(new() { Ttl = 12, LoopWait = 2, RetryTimeout = 4, Synchronous = true });
                await cluster.FormAsync();
            }
            await cluster.ExplainAsync(async () =>
            {
                await cluster.WholeAsync();
                await scenario(cluster);
                await cluster.WholeAsync();
            });
        }
        catch
        {
            // What a failed scenario leaves behind says nothing of the next one.
            if (cluster is not null) await cluster.DisposeAsync();
            cluster = null;
            throw;
        }
    }
}

/// <summary>Full and hung disks, real ones of a few megabytes. A pipe that nobody reads, in the place of the probe's file, is a write that does not end.</summary>
public sealed class DiskTests(DiskCluster shared) : IClassFixture<DiskCluster>
{
    [Fact]
    public Task A_full_data_disk_moves_the_primary_and_loses_nothing() => shared.RunAsync(async cluster =>
    {
        ChaosNode old = await cluster.PrimaryAsync();
        await using Workload workload = await Workload.StartAsync(cluster, 1);
        // Not to the last byte: a write probe that only waited for ENOSPC would find it after PostgreSQL did.
        old.DataDisk.Fill(leaveMegabytes: 12);
        await OtherPrimaryAsync(cluster, old);
        await ToldAsync(old, "the disk of the data directory is full");
        string events = (await (await cluster.PrimaryAsync()).GetAsync("/events")).Body;
        Assert.Contains("the disk of the data directory is full", events);
        old.DataDisk.Free();
        await HealthyAsync(cluster, old);
        await workload.MoreAsync(20);
        Verdict verdict = Checker.Judge(await workload.EndAsync());
        Assert.Empty(verdict.Anomalies);
    });

    [Fact]
    public Task A_full_data_disk_of_a_replica_leaves_the_primary_alone() => shared.RunAsync(async cluster =>
    {
        ChaosNode primary = await cluster.PrimaryAsync();
        ChaosNode replica = cluster.Nodes.First(node => node != primary);
        string epoch = await EpochAsync(primary);
        replica.DataDisk.Fill();
        await ToldAsync(replica, "the disk of the data directory is full");
        // More than a segment, so that the replica fails to store it.
        await primary.SqlAsync<int>("SET synchronous_commit = local; CREATE TABLE filler AS SELECT repeat(md5(i::text), 20) FROM generate_series(1, 40000) i; DROP TABLE filler; SELECT 1");
        Assert.True(await primary.IsPrimaryAsync());
        Assert.Equal(epoch, await EpochAsync(primary));
        replica.DataDisk.Free();
        await HealthyAsync(cluster, replica);
    });

    [Fact]
    public Task A_replica_that_is_away_does_not_fill_the_primarys_disk() => shared.RunAsync(async cluster =>
    {
        ChaosNode primary = await cluster.PrimaryAsync();
        ChaosNode replica = cluster.Nodes.First(node => node != primary);
        string epoch = await EpochAsync(primary);
        replica.KillAll();
        string restart = $"SELECT (restart_lsn - '0/0')::bigint FROM pg_replication_slots WHERE slot_name = '{replica.Name}'";
        string kept = $"SELECT (pg_current_wal_lsn() - restart_lsn)::bigint FROM pg_replication_slots WHERE slot_name = '{replica.Name}'";
        long from = await primary.SqlAsync<long>(restart);
        await primary.SqlAsync<int>("""
            SET synchronous_commit = local;
            CREATE TABLE filler AS SELECT repeat(md5(i::text), 20) FROM generate_series(1, 200000) i;
            DROP TABLE filler;
            SELECT 1
            """);
        primary.DataDisk.Fill(leaveMegabytes: 24);
        // It may have been given up while the table was written, for what it kept by then: the rule is what holds, not how much is left.
        long Left() => new DriveInfo(primary.DataDisk.Path).AvailableFreeSpace;
        await Wait.UntilAsync("the slot to be given up", async () =>
            await primary.SqlAsync<long>(restart) > from && await primary.SqlAsync<long>(kept) / SlotRules.KeptTimesFree <= Left());
        await Wait.UntilAsync("the disk not to be full", () => Left() > 16L << 20);
        Assert.Equal(epoch, await EpochAsync(primary));
        primary.DataDisk.Free();
        replica.StartAgent();
        await Wait.UntilAsync("a reinitialization", async () => (await Rest.SendAsync(HttpMethod.Post, replica.ApiUrl + "/reinitialize", new System.Text.Json.Nodes.JsonObject { ["force"] = true })).Status == 200);
    });

    [Fact]
    public Task A_hung_data_disk_fences_the_primary_and_another_takes_over() => shared.RunAsync(async cluster =>
    {
        ChaosNode old = await cluster.PrimaryAsync();
        using (Hang(Path.Combine(old.DataDirectory, "pg_wal", DiskProbe.FileName)))
        {
            await OtherPrimaryAsync(cluster, old);
            await ToldAsync(old, "the disk of the data directory hangs");
        }
        await HealthyAsync(cluster, old);
    });

    [Fact]
    public Task A_hung_raft_disk_of_the_raft_leader_does_not_hold_up_the_group() => shared.RunAsync(async cluster =>
    {
        ChaosNode old = await Wait.ForAsync("a Raft leader", cluster.FindRaftLeaderAsync);
        using (Hang(Path.Combine(old.RaftDirectory, DiskProbe.FileName)))
        {
            await Wait.UntilAsync($"the agent of {old.Name} to end", () => !old.AgentRuns);
            await Wait.UntilAsync("another Raft leader", async () => await cluster.FindRaftLeaderAsync() is { } other && other != old);
            await cluster.PrimaryAsync();
        }
        old.StartAgent();
        await HealthyAsync(cluster, old);
    });

    [Fact]
    public Task A_full_raft_disk_of_the_primary_moves_it() => shared.RunAsync(async cluster =>
    {
        ChaosNode old = await cluster.PrimaryAsync();
        old.RaftDisk.Fill();
        await OtherPrimaryAsync(cluster, old);
        old.RaftDisk.Free();
        old.StartAgent();
        await HealthyAsync(cluster, old);
    });

    private static Task OtherPrimaryAsync(ChaosCluster cluster, ChaosNode old) =>
        Wait.UntilAsync("another primary", async () => await cluster.FindPrimaryAsync() is { } found && found != old);

    private static Task ToldAsync(ChaosNode node, string reason) => Wait.UntilAsync($"{node.Name} to tell of its disk", async () =>
        ((string?)(await node.GetAsync("/patroni")).Json?["raft"]?["disk_trouble"])?.Contains(reason) == true
        && ((string?)(await node.GetAsync("/patroni")).Json?["raft"]?["note"])?.Contains(reason) == true);

    private static Task HealthyAsync(ChaosCluster cluster, ChaosNode node) => Wait.UntilAsync($"{node.Name} to be well again", async () =>
    {
        node.StartAgent();
        return await node.GetAsync("/patroni") is { Json: { } status } && status["raft"]?["disk_trouble"] is null && await cluster.IsWholeAsync();
    });

    private static async Task<string> EpochAsync(ChaosNode node) => (string)(await node.GetAsync("/patroni")).Json!["raft"]!["epoch"]!;

    private static IDisposable Hang(string file)
    {
        File.Delete(file);
        Shell.Run("mkfifo", "-m", "600", file);
        return new HungFile(file);
    }

    /// <summary>Ends the hang: whoever waits to write is let in, and the next probe makes a file of its own.</summary>
    private sealed class HungFile(string file) : IDisposable
    {
        public void Dispose()
        {
            if (!File.Exists(file)) return;
            // Opened for both, a pipe never waits for the other side.
            using (new FileStream(file, FileMode.Open, FileAccess.ReadWrite)) File.Delete(file);
        }
    }
}
