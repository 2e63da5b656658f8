using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>The primary dies. Commits wait for both standbys here, because an asynchronous failover may lose rows by its nature.</summary>
[Collection(OwnClusters.Name)]
public sealed class CrashTests
{
    [Fact]
    public Task Another_node_leads_after_the_primarys_host_crashed_and_the_old_primary_comes_back_as_a_replica() => TestCluster.RunAsync(new(), async cluster =>
    {
        await cluster.MakeSynchronousAsync();
        await using Writer writer = await Writer.StartAsync(cluster);
        TestNode old = await cluster.PrimaryAsync();
        string epoch = await cluster.EpochAsync();

        old.Crash();
        await Wait.UntilAsync("another primary", async () => await cluster.PrimaryAsync() != old);
        Assert.NotEqual(epoch, await cluster.EpochAsync());

        old.Start();
        await cluster.WholeAsync();
        Assert.NotSame(old, await cluster.PrimaryAsync());
        await writer.MoreAsync(20);
        await cluster.VerifyAsync(writer);
    });

    [Fact]
    public Task No_acknowledged_row_is_lost_when_only_the_postmaster_is_killed() => TestCluster.RunAsync(new(), async cluster =>
    {
        await cluster.MakeSynchronousAsync();
        await using Writer writer = await Writer.StartAsync(cluster);
        TestNode old = await cluster.PrimaryAsync();

        // Its backends stay: every child is a session of its own.
        int postmaster = old.PostmasterId();
        ProcessControl.Signal(postmaster, ProcessControl.SigKill);
        await Wait.UntilAsync("the old postmaster's processes to be gone", () => !old.PostgresProcesses.Contains(postmaster));
        await cluster.WholeAsync();
        await writer.MoreAsync(20);
        await cluster.VerifyAsync(writer);
    });
}
