using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>Something dies that is not the primary's PostgreSQL: not one write may fail and leadership may not move.</summary>
[Collection(SharedClusterCollection.Name)]
public sealed class SteadyPrimaryTests(SharedCluster shared)
{
    [Fact]
    public Task The_primary_notices_nothing_when_a_replica_crashes_and_the_replica_comes_back() => Unmoved(async (cluster, writer) =>
    {
        TestNode replica = await cluster.ReplicaAsync();
        replica.Crash();
        await writer.MoreAsync(20);
        replica.Start();
    });

    [Fact]
    public Task The_primary_notices_nothing_when_the_raft_leader_is_killed() => Unmoved(async (cluster, writer) =>
    {
        TestNode leader = await RaftLeaderBesideThePrimaryAsync(cluster);
        leader.Crash();
        await writer.MoreAsync(20);
        await Wait.UntilAsync("another Raft leader", async () => await cluster.RaftLeaderAsync() != leader);
        leader.Start();
    });

    [Fact]
    public Task The_primary_notices_nothing_when_the_raft_leader_hangs_and_goes_on() => Unmoved(async (cluster, writer) =>
    {
        TestNode leader = await RaftLeaderBesideThePrimaryAsync(cluster);
        leader.SignalAgent(ProcessControl.SigStop);
        await Wait.UntilAsync("another Raft leader", async () => await cluster.RaftLeaderAsync() != leader);
        await writer.MoreAsync(20);
        leader.SignalAgent(ProcessControl.SigCont);
    });

    [Fact]
    public Task PostgreSQL_goes_on_when_only_the_primarys_agent_is_killed_and_started_again() => Unmoved(async (cluster, writer) =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        int postmaster = primary.PostmasterId();
        primary.KillAgent();
        primary.Start();
        await Wait.UntilAsync("the new agent to lead", () => primary.IsPrimaryAsync());
        await writer.MoreAsync(20);
        Assert.Equal(postmaster, primary.PostmasterId());
    });

    [Fact]
    public Task PostgreSQL_goes_on_when_its_guard_is_killed_and_gets_another() => Unmoved(async (cluster, writer) =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        int postmaster = primary.PostmasterId(), guard = primary.GuardId()!.Value;
        ProcessControl.Signal(guard, ProcessControl.SigKill);
        await Wait.UntilAsync("another guard", () => primary.GuardId() is { } id && id != guard);
        await writer.MoreAsync(20);
        Assert.Equal(postmaster, primary.PostmasterId());
    });

    [Fact]
    public Task PostgreSQL_goes_on_when_agent_and_guard_are_killed_together_and_the_agent_comes_back() => Unmoved(async (cluster, writer) =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        int postmaster = primary.PostmasterId();
        primary.KillAgent();
        primary.KillGuard();
        primary.Start();
        await Wait.UntilAsync("the new agent to lead", () => primary.IsPrimaryAsync());
        await Wait.UntilAsync("another guard", () => primary.GuardId() is not null);
        await writer.MoreAsync(20);
        Assert.Equal(postmaster, primary.PostmasterId());
    });

    [Fact]
    public Task A_replica_goes_on_streaming_when_its_agent_is_killed() => Unmoved(async (cluster, writer) =>
    {
        TestNode primary = await cluster.PrimaryAsync(), replica = await cluster.ReplicaAsync();
        int postmaster = replica.PostmasterId();
        replica.KillAgent();
        await writer.MoreAsync(20);
        string end = (string)(await primary.SqlAsync("SELECT pg_current_wal_insert_lsn()::text"))!;
        await Wait.UntilAsync("the replica to replay", async () => (bool)(await replica.SqlAsync($"SELECT coalesce(pg_last_wal_replay_lsn() >= '{end}'::pg_lsn, false)"))!);
        replica.Start();
        await Wait.UntilAsync("its new agent to say that it streams", () => replica.StreamsAsync());
        Assert.Equal(postmaster, replica.PostmasterId());
    });

    private static async Task<TestNode> RaftLeaderBesideThePrimaryAsync(TestCluster cluster)
    {
        TestNode primary = await cluster.PrimaryAsync();
        TestNode other = cluster.DataNodes.First(node => node != primary);
        if (await cluster.RaftLeaderAsync() == primary)
        {
            ProductResult moved = await cluster.CommandAsync("raft", "transfer", other.Name, "--force");
            Assert.True(moved.ExitCode == 0, moved.Error);
        }
        TestNode leader = await cluster.RaftLeaderAsync();
        Assert.NotSame(primary, leader);
        return leader;
    }

    private Task Unmoved(Func<TestCluster, Writer, Task> scenario) => shared.RunAsync(async cluster =>
    {
        await using Writer writer = await Writer.StartAsync(cluster);
        TestNode primary = await cluster.PrimaryAsync();
        string epoch = await cluster.EpochAsync();

        await scenario(cluster, writer);

        await cluster.WholeAsync();
        await writer.MoreAsync(20);
        Assert.Empty(writer.Failures);
        Assert.Same(primary, await cluster.PrimaryAsync());
        Assert.Equal(epoch, await cluster.EpochAsync());
        await cluster.VerifyAsync(writer);
    });
}
