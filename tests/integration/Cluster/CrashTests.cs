using System.Text.Json.Nodes;
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
        // Nobody stands before a loop_wait has shown that no more WAL arrives.
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["primary_race_backoff"] = 4 })).Status);
        long events = await old.LastEventAsync();

        old.Crash();
        await Wait.UntilAsync("another primary", async () => await cluster.PrimaryAsync() != old);
        Assert.NotEqual(epoch, await cluster.EpochAsync());
        TestNode leader = await cluster.PrimaryAsync();
        Assert.InRange(await leader.EventTimeAsync(events, "node_stood") - await leader.EventTimeAsync(events, "vacancy_opened"), 950, 30_000);
        JsonNode change = ((JsonArray)(await leader.GetAsync("/history")).Json!)[^1]!;
        Assert.Equal((1, leader.Name), ((int)change[0]!, (string?)change[4]));

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
