using System.Globalization;
using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>
/// Planned changes of the primary under write load. Replication is asynchronous: nothing may be lost all the same, because the old primary
/// stops cleanly and its standbys get all of its WAL before another leads.
/// </summary>
[Collection(SharedClusterCollection.Name)]
public sealed class SwitchoverTests(SharedCluster shared)
{
    [Fact]
    public Task Switchover_by_the_API_moves_the_primary_and_loses_no_row() => Moved(async (cluster, old, target) =>
    {
        ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, cluster.Nodes[0].ApiUrl + "/switchover",
            new JsonObject { ["leader"] = old.Name, ["candidate"] = target.Name }, Wait.Seconds);
        Assert.Equal((200, $"Successfully switched over to \"{target.Name}\""), (answer.Status, answer.Body));
    });

    [Fact]
    public Task Switchover_by_the_command_line_moves_the_primary_and_loses_no_row() => Moved(async (cluster, old, target) =>
    {
        ProductResult result = await cluster.CommandAsync("switchover", "--leader", old.Name, "--candidate", target.Name, "--force");
        Assert.True(result.ExitCode == 0, result.Error + result.Output);
    });

    [Fact]
    public Task A_scheduled_switchover_survives_the_death_of_all_agents_and_fires_on_time() => Scheduled(20, cluster =>
    {
        foreach (TestNode node in cluster.Nodes) node.KillAgent();
        foreach (TestNode node in cluster.Nodes) node.Start();
        return Task.CompletedTask;
    });

    [Fact]
    public Task A_scheduled_switchover_survives_changes_of_the_Raft_leader_and_fires_on_time() => Scheduled(8, async cluster =>
    {
        // Everybody has led once, whoever accepted the request.
        foreach (TestNode node in cluster.Nodes)
        {
            if (await cluster.RaftLeaderAsync() == node) continue;
            ProductResult moved = await cluster.CommandAsync("raft", "transfer", node.Name, "--force");
            Assert.True(moved.ExitCode == 0, moved.Error + moved.Output);
            await Wait.UntilAsync($"{node.Name} to lead the group", async () => await cluster.RaftLeaderAsync() == node);
        }
    });

    [Fact]
    public Task SIGTERM_of_the_primarys_agent_stops_PostgreSQL_and_hands_leadership_over() => shared.RunAsync(async cluster =>
    {
        await using Writer writer = await Writer.StartAsync(cluster);
        TestNode old = await cluster.PrimaryAsync();
        old.SignalAgent(ProcessControl.SigTerm);
        Assert.Equal(0, await old.AgentExitAsync());
        Assert.Empty(old.PostgresProcesses);
        await Wait.UntilAsync("another primary", async () => await cluster.PrimaryAsync() != old);
        await writer.MoreAsync(20);
        old.Start();
        await cluster.VerifyAsync(writer);
    });

    [Fact]
    public Task Failover_to_a_named_candidate_works_without_a_leader() => shared.RunAsync(async cluster =>
    {
        await using Writer writer = await Writer.StartAsync(cluster);
        TestNode old = await cluster.PrimaryAsync();
        TestNode target = await cluster.ReplicaAsync();
        // In pause nobody is elected when the leader goes; an agent that ends leaves a running PostgreSQL, and with it the lease, as they are.
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["pause"] = true })).Status);
        await Wait.UntilAsync("the leader knows of the pause", async () => (bool?)(await old.GetAsync("/patroni")).Json?["pause"] == true);
        ProcessControl.Signal(old.PostmasterId(), ProcessControl.SigInt);
        await Wait.UntilAsync("its agent knows that PostgreSQL stopped", async () => (string?)(await old.GetAsync("/patroni")).Json?["state"] == "stopped");
        old.SignalAgent(ProcessControl.SigTerm);
        Assert.Equal(0, await old.AgentExitAsync());
        await Wait.UntilAsync("no leader", async () => (await cluster.StateAsync())["leader"] is null);

        ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, target.ApiUrl + "/failover", new JsonObject { ["candidate"] = target.Name }, Wait.Seconds);
        Assert.True(answer.Status == 200, answer.ToString());
        Assert.Same(target, await cluster.PrimaryAsync());
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["pause"] = null })).Status);
        old.Start();
        await writer.MoreAsync(20);
        await cluster.VerifyAsync(writer);
    });

    /// <summary>
    /// A fast stop waits until the standbys have the last WAL, without end when one hangs. Killed, the primary hands over only to a member of the
    /// synchronous set; there is none here, so it is started again.
    /// </summary>
    [Fact]
    public Task With_synchronous_mode_a_stop_that_hangs_ends_after_primary_stop_timeout() => shared.RunAsync(async cluster =>
    {
        const int limit = 3;
        TestNode primary = await cluster.PrimaryAsync(), target = await cluster.ReplicaAsync();
        string bystander = cluster.DataNodes.Single(node => node != primary && node != target).Name, epoch = await cluster.EpochAsync();
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["synchronous_mode"] = true, ["primary_stop_timeout"] = limit })).Status);
        long events = await primary.LastEventAsync();
        var sender = (int)(await primary.SqlAsync($"SELECT pid FROM pg_stat_replication WHERE application_name = '{bystander}'"))!;
        ProcessControl.Signal(sender, ProcessControl.SigStop);
        await primary.SqlAsync("SELECT pg_switch_wal()::text"); // WAL that it does not send any more.

        ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, primary.ApiUrl + "/failover", new JsonObject { ["candidate"] = target.Name }, Wait.Seconds);
        Assert.Equal((503, $"Failover failed: {primary.Name} did not stop cleanly: it did not stop within {limit} s and was killed"), (answer.Status, answer.Body));
        async Task<long> WhenAsync(string state) => await target.EventTimeAsync(events, "member_changed",
            change => (string?)change["node"] == primary.Name && (string?)change["state"] == state);
        // Without the limit it would have been pg_ctl_timeout, a minute.
        Assert.InRange(await WhenAsync("Starting") - await WhenAsync("Stopping"), limit * 1000 - 500, 30_000);
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["synchronous_mode"] = null, ["primary_stop_timeout"] = null })).Status);
        await cluster.WholeAsync();
        Assert.Equal(epoch, await cluster.EpochAsync());
    });

    [Fact]
    public Task History_keeps_the_newest_max_timelines_history_changes() => shared.RunAsync(async cluster =>
    {
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["max_timelines_history"] = 2 })).Status);
        for (int i = 0; i < 3; i++)
        {
            TestNode old = await cluster.PrimaryAsync(), target = await cluster.ReplicaAsync();
            ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, old.ApiUrl + "/switchover", new JsonObject { ["leader"] = old.Name, ["candidate"] = target.Name }, Wait.Seconds);
            Assert.True(answer.Status == 200, answer.ToString());
            await cluster.WholeAsync();
        }
        TestNode primary = await cluster.PrimaryAsync();
        var timeline = (int)(await primary.GetAsync("/patroni")).Json!["timeline"]!;
        var history = (JsonArray)(await primary.GetAsync("/history")).Json!;
        Assert.Equal([timeline - 2, timeline - 1], history.Select(change => (int)change![0]!));
        Assert.Equal(primary.Name, (string?)history[^1]![4]);
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["max_timelines_history"] = null })).Status);
    });

    private Task Scheduled(int seconds, Func<TestCluster, Task> meanwhile) => Moved(async (cluster, old, target) =>
    {
        long events = await old.LastEventAsync();
        DateTimeOffset at = DateTimeOffset.FromUnixTimeSeconds(DateTimeOffset.UtcNow.ToUnixTimeSeconds() + seconds);
        ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, old.ApiUrl + "/switchover", new JsonObject
        {
            ["leader"] = old.Name, ["candidate"] = target.Name, ["scheduled_at"] = at.ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture),
        });
        Assert.True(answer.Status == 202, answer.ToString());
        await meanwhile(cluster);
        long lateMs = await target.EventTimeAsync(events, "member_changed", change => (string?)change["node"] == old.Name && (string?)change["state"] == "Stopping")
            - at.ToUnixTimeMilliseconds();
        Assert.InRange(lateMs, 0, 1000);
    });

    private Task Moved(Func<TestCluster, TestNode, TestNode, Task> move) => shared.RunAsync(async cluster =>
    {
        await using Writer writer = await Writer.StartAsync(cluster);
        TestNode old = await cluster.PrimaryAsync();
        TestNode target = await cluster.ReplicaAsync();

        await move(cluster, old, target);

        await Wait.UntilAsync($"{target.Name} to be primary", () => target.IsPrimaryAsync());
        await writer.MoreAsync(20);
        await cluster.VerifyAsync(writer);
        Assert.Same(target, await cluster.PrimaryAsync());
    });
}
