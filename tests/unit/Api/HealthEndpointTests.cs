using Patroni.Raft.Agent.Node;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

public sealed class HealthEndpointTests
{
    [Theory]
    [InlineData("/", 200)]
    [InlineData("/primary", 200)]
    [InlineData("/replica", 503)]
    [InlineData("/replica?lag=16MB", 503)]
    [InlineData("/replica?tag_foo=bar", 503)]
    [InlineData("/no-such-path", 503)]
    [InlineData("/health", 200)]
    public async Task Get_answers_with_the_status_document_and_HEAD_and_OPTIONS_with_the_status_only(string path, int expected)
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        (int status, string text, HttpResponseMessage response) = await api.SendForHeadersAsync("GET", path);
        Assert.Equal(expected, status);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.ToString());
        Assert.StartsWith("{\"state\": \"running\", ", text);
        Assert.Equal((expected, ""), await api.SendAsync("HEAD", path));
        Assert.Equal((expected, ""), await api.SendAsync("OPTIONS", path));
    }

    [Theory]
    [InlineData("/liveness")]
    [InlineData("/readiness")]
    public async Task Probes_answer_with_the_status_line_only(string path)
    {
        await using ApiFixture api = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        foreach (string method in (string[])["GET", "HEAD", "OPTIONS"]) Assert.Equal((200, ""), await api.SendAsync(method, path));
    }

    [Fact]
    public async Task The_lease_is_checked_at_the_request_and_not_at_the_snapshot()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.Equal(200, (await api.SendAsync("GET", "/primary")).Status);
        api.Node.NowMs = 1_010_000;
        Assert.Equal(503, (await api.SendAsync("GET", "/primary")).Status);
        Assert.Equal(503, (await api.SendAsync("OPTIONS", "/")).Status);
    }

    [Fact]
    public async Task Health_checks_and_documents_answer_without_a_quorum()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        api.Node.HasQuorum = false;
        foreach (string path in (string[])["/primary", "/patroni", "/cluster", "/history", "/config", "/metrics", "/state", "/events", "/raft/members"])
            Assert.Equal(200, (await api.SendAsync("GET", path)).Status);
    }

    [Fact]
    public async Task HAProxy_asks_with_OPTIONS_over_HTTP_1_0_without_a_host()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", await api.SendRawAsync("OPTIONS /primary HTTP/1.0\r\n\r\n"));
        Assert.StartsWith("HTTP/1.1 503 Service Unavailable\r\n", await api.SendRawAsync("OPTIONS /replica HTTP/1.0\r\n\r\n"));
    }

    [Fact]
    public async Task A_connection_serves_many_requests()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        string answers = await api.SendRawAsync(
            "GET /liveness HTTP/1.1\r\nHost: x\r\n\r\nOPTIONS /primary HTTP/1.1\r\nHost: x\r\n\r\nGET /patroni HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.Equal(3, answers.Split("HTTP/1.1 200 OK").Length - 1);
        Assert.Contains("{\"state\": \"running\"", answers);
    }

    [Fact]
    public async Task Documents_follow_the_snapshot()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.Contains("\"timeline\": 1", (await api.SendAsync("GET", "/patroni")).Text);
        api.Node.Change(s => s with { Postgres = s.Postgres! with { Timeline = new(7) } });
        Assert.Contains("\"timeline\": 7", (await api.SendAsync("GET", "/patroni")).Text);
    }

    [Fact]
    public async Task Failsafe_topology_is_502_while_the_mode_is_off()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.Equal(502, (await api.SendAsync("GET", "/failsafe")).Status);
        await api.SendAsync("PATCH", "/config", """{"failsafe_mode":true}""");
        Assert.Equal((200, "{}"), await api.SendAsync("GET", "/failsafe"));
    }

    [Theory]
    [InlineData("POST", "/patroni", 405)]
    [InlineData("DELETE", "/history", 405)]
    [InlineData("POST", "/no-such-path", 405)]
    public async Task Methods_that_a_path_does_not_have(string method, string path, int expected)
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.Equal(expected, (await api.SendAsync(method, path, "{}")).Status);
    }
}
