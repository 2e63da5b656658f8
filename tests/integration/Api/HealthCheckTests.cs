using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>Every health check in every state that a live cluster can be brought into: path by path, on the primary and on replicas, with all three methods.</summary>
[Collection(ApiClusterCollection.Name)]
public sealed class HealthCheckTests(ApiCluster api)
{
    /// <summary>Every path with the nodes that answer 200 in an asynchronous cluster: P the primary, R replicas. tests/unit/Api/HealthRulesTests.cs has the other kinds.</summary>
    private static readonly (string Path, string Passes)[] Paths =
    [
        ("/", "P"),
        ("/primary", "P"),
        ("/read-write", "P"),
        ("/master", "P"),
        ("/leader", "P"),
        ("/standby-leader", ""),
        ("/standby_leader", ""),
        ("/replica", "R"),
        ("/read-only", "PR"),
        ("/synchronous", ""),
        ("/sync", ""),
        ("/read-only-sync", "P"),
        ("/quorum", ""),
        ("/read-only-quorum", "P"),
        ("/asynchronous", "R"),
        ("/async", "R"),
        ("/health", "PR"),
        ("/liveness", "PR"),
        ("/readiness", "PR"),
        ("/no-such-path", ""),
    ];

    [Fact]
    public Task Every_path_answers_GET_HEAD_and_OPTIONS_alike() => api.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        foreach (TestNode node in cluster.DataNodes)
        {
            using RawHttp connection = await RawHttp.ConnectAsync(node.ApiPort);
            foreach ((string path, string passes) in Paths)
            {
                // One connection for all: keep-alive over 60 requests.
                int expected = passes.Contains(node == primary ? 'P' : 'R') ? 200 : 503;
                RawAnswer get = await connection.SendAsync("GET", path), head = await connection.SendAsync("HEAD", path), options = await connection.SendAsync("OPTIONS", path);
                Assert.Equal((path, expected, expected, expected), (path, get.Status, head.Status, options.Status));
                if (path is "/liveness" or "/readiness") Assert.Equal("", get.Body);
                else Assert.StartsWith("{\"state\": \"running\", ", get.Body);
                Assert.Equal("", options.Body);
            }
        }
    });

    [Theory]
    [InlineData("GET /primary HTTP/1.0\r\n\r\n")]
    [InlineData("OPTIONS /primary HTTP/1.0\r\n\r\n")]
    [InlineData("OPTIONS /primary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")]
    [InlineData("HEAD / HTTP/1.0\r\nConnection: close\r\n\r\n")]
    public Task Old_clients_and_load_balancers_are_answered_and_the_connection_closes(string request) => api.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        using RawHttp connection = await RawHttp.ConnectAsync(primary.ApiPort);
        await connection.WriteAsync(System.Text.Encoding.ASCII.GetBytes(request));
        Assert.Equal(200, (await connection.ReadAnswerAsync(request.Split(' ')[0])).Status);
        Assert.True(await connection.IsClosedWithinAsync(TimeSpan.FromSeconds(30)));
    });

    [Fact]
    public Task Lag_states_tags_and_noloadbalance_decide_for_replicas_and_never_for_leaders() => api.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync(), replica = await cluster.ReplicaAsync();
        await TagAsync(cluster, replica, new() { ["datacenter"] = "north", ["spare"] = true, ["weight"] = 5 });
        await Wait.UntilAsync("the tags", async () => await AsksAsync(replica, "/replica?tag_datacenter=north") == 200);
        await Wait.UntilAsync("no lag at all", async () => await AsksAsync(replica, "/replica?lag=0") == 200);
        foreach (string path in (string[])
            ["/replica?lag=16MB&replication_state=streaming", "/replica?tag_datacenter=north&tag_spare=true&tag_weight=5", "/replica?lag=nonsense",
                "/async?lag=1048576&tag_spare=true", "/read-only?lag=1GB", "/health?tag_datacenter=north", "/readiness?lag=16kB&mode=write", "/readiness?mode=apply", "/replica?tag_empty="])
            await AnswersAsync(replica, path, 200);
        foreach (string path in (string[])
            ["/replica?lag=-1", "/replica?replication_state=in%20archive%20recovery", "/replica?tag_datacenter=south", "/replica?tag_spare=True", "/replica?tag_other=x",
                "/async?tag_weight=6", "/health?tag_datacenter=south", "/readiness?lag=-1", "/read-only?tag_datacenter=south"])
            await AnswersAsync(replica, path, 503);
        foreach (string path in (string[])["/primary", "/leader", "/", "/read-write", "/master"]) await AnswersAsync(primary, $"{path}?tag_datacenter=none&lag=-1", 200);
        Assert.Equal("""{"datacenter": "north", "spare": true, "weight": 5}""", (await ApiCluster.StatusAsync(replica)).GetProperty("tags").GetRawText());

        await TagAsync(cluster, replica, new() { ["noloadbalance"] = true });
        await Wait.UntilAsync("no load", async () => await AsksAsync(replica, "/replica") == 503);
        foreach (string path in (string[])["/async", "/read-only", "/sync"]) await AnswersAsync(replica, path, 503);
        foreach (string path in (string[])["/health", "/readiness", "/liveness"]) await AnswersAsync(replica, path, 200);

        await TagAsync(cluster, replica, []);
        await Wait.UntilAsync("no tags", async () => !(await ApiCluster.StatusAsync(replica)).TryGetProperty("tags", out _) && await AsksAsync(replica, "/replica") == 200);
    });

    [Fact]
    public Task A_replica_that_lags_is_taken_out_by_the_lag_it_is_asked_for() => api.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync(), replica = await cluster.ReplicaAsync();
        await primary.SqlAsync("CREATE TABLE lagging AS SELECT 1 AS x");
        await cluster.CaughtUpAsync();
        await replica.SqlAsync("SELECT pg_wal_replay_pause()");
        try
        {
            await primary.SqlAsync("INSERT INTO lagging SELECT generate_series(1, 100000)");
            await Wait.UntilAsync("the lag", async () => await AsksAsync(replica, "/replica?lag=1MB") == 503);
            await Wait.UntilAsync("replay to be seen paused", async () => (await ApiCluster.StatusAsync(replica)).GetProperty("xlog").GetProperty("paused").GetBoolean());
            foreach (string path in (string[])["/async?lag=1MB", "/readiness?lag=1024kB", "/read-only?lag=1048576"]) await AnswersAsync(replica, path, 503);
            // Received it has everything; only replay stands still.
            await Wait.UntilAsync("all WAL received", async () => await AsksAsync(replica, "/readiness?lag=1MB&mode=write") == 200);
            await AnswersAsync(replica, "/replica?lag=1GB", 200);
            await AnswersAsync(replica, "/replica", 200);
        }
        finally
        {
            await replica.SqlAsync("SELECT pg_wal_replay_resume()");
        }
        await Wait.UntilAsync("no lag", async () => await AsksAsync(replica, "/replica?lag=1MB") == 200);
        await primary.SqlAsync("DROP TABLE lagging");
    });

    [Fact]
    public Task Pause_changes_no_answer_but_shows() => api.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync(), replica = await cluster.ReplicaAsync();
        await api.ConfigureAsync("""{"pause": true}""");
        foreach (TestNode node in cluster.Nodes)
            await Wait.UntilAsync("the pause", async () => (await ApiCluster.StatusAsync(node)).TryGetProperty("pause", out _));
        foreach (string path in (string[])["/primary", "/leader", "/health", "/liveness", "/readiness"]) await AnswersAsync(primary, path, 200);
        foreach (string path in (string[])["/replica", "/async", "/health", "/liveness", "/readiness"]) await AnswersAsync(replica, path, 200);
        await AnswersAsync(replica, "/primary", 503);
        await api.ConfigureAsync("""{"pause": null}""");
    });

    private static async Task TagAsync(TestCluster cluster, TestNode node, JsonObject tags)
    {
        cluster.Document["nodes"]![node.Name]!["tags"] = tags;
        cluster.WriteFile();
        ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, node.ApiUrl + "/reload");
        Assert.True(answer.Status == 202, answer.Body);
    }

    private static async Task<int> AsksAsync(TestNode node, string path) => (await RawHttp.SendAsync(node.ApiPort, "OPTIONS", path)).Status;

    private static async Task AnswersAsync(TestNode node, string path, int expected) => Assert.Equal((path, expected), (path, await AsksAsync(node, path)));
}
