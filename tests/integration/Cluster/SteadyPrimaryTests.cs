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
