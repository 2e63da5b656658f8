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
    public Task A_scheduled_switchover_survives_the_death_of_all_agents() => Moved(async (cluster, old, target) =>
    {
        string at = DateTimeOffset.UtcNow.AddSeconds(20).ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture);
        ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, old.ApiUrl + "/switchover",
            new JsonObject { ["leader"] = old.Name, ["candidate"] = target.Name, ["scheduled_at"] = at });
        Assert.True(answer.Status == 202, answer.ToString());
        foreach (TestNode node in cluster.Nodes) node.KillAgent();
        foreach (TestNode node in cluster.Nodes) node.Start();
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
