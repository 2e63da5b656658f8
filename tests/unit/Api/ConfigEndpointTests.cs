using Patroni.Raft.StateMachine;
using Patroni.Raft.UnitTests.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

public sealed class ConfigEndpointTests
{
    [Fact]
    public async Task Recorded_patches()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.Equal((200, RecordedCluster.Config), await api.SendAsync("GET", "/config"));
        Assert.Equal(
            (200, """{"loop_wait": 1, "postgresql": {"parameters": {"max_connections": 60, "shared_buffers": "32MB", "wal_keep_size": "128MB"}, "use_pg_rewind": true}, "retry_timeout": 3, "synchronous_mode": false, "ttl": 20}"""),
            await api.SendAsync("PATCH", "/config", """{"postgresql":{"parameters":{"max_connections":60}}}"""));
        (int status, string text) = await api.SendAsync("PATCH", "/config", """{"postgresql":{"parameters":{"max_connections":50,"wal_keep_size":null}}}""");
        Assert.Equal(
            (200, """{"loop_wait": 1, "postgresql": {"parameters": {"max_connections": 50, "shared_buffers": "32MB"}, "use_pg_rewind": true}, "retry_timeout": 3, "synchronous_mode": false, "ttl": 20}"""),
            (status, text));
        Assert.Equal((200, text), await api.SendAsync("GET", "/config"));
    }

    [Fact]
    public async Task The_next_answer_shows_the_change_even_before_the_loop_turns()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        api.Node.Turns = false;
        (_, string patched) = await api.SendAsync("PATCH", "/config", """{"loop_wait":2}""");
        Assert.Contains("\"loop_wait\": 2", patched);
        Assert.Equal((200, patched), await api.SendAsync("GET", "/config"));
    }

    [Fact]
    public async Task Put_replaces_the_whole_document()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.Equal((200, """{"ttl": 20, "loop_wait": 3}"""), await api.SendAsync("PUT", "/config", """{"ttl":20,"loop_wait":3}"""));
        Assert.Equal((200, """{"ttl": 20, "loop_wait": 3}"""), await api.SendAsync("GET", "/config"));
    }

    [Theory]
    [InlineData("not json", "not valid JSON (line 1, byte")]
    [InlineData("[]", "a list")]
    [InlineData("\"ttl\"", "text")]
    [InlineData("{}", "empty object")]
    [InlineData("", "JSON object")]
    [InlineData("""{"ttl":20,"ttl":30}""", "not valid JSON")]
    [InlineData("""{"a":"\udfff"}""", "surrogate")]
    [InlineData("""{"\ud800":1}""", "surrogate")]
    [InlineData("""{"ttl":"soon"}""", "ttl")]
    [InlineData("""{"ttl":1e999}""", "ttl")]
    [InlineData("""{"ttl":99999999999999999999999999999999999999999}""", "ttl")]
    [InlineData("""{"no_such_key":1}""", "no_such_key")]
    public async Task What_is_wrong_is_refused_by_name_and_changes_nothing(string body, string part)
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        foreach (string method in (string[])["PATCH", "PUT"])
        {
            (int status, string text) = await api.SendAsync(method, "/config", body);
            Assert.True(status == 400, $"{method} {body}: {status} {text}");
            Assert.Contains(part, text);
        }
        Assert.Equal((200, RecordedCluster.Config), await api.SendAsync("GET", "/config"));
    }

    [Fact]
    public async Task Deep_nesting_is_refused()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        string body = string.Concat(Enumerable.Repeat("{\"a\":", 5000)) + "1" + new string('}', 5000);
        Assert.Equal(400, (await api.SendAsync("PATCH", "/config", body)).Status);
    }

    [Fact]
    public async Task An_oversized_body_is_refused_and_the_connection_stays_usable()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        string body = "{\"postgresql\":{\"parameters\":{\"a\":\"" + new string('x', 1024 * 1024) + "\"}}}";
        string answers = await api.SendRawAsync(
            $"PATCH /config HTTP/1.1\r\nHost: x\r\nContent-Length: {body.Length}\r\n\r\n{body}GET /liveness HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 400 ", answers);
        Assert.Contains("HTTP/1.1 200 OK", answers);
        Assert.Equal((200, RecordedCluster.Config), await api.SendAsync("GET", "/config"));
    }

    [Fact]
    public async Task If_Match_with_an_old_version_changes_nothing()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        (_, _, HttpResponseMessage read) = await api.SendForHeadersAsync("GET", "/config");
        string version = read.Headers.ETag!.Tag;
        (int status, _, HttpResponseMessage changed) = await api.SendForHeadersAsync("PATCH", "/config", """{"loop_wait":2}""", ("If-Match", version));
        Assert.Equal(200, status);
        Assert.NotEqual(version, changed.Headers.ETag!.Tag);
        (status, string text) = await api.SendAsync("PATCH", "/config", """{"loop_wait":3}""", ("If-Match", version));
        Assert.Equal(412, status);
        Assert.Contains(version.Trim('"'), text);
        Assert.Equal(412, (await api.SendAsync("PUT", "/config", """{"ttl":20}""", ("If-Match", "W/\"1\""))).Status);
        Assert.Equal(200, (await api.SendAsync("PATCH", "/config", """{"loop_wait":3}""", ("If-Match", "*"))).Status);
    }

    [Fact]
    public async Task Without_quorum_nothing_is_changed()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        api.Node.HasQuorum = false;
        Assert.Equal((503, "The Raft group has no quorum."), await api.SendAsync("PATCH", "/config", """{"loop_wait":2}"""));
    }

    [Fact]
    public async Task A_cluster_that_is_not_initialized_has_no_configuration()
    {
        TestCluster cluster = TestCluster.Registered("node0");
        TestCluster full = RecordedCluster.Create();
        var node = new InMemoryNode(cluster, RecordedCluster.Snapshot(full, 0) with { State = cluster.State });
        await using ApiFixture api = await ApiFixture.StartAsync(node);
        Assert.Equal(502, (await api.SendAsync("GET", "/config")).Status);
        Assert.Equal(503, (await api.SendAsync("PATCH", "/config", """{"loop_wait":2}""")).Status);
        Assert.Equal(0, cluster.State.Config.Version);
    }
}
