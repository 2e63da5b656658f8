using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>Restarts that operators ask for.</summary>
[Collection(SharedClusterCollection.Name)]
public sealed class RestartTests(SharedCluster shared)
{
    /// <summary>What an answer says is true when it arrives: whoever asks next sees the same.</summary>
    [Fact]
    public Task A_restart_answers_when_the_node_answers_again_in_its_role() => shared.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        TestNode replica = await cluster.ReplicaAsync();
        string epoch = await cluster.EpochAsync();
        foreach ((TestNode node, string check) in new[] { (primary, "/primary"), (replica, "/replica"), (primary, "/primary") })
        {
            string before = await StartedAsync(node);
            ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, node.ApiUrl + "/restart", seconds: Wait.Seconds);
            ApiAnswer next = await node.GetAsync(check);
            Assert.Equal((200, "restarted successfully"), (answer.Status, answer.Body));
            Assert.True(next.Status == 200, $"{check} of {node.Name} after its restart: {next}");
            Assert.NotEqual(before, (string?)next.Json!["postmaster_start_time"]);
        }
        Assert.Equal(epoch, await cluster.EpochAsync());
    });

    private static async Task<string> StartedAsync(TestNode node) => (string?)(await node.GetAsync("/patroni")).Json?["postmaster_start_time"] ?? "";
}
