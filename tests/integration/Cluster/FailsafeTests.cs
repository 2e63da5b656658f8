using System.Globalization;
using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>The Raft group loses its quorum and the nodes' APIs go on: the primary stays primary as long as everybody promises.</summary>
[Collection(OwnClusters.Name)]
public sealed class FailsafeTests
{
    private const double Ttl = 6;

    [Fact]
    public Task The_primary_goes_on_without_quorum_while_all_promise_and_ends_when_one_is_silent() =>
        TestCluster.RunAsync(new() { RaftProxies = true, Ttl = Ttl }, async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        TestNode[] replicas = [.. cluster.DataNodes.Where(node => node != primary)];
        Assert.Equal(200, (await cluster.PatchConfigAsync(JsonNode.Parse("""{"failsafe_mode": true}""")!)).Status);
        await Wait.UntilAsync("all three in the topology", async () => await primary.GetAsync("/failsafe") is { Status: 200, Json: JsonObject { Count: 3 } });
        string epoch = await cluster.EpochAsync();
        int postmaster = primary.PostmasterId();
        await using Writer writer = await Writer.StartAsync(cluster);

        await CutAsync(cluster, primary, replicas);
        // Longer than any renewal lasts: each round sees the lease run down and a promise fill it up.
        for (int round = 0; round < 3; round++)
        {
            await Wait.UntilAsync("time to pass", async () => await LeaseLeftAsync(primary) < Ttl * 0.8);
            await Wait.UntilAsync("another round of promises", async () => await LeaseLeftAsync(primary) > Ttl * 0.8);
        }
        Assert.Equal(postmaster, primary.PostmasterId());
        foreach (TestNode replica in replicas) Assert.Equal(200, (await replica.GetAsync("/replica")).Status);
        foreach (TestNode node in cluster.Nodes) node.RaftProxy!.Cut(false);
        await Wait.UntilAsync("failsafe mode to end", async () => !await ActiveAsync(primary));
        await cluster.WholeAsync();
        await writer.MoreAsync(20);
        Assert.Empty(writer.Failures);
        Assert.Equal(epoch, await cluster.EpochAsync());

        await CutAsync(cluster, primary, replicas);
        replicas[0].SignalAgent(ProcessControl.SigStop);
        await Wait.UntilAsync("the primary to end", async () => !await primary.IsPrimaryAsync() && primary.PostgresProcesses.Count == 0);
        Assert.False(await replicas[1].IsPrimaryAsync());
        replicas[0].SignalAgent(ProcessControl.SigCont);
        foreach (TestNode node in cluster.Nodes) node.RaftProxy!.Cut(false);
        await cluster.WholeAsync();
        await writer.MoreAsync(20);
        Assert.False(await ActiveAsync(await cluster.PrimaryAsync()));
    });

    private static async Task CutAsync(TestCluster cluster, TestNode primary, TestNode[] replicas)
    {
        foreach (TestNode node in cluster.Nodes) node.RaftProxy!.Cut(true);
        await Wait.UntilAsync("failsafe mode on the primary", () => ActiveAsync(primary));
        foreach (TestNode replica in replicas) await Wait.UntilAsync($"the promise of {replica.Name}", () => ActiveAsync(replica));
    }

    private static async Task<bool> ActiveAsync(TestNode node) => (bool?)(await node.GetAsync("/patroni")).Json?["failsafe_mode_is_active"] == true;

    private static async Task<double> LeaseLeftAsync(TestNode node)
    {
        string? line = (await node.GetAsync("/metrics")).Body.Split('\n').FirstOrDefault(static l => l.StartsWith("patroni_raft_lease_seconds_left{", StringComparison.Ordinal));
        return line is null ? 0 : double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
    }
}
