using System.Diagnostics;
using System.Text;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>Nothing hangs: not with a hung PostgreSQL, not without a quorum, not beside slow, greedy or many clients.</summary>
[Collection(ApiClusterCollection.Name)]
public sealed class ResilienceTests(ApiCluster api, ITestOutputHelper output)
{
    private static readonly string[] Reads = ["/primary", "/replica", "/health", "/liveness", "/readiness", "/patroni", "/cluster", "/metrics", "/history", "/config", "/state", "/events"];

    [Fact]
    public Task A_hung_PostgreSQL_hangs_no_answer() => api.RunAsync(async cluster =>
    {
        TestNode replica = await cluster.ReplicaAsync();
        int[] hung = [.. replica.PostgresProcesses];
        foreach (int process in hung) ProcessControl.Signal(process, ProcessControl.SigStop);
        try
        {
            await AnswersQuicklyAsync(replica, "with a hung PostgreSQL");
            await Wait.UntilAsync("the replica to be taken out", async () => (await replica.GetAsync("/replica")).Status == 503);
            await AnswersQuicklyAsync(replica, "when it is known to hang");
        }
        finally
        {
            foreach (int process in hung) ProcessControl.Signal(process, ProcessControl.SigCont);
        }
    });

    [Fact]
    public Task A_hung_primary_keeps_answering_too() => api.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        int[] hung = [.. primary.PostgresProcesses];
        foreach (int process in hung) ProcessControl.Signal(process, ProcessControl.SigStop);
        try
        {
            await AnswersQuicklyAsync(primary, "with a hung primary");
        }
        finally
        {
            foreach (int process in hung) ProcessControl.Signal(process, ProcessControl.SigCont);
        }
    });

    [Fact]
    public Task Without_a_quorum_reads_answer_and_changes_are_refused_in_time() => api.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        TestNode[] stopped = [.. cluster.Nodes.Where(node => node != primary)];
        foreach (TestNode node in stopped) node.SignalAgent(ProcessControl.SigStop);
        try
        {
            var watch = Stopwatch.StartNew();
            Task<RawAnswer>[] changes =
            [
                RawHttp.SendAsync(primary.ApiPort, "PATCH", "/config", """{"maximum_lag_on_failover": 1234}"""),
                RawHttp.SendAsync(primary.ApiPort, "POST", "/switchover", $$"""{"leader": "{{primary.Name}}"}"""),
                RawHttp.SendAsync(primary.ApiPort, "POST", "/failover", $$"""{"candidate": "{{stopped[0].Name}}"}"""),
                RawHttp.SendAsync(primary.ApiPort, "DELETE", "/switchover"),
            ];
            await AnswersQuicklyAsync(primary, "without a quorum");
            foreach (RawAnswer answer in await Task.WhenAll(changes))
            {
                Assert.Equal(503, answer.Status);
                Assert.True(answer.Body.Length > 20, answer.Body);
            }
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(40), $"refused after {watch.Elapsed}");
        }
        finally
        {
            foreach (TestNode node in stopped) node.SignalAgent(ProcessControl.SigCont);
        }
    });

    [Fact]
    public Task Slow_clients_are_cut_off_and_hold_nobody_up() => api.RunAsync(async cluster =>
    {
        TestNode node = await cluster.PrimaryAsync();
        var slow = new List<RawHttp>();
        try
        {
            for (int i = 0; i < 200; i++)
            {
                RawHttp client = await RawHttp.ConnectAsync(node.ApiPort);
                slow.Add(client);
                // Half of them never finish their headers, the others never send their body.
                await client.WriteAsync(Encoding.ASCII.GetBytes(i % 2 == 0
                    ? "GET /primary HTTP/1.1\r\nHost: x\r\nX-Slow: "
                    : "PATCH /config HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{\"ttl\""));
            }
            await AnswersQuicklyAsync(node, "beside 200 slow clients");
            bool[] closed = await Task.WhenAll(slow.Select(client => client.IsClosedWithinAsync(TimeSpan.FromSeconds(60))));
            Assert.DoesNotContain(false, closed);
        }
        finally
        {
            foreach (RawHttp client in slow) client.Dispose();
        }
    });

    [Fact]
    public Task Connections_are_limited_and_those_that_stand_go_on() => api.RunAsync(async cluster =>
    {
        TestNode node = await cluster.PrimaryAsync();
        using RawHttp before = await RawHttp.ConnectAsync(node.ApiPort);
        Assert.Equal(200, (await before.SendAsync("GET", "/primary")).Status);
        var many = new List<RawHttp>();
        try
        {
            for (int i = 0; i < 2100; i++) many.Add(await RawHttp.ConnectAsync(node.ApiPort));
            // Beyond the limit a connection is closed at once; the last one surely is.
            Assert.True(await many[^1].IsClosedWithinAsync(TimeSpan.FromSeconds(60)));
            Assert.Equal(200, (await before.SendAsync("GET", "/primary")).Status);
        }
        finally
        {
            foreach (RawHttp client in many) client.Dispose();
        }
        await Wait.UntilAsync("room for new connections", async () => (await node.GetAsync("/primary")).Status == 200);
    });

    [Fact]
    public Task Sizes_are_limited_and_the_connection_stays_usable_after_a_refused_body() => api.RunAsync(async cluster =>
    {
        TestNode node = await cluster.PrimaryAsync();
        string config = (await node.GetAsync("/config")).Body;
        using RawHttp connection = await RawHttp.ConnectAsync(node.ApiPort);
        byte[] big = [.. """{"postgresql": {"parameters": {"x.y": "x"""u8, .. Enumerable.Repeat((byte)'x', 1024 * 1024), .. "\"}}}"u8];
        foreach ((string method, string path) in ((string, string)[])
            [("PATCH", "/config"), ("PUT", "/config"), ("POST", "/switchover"), ("POST", "/failover"), ("POST", "/restart"), ("POST", "/reinitialize"), ("POST", "/raft/members"), ("POST", "/raft/transfer")])
        {
            RawAnswer refused = await connection.SendAsync(method, path, big, $"Authorization: Bearer {TestCluster.Token}\r\n");
            Assert.Equal((400, "The request body is bigger than 1048576 bytes."), (refused.Status, refused.Body));
            Assert.Equal(200, (await connection.SendAsync("GET", "/primary")).Status);
        }
        Assert.Equal(config, (await node.GetAsync("/config")).Body);
        Assert.Equal(431, (await OnceAsync(node, $"GET /primary HTTP/1.1\r\nHost: x\r\nX: {new string('x', 20_000)}\r\n\r\n")).Status);
        Assert.Equal(431, (await OnceAsync(node, $"GET /primary HTTP/1.1\r\nHost: x\r\n{string.Concat(Enumerable.Range(0, 100).Select(i => $"X-{i}: y\r\n"))}\r\n")).Status);
        Assert.Equal(414, (await OnceAsync(node, $"GET /{new string('x', 10_000)} HTTP/1.1\r\nHost: x\r\n\r\n")).Status);
    });

    private static async Task<RawAnswer> OnceAsync(TestNode node, string request)
    {
        using RawHttp connection = await RawHttp.ConnectAsync(node.ApiPort);
        await connection.WriteAsync(Encoding.ASCII.GetBytes(request));
        return await connection.ReadAnswerAsync("GET");
    }

    /// <summary>Half of the answers within 100 ms, all within two seconds, on connections of their own and on a machine that does other things too.</summary>
    private async Task AnswersQuicklyAsync(TestNode node, string when)
    {
        var times = new List<double>();
        for (int round = 0; round < 10; round++)
        {
            foreach (string path in Reads)
            {
                var watch = Stopwatch.StartNew();
                RawAnswer answer = await RawHttp.SendAsync(node.ApiPort, "GET", path);
                times.Add(watch.Elapsed.TotalMilliseconds);
                Assert.True(answer.Status is 200 or 503, $"{path}: {answer}");
            }
        }
        times.Sort();
        output.WriteLine($"{when}: p50 {times[times.Count / 2]:0.0} ms, max {times[^1]:0.0} ms of {times.Count}");
        Assert.True(times[times.Count / 2] < 100, $"{when}: half of the answers took more than {times[times.Count / 2]} ms");
        Assert.True(times[^1] < 2000, $"{when}: the slowest answer took {times[^1]} ms");
    }
}
