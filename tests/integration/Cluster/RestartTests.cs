using System.Globalization;
using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>Restarts that operators ask for, now and for a time.</summary>
[Collection(SharedClusterCollection.Name)]
public sealed class RestartTests(SharedCluster shared, ITestOutputHelper output)
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

    /// <summary>
    /// Every agent dies once, and with the one of the Raft leader the group changes its leader. Afterwards one schedule is deleted, one node is restarted
    /// otherwise, and the third keeps its schedule.
    /// </summary>
    [Fact]
    public Task Scheduled_restarts_outlive_every_agent() => shared.RunAsync(async cluster =>
    {
        TestNode[] nodes = [.. cluster.DataNodes];
        foreach (TestNode node in nodes)
        {
            Assert.Equal((202, "Restart scheduled"), Brief(await ScheduleAsync(node, DateTimeOffset.UtcNow.AddHours(1))));
            Assert.Equal((409, "Another restart is already scheduled"), Brief(await ScheduleAsync(node, DateTimeOffset.UtcNow.AddHours(2))));
        }
        await RestartAgentsAsync(cluster);
        foreach (TestNode node in nodes) Assert.NotNull((await node.GetAsync("/patroni")).Json!["scheduled_restart"]?["schedule"]);

        Assert.Equal((200, "scheduled restart deleted"), Brief(await Rest.SendAsync(HttpMethod.Delete, nodes[0].ApiUrl + "/restart")));
        Assert.Equal((404, "no restarts are scheduled"), Brief(await Rest.SendAsync(HttpMethod.Delete, nodes[0].ApiUrl + "/restart")));
        Assert.Equal((200, "restarted successfully"), Brief(await Rest.SendAsync(HttpMethod.Post, nodes[1].ApiUrl + "/restart", seconds: Wait.Seconds)));
        await Wait.UntilAsync("the schedule of the node restarted otherwise to be dropped", async () => (await nodes[1].GetAsync("/patroni")).Json is { } json && json["scheduled_restart"] is null);
        Assert.NotNull((await nodes[2].GetAsync("/patroni")).Json!["scheduled_restart"]);
        Assert.Equal(200, (await Rest.SendAsync(HttpMethod.Delete, nodes[2].ApiUrl + "/restart")).Status);
        await cluster.WholeAsync();
    });

    [Fact]
    public Task A_scheduled_restart_of_the_primary_is_done_once_and_not_before_its_time() => shared.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        string started = await StartedAsync(primary), epoch = await cluster.EpochAsync();
        long events = await primary.LastEventAsync();
        DateTimeOffset at = DateTimeOffset.UtcNow.AddSeconds(8);
        Assert.Equal((202, "Restart scheduled"), Brief(await ScheduleAsync(primary, at)));
        primary.KillAgent();
        primary.Start();

        await Wait.UntilAsync("the scheduled restart", async () => await StartedAsync(primary) is { Length: > 0 } now && now != started);
        string restarted = await StartedAsync(primary);
        await Wait.UntilAsync("no restart to be scheduled any more", async () => (await primary.GetAsync("/patroni")).Json is { } json && json["scheduled_restart"] is null);
        await cluster.WholeAsync();
        Assert.Equal((restarted, epoch), (await StartedAsync(primary), await cluster.EpochAsync()));
        long lateMs = await primary.EventTimeAsync(events, "member_changed", change => (string?)change["node"] == primary.Name && (string?)change["state"] == "Restarting")
            - at.ToUnixTimeMilliseconds();
        Assert.InRange(lateMs, -1, 1000);
        output.WriteLine($"the scheduled restart began {lateMs} ms after its time");
    });

    /// <summary>One after the other, so that the lease outlives them all.</summary>
    private static async Task RestartAgentsAsync(TestCluster cluster)
    {
        foreach (TestNode node in cluster.Nodes)
        {
            node.KillAgent();
            node.Start();
            await cluster.WholeAsync();
        }
    }

    private static (int, string) Brief(ApiAnswer answer) => (answer.Status, answer.Body);

    private static Task<ApiAnswer> ScheduleAsync(TestNode node, DateTimeOffset at) => Rest.SendAsync(HttpMethod.Post, node.ApiUrl + "/restart",
        new JsonObject { ["schedule"] = at.ToString("yyyy-MM-dd'T'HH:mm:ss.fffzzz", CultureInfo.InvariantCulture) });

    private static async Task<string> StartedAsync(TestNode node) => (string?)(await node.GetAsync("/patroni")).Json?["postmaster_start_time"] ?? "";
}
