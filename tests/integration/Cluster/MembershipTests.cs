using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>Nodes that come and go, and a witness as the third voter.</summary>
[Collection(OwnClusters.Name)]
public sealed class MembershipTests
{
    [Fact]
    public Task A_fourth_node_joins_becomes_a_replica_and_is_removed_again() => TestCluster.RunAsync(ClusterOptions.Calm, async cluster =>
    {
        await using Writer writer = await Writer.StartAsync(cluster);
        string[] first = [.. cluster.Nodes.Select(node => node.ApiUrl)];
        TestNode fourth = cluster.AddNode("node4", first);
        fourth.Start();
        await Wait.UntilAsync("the new node's Raft port", async () => (await fourth.GetAsync("/liveness")).Status != 0);
        ProductResult added = await cluster.CommandAsync("raft", "add", fourth.RaftAddress, "--force");
        Assert.True(added.ExitCode == 0, added.Error + added.Output);
        await cluster.WholeAsync();
        Assert.Equal(4, (await VotersAsync(cluster)).Length);

        ProductResult removed = await cluster.CommandAsync("raft", "remove", fourth.Name, "--force");
        Assert.True(removed.ExitCode == 0, removed.Error + removed.Output);
        fourth.KillAgent();
        await fourth.QuitPostgresAsync();
        cluster.DropNode(fourth);
        Assert.Equal(first.Length, (await VotersAsync(cluster)).Length);
        await writer.MoreAsync(20);
        Assert.Empty(writer.Failures);
        await cluster.VerifyAsync(writer);
    });

    [Fact]
    public Task Two_data_nodes_and_a_witness_survive_the_loss_of_the_primary() => TestCluster.RunAsync(new() { DataNodes = 2, Witness = true }, async cluster =>
    {
        // Asynchronous: rows acknowledged right before the crash may be lost, so none is written then.
        TestNode old = await cluster.PrimaryAsync();
        await old.SqlAsync("CREATE TABLE before_the_loss AS SELECT 1 AS id");
        await cluster.CaughtUpAsync();
        old.Crash();
        await Wait.UntilAsync("another primary", async () => await cluster.PrimaryAsync() != old);
        TestNode next = await cluster.PrimaryAsync();
        Assert.False(next.IsWitness);
        Assert.Equal(1, await next.SqlAsync("SELECT id FROM before_the_loss"));

        await using Writer writer = await Writer.StartAsync(cluster);
        await writer.MoreAsync(20);
        old.Start();
        await cluster.VerifyAsync(writer);
    });

    private static async Task<JsonArray> MembersAsync(TestCluster cluster) =>
        (JsonArray)(await Wait.ForAsync("the members", async () => (await Rest.SendAsync(HttpMethod.Get, cluster.Nodes[0].ApiUrl + "/raft/members", token: TestCluster.Token)).Json?["members"]));

    private static async Task<string[]> VotersAsync(TestCluster cluster) => [.. (await MembersAsync(cluster)).Select(member => member!["address"]!.ToString())];
}
