using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>Nonsense at every endpoint of a live cluster: no 500, no crash, no restart, no change, and the connection goes on.</summary>
[Collection(ApiClusterCollection.Name)]
public sealed class FuzzTests(ApiCluster api, ITestOutputHelper output)
{
    [Fact]
    public Task Nonsense_changes_nothing() => api.RunAsync(async cluster =>
    {
        int seed = Setting("API_FUZZ_SEED", 1), requests = Setting("API_FUZZ_REQUESTS", 2000);
        output.WriteLine($"API_FUZZ_SEED={seed} API_FUZZ_REQUESTS={requests}");
        var random = new Random(seed);
        string before = await FactsAsync(cluster);
        int[] postmasters = [.. cluster.DataNodes.Select(node => node.PostmasterId())];
        var statuses = new SortedDictionary<int, int>();
        var connections = new Dictionary<TestNode, RawHttp>();
        for (int number = 0; number < requests; number++)
        {
            TestNode node = cluster.Nodes[random.Next(cluster.Nodes.Count)];
            FuzzRequest request = FuzzRequest.Next(random);
            string story = $"API_FUZZ_SEED={seed} request {number} to {node.Name}: {request}";
            RawAnswer answer = await SendAsync(connections, node, request, story);
            statuses[answer.Status] = statuses.GetValueOrDefault(answer.Status) + 1;
            Check(request, answer, story);
            if (number % 200 == 0) Assert.True(before == await FactsAsync(cluster), story);
        }
        foreach (RawHttp connection in connections.Values) connection.Dispose();
        output.WriteLine(string.Join(", ", statuses.Select(status => $"{status.Value} x {status.Key}")));
        Assert.Equal(before, await FactsAsync(cluster));
        Assert.All(cluster.Nodes, node => Assert.True(node.AgentRuns));
        Assert.Equal(postmasters, cluster.DataNodes.Select(node => node.PostmasterId()));
    });

    [Theory]
    [InlineData("POST /switchover HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n")]
    [InlineData("POST /switchover HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n")]
    [InlineData("POST /switchover HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}")]
    [InlineData("POST /switchover HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")]
    [InlineData("POST /switchover HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n")]
    [InlineData("POST /switchover HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n{}")]
    [InlineData("POST /switchover HTTP/1.1\r\n\r\n")]
    [InlineData("POST /switchover HTTP/9.9\r\nHost: x\r\n\r\n")]
    [InlineData("POST /switchover\r\n\r\n")]
    [InlineData("GET http://[::1/primary HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("\0\0\0\0\r\n\r\n")]
    [InlineData("\u0016\u0003\u0001\u0002\r\n\r\n")]
    public Task Broken_HTTP_is_refused_and_others_are_served(string request) => api.RunAsync(async cluster =>
    {
        string before = await FactsAsync(cluster);
        using RawHttp connection = await RawHttp.ConnectAsync(cluster.Nodes[0].ApiPort);
        await connection.WriteAsync(Encoding.Latin1.GetBytes(request));
        RawAnswer answer = await connection.ReadAnswerAsync("POST");
        Assert.InRange(answer.Status, 400, 505);
        Assert.NotEqual(500, answer.Status);
        Assert.Equal(before, await FactsAsync(cluster));
    });

    private static async Task<RawAnswer> SendAsync(Dictionary<TestNode, RawHttp> connections, TestNode node, FuzzRequest request, string story)
    {
        if (!connections.TryGetValue(node, out RawHttp? connection)) connections[node] = connection = await RawHttp.ConnectAsync(node.ApiPort);
        try
        {
            RawAnswer answer = await connection.SendAsync(request.Method, request.Path, request.Body, request.Headers);
            if (answer.Status == 100) answer = await connection.ReadAnswerAsync(request.Method);
            if (answer["Connection"] == "close")
            {
                connection.Dispose();
                connections.Remove(node);
            }
            return answer;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or FormatException or ArgumentOutOfRangeException)
        {
            throw new InvalidOperationException($"no answer ({e.Message}) to {story}", e);
        }
    }

    private static void Check(FuzzRequest request, RawAnswer answer, string story)
    {
        Assert.True(answer.Status != 500, $"{story}\n{answer}");
        if (!request.MustBeRefused) return;
        Assert.True(answer.Status is >= 400 and < 500 or 503, $"{story}\n{answer}");
        Assert.True(answer.Body.Length > 10 && !answer.Body.Contains('\n'), $"{story}\n{answer}");
        // What is wrong in a body is no reason to hang up; what is wrong in HTTP may be.
        Assert.True(answer["Connection"] is null || request.Headers.Contains('\u0001'), $"{story}\n{answer}");
    }

    /// <summary>What must not move: configuration, requests for failover, leader, members and their schedules, peers.</summary>
    private static async Task<string> FactsAsync(TestCluster cluster)
    {
        JsonNode state = await cluster.StateAsync();
        var facts = new JsonObject();
        foreach (string key in (string[])["initialize", "leader", "config", "failover", "history", "peers"]) facts[key] = state[key]?.DeepClone();
        foreach ((string name, JsonNode? member) in (JsonObject)state["members"]!) facts[$"schedule of {name}"] = member!["scheduled_restart"]?.DeepClone();
        return facts.ToJsonString();
    }

    private static int Setting(string name, int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int given) ? given : usual;
}
