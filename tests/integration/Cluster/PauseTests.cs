using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>Maintenance: the agents keep their hands off PostgreSQL.</summary>
[Collection(SharedClusterCollection.Name)]
public sealed class PauseTests(SharedCluster shared)
{
    /// <summary>Pauses or resumes, and waits until the lease says so.</summary>
    private static async Task PauseAsync(TestCluster cluster, bool value)
    {
        await Wait.UntilAsync("the patch of pause", async () =>
            (await cluster.PatchConfigAsync(new JsonObject { ["pause"] = value ? true : null })).Status == 200);
        await Wait.UntilAsync("the lease that fits", async () => (bool?)(await LeaseAsync(cluster))?["unbounded"] == value);
    }

    private static async Task<JsonNode?> LeaseAsync(TestCluster cluster) => (await cluster.StateAsync())["lifecycle"]?["lease"];

    [Fact]
    public Task All_agents_are_restarted_in_pause_and_nothing_that_people_stop_is_started() => shared.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        await using Writer writer = await Writer.StartAsync(cluster);
        string epoch = await cluster.EpochAsync();
        await PauseAsync(cluster, true);
        Dictionary<TestNode, int> postmasters = cluster.DataNodes.ToDictionary(static node => node, static node => node.PostmasterId());

        foreach (TestNode node in cluster.Nodes) node.SignalAgent(ProcessControl.SigTerm);
        foreach (TestNode node in cluster.Nodes) Assert.Equal(0, await node.AgentExitAsync());
        await writer.MoreAsync(20);
        foreach (TestNode node in cluster.Nodes) node.Start();
        await Wait.UntilAsync("the new agents to know the primary", () => primary.IsPrimaryAsync());
        foreach ((TestNode node, int postmaster) in postmasters) Assert.Equal(postmaster, node.PostmasterId());
        await writer.MoreAsync(20);
        Assert.Empty(writer.Failures);
        await writer.StopAsync();

        // People stop the primary: it stays stopped, and what is stopped needs no lease without end.
        await primary.QuitPostgresAsync();
        await Wait.UntilAsync("a lease that ends", async () => (bool?)(await LeaseAsync(cluster))?["unbounded"] == false);
        Assert.Empty(primary.PostgresProcesses);
        Assert.Equal(503, (await primary.GetAsync("/primary")).Status);
        await PauseAsync(cluster, false);
        await cluster.WholeAsync();
        Assert.Equal(epoch, await cluster.EpochAsync());
    });

    [Fact]
    public Task In_pause_nothing_fails_over_a_named_candidate_takes_over_and_a_dead_holder_is_left_to_people() =>
        TestCluster.RunAsync(new(), async cluster =>
    {
        TestNode first = await cluster.PrimaryAsync();
        TestNode second = await cluster.ReplicaAsync();
        await PauseAsync(cluster, true);
        ApiAnswer refused = await Rest.SendAsync(HttpMethod.Post, first.ApiUrl + "/switchover", new JsonObject { ["leader"] = first.Name });
        Assert.Equal(400, refused.Status);
        ApiAnswer moved = await Rest.SendAsync(HttpMethod.Post, first.ApiUrl + "/switchover",
            new JsonObject { ["leader"] = first.Name, ["candidate"] = second.Name }, Wait.Seconds);
        Assert.Equal((200, $"Successfully switched over to \"{second.Name}\""), (moved.Status, moved.Body));
        await Wait.UntilAsync("the new holder's lease without end", async () =>
            await LeaseAsync(cluster) is { } lease && (string?)lease["holder"] == second.Name && (bool?)lease["unbounded"] == true);

        // Who has nothing of the promotion could not lead after it.
        await cluster.WholeAsync();

        // The host of the holder dies. Nobody can know whether its PostgreSQL does.
        second.Crash();
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["pause"] = null })).Status);
        await Wait.UntilAsync("a node to say that it waits for people", async () =>
            (await cluster.StateAsync()).ToJsonString().Contains($"raft expire {second.Name}", StringComparison.Ordinal));
        Assert.Equal(second.Name, (string?)(await LeaseAsync(cluster))?["holder"]);
        ProductResult expired = await cluster.CommandAsync("raft", "expire", second.Name, "--force");
        Assert.True(expired.ExitCode == 0, expired.Error + expired.Output);
        await Wait.UntilAsync("another primary", async () => await cluster.PrimaryAsync() is { } now && now != second);
        second.Start();
        await cluster.WholeAsync();
    });
}
