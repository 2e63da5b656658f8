using System.Net.Http.Headers;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

/// <summary>Restart, reload, reinitialize, the Raft group's members and the events.</summary>
public sealed class OperationEndpointTests
{
    [Theory]
    [InlineData("""{"x":1}""", 400, "Unknown filter for the scheduled restart: x")]
    [InlineData("""{"role":"x"}""", 400, "PostgreSQL role should be either primary, standby_leader, or replica")]
    [InlineData("""{"role":5}""", 400, "PostgreSQL role should be either primary, standby_leader, or replica")]
    [InlineData("""{"postgres_version":"x"}""", 400, "Invalid PostgreSQL version: x")]
    [InlineData("""{"postgres_version":"9.6"}""", 400, "Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: 9.6")]
    [InlineData("""{"timeout":"x"}""", 400, "Timeout should be a positive number of seconds")]
    [InlineData("""{"timeout":-1}""", 400, "Timeout should be a positive number of seconds")]
    [InlineData("""{"timeout":0}""", 400, "Timeout should be a positive number of seconds")]
    [InlineData("""{"restart_pending":"perhaps"}""", 400, "restart_pending must be a boolean.")]
    [InlineData("""{"schedule":"2020-01-01T00:00:00Z"}""", 422, "Cannot schedule restart in the past")]
    [InlineData("""{"schedule":"2039-01-01T00:00:00"}""", 400, "Timezone information is mandatory for the scheduled restart")]
    [InlineData("""{"role":"primary"}""", 503, "restart conditions are not satisfied")]
    [InlineData("""{"postgres_version":"15.18"}""", 503, "restart conditions are not satisfied")]
    [InlineData("""{"restart_pending":true}""", 503, "restart conditions are not satisfied")]
    [InlineData("[]", 400, "The request body must be a JSON object, not a list.")]
    public async Task Restarts_that_are_refused(string body, int status, string text)
    {
        await using ApiFixture api = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        Assert.Equal((status, text), await api.SendAsync("POST", "/restart", body));
        Assert.Empty(api.Node.Operations);
    }

    [Theory]
    [InlineData("", "restart ")]
    [InlineData("{}", "restart ")]
    [InlineData("""{"role":"replica","postgres_version":"15.19","timeout":"1min","restart_pending":false}""", "restart 60")]
    [InlineData("""{"timeout":5}""", "restart 5")]
    public async Task Restarts_that_are_done(string body, string operation)
    {
        await using ApiFixture api = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        Assert.Equal((200, "restarted successfully"), await api.SendAsync("POST", "/restart", body));
        Assert.Equal([operation], api.Node.Operations);
        api.Node.NextResult = new(false, "restart failed: no space left");
        Assert.Equal((503, "restart failed: no space left"), await api.SendAsync("POST", "/restart", body));
    }

    [Fact]
    public async Task A_restart_is_scheduled_once_shown_and_deleted_once()
    {
        await using ApiFixture api = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        const string body = """{"schedule":"2039-09-24T14:00:00+02:00","role":"primary","timeout":"1min"}""";
        Assert.Equal((202, "Restart scheduled"), await api.SendAsync("POST", "/restart", body));
        Assert.Equal((409, "Another restart is already scheduled"), await api.SendAsync("POST", "/restart", body));
        ScheduledRestart kept = api.Node.Cluster.State.Members[RecordedCluster.Name(1)].ScheduledRestart!;
        Assert.Equal((2200478400000, new RestartConditions(PostgresRole.Primary, null, false), 60_000), (kept.AtUnixMs, kept.Conditions, kept.TimeoutMs!.Value));
        Assert.Contains("""scheduled_restart": {"schedule": "2039-09-24T14:00:00+02:00", "role": "primary", "timeout": 60}, "raft": """, (await api.SendAsync("GET", "/patroni")).Text);
        Assert.Equal((200, "scheduled restart deleted"), await api.SendAsync("DELETE", "/restart"));
        Assert.Equal((404, "no restarts are scheduled"), await api.SendAsync("DELETE", "/restart"));
        Assert.Empty(api.Node.Operations);
    }

    [Fact]
    public async Task A_restart_cannot_be_scheduled_in_pause_or_without_quorum()
    {
        await using ApiFixture api = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        const string body = """{"schedule":"2039-09-24T12:00:00Z"}""";
        api.Node.HasQuorum = false;
        Assert.Equal(503, (await api.SendAsync("POST", "/restart", body)).Status);
        api.Node.HasQuorum = true;
        api.Node.Do(new PatchConfig("""{"pause":true}""", 0));
        Assert.Equal((500, "Can't schedule restart in the paused state"), await api.SendAsync("POST", "/restart", body));
        Assert.Null(api.Node.Cluster.State.Members[RecordedCluster.Name(1)].ScheduledRestart);
    }

    [Fact]
    public async Task A_pending_restart_matches_its_condition()
    {
        await using ApiFixture api = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        api.Node.Change(s => s with { Report = s.Report with { PendingRestartJson = """{"a":{"old_value":"1","new_value":"2"}}""" } });
        Assert.Equal(200, (await api.SendAsync("POST", "/restart", """{"restart_pending":true}""")).Status);
    }

    [Fact]
    public async Task Reload()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.Equal((202, "reload scheduled"), await api.SendAsync("POST", "/reload"));
        api.Node.NextResult = new(false, "the configuration is left as it is: line 3: ttl");
        Assert.Equal((503, "the configuration is left as it is: line 3: ttl"), await api.SendAsync("POST", "/reload"));
    }

    [Fact]
    public async Task Reinitialize()
    {
        await using ApiFixture leader = await ApiFixture.StartAsync();
        Assert.Equal((503, "I am the leader, can not reinitialize"), await leader.SendAsync("POST", "/reinitialize"));
        Assert.Empty(leader.Node.Operations);

        await using ApiFixture replica = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        Assert.Equal((200, "reinitialize started"), await replica.SendAsync("POST", "/reinitialize", """{"force":true,"from_leader":"on"}"""));
        Assert.Equal(["reinitialize True True"], replica.Node.Operations);
        Assert.Equal((400, "force must be a boolean."), await replica.SendAsync("POST", "/reinitialize", """{"force":[]}"""));
        replica.Node.Do(new ExpireLeader(replica.Node.Cluster.Lease.Epoch, replica.Node.Cluster.Lease.LastRenewalIndex, false));
        Assert.Equal((503, "Cluster has no leader, can not reinitialize"), await replica.SendAsync("POST", "/reinitialize"));
    }

    [Fact]
    public async Task Members_of_the_Raft_group()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.Equal(
            (200, """{"cluster_id": "c1", "members": [{"name": "node0", "address": "127.0.0.1:7400", "role": "leader", "api_url": "http://127.0.0.1:8400", "data": true, "last_seen_ms": 0}, {"name": "node1", "address": "127.0.0.1:7401", "role": "follower", "api_url": "http://127.0.0.1:8401", "data": true, "last_seen_ms": 12}, {"name": "", "address": "127.0.0.1:7402", "role": "follower", "api_url": "", "data": false, "last_seen_ms": null}]}"""),
            await api.SendAsync("GET", "/raft/members"));
        await api.SendAsync("POST", "/raft/members", """{"name":"node3","address":"127.0.0.1:7403"}""");
        await api.SendAsync("DELETE", "/raft/members/127.0.0.1%3A7403");
        await api.SendAsync("DELETE", "/raft/members/node2");
        await api.SendAsync("POST", "/raft/transfer", """{"to":"node1"}""");
        Assert.Equal(["add 127.0.0.1:7403", "remove 127.0.0.1:7403", "remove node2", "transfer node1"], api.Node.Operations);
    }

    [Theory]
    [InlineData("/raft/members", """{"name":"x"}""", "address is missing.")]
    [InlineData("/raft/members", """{"address":5}""", "address must be text, not a number.")]
    [InlineData("/raft/members", """{"address":"h:1","voter":true}""", "Unknown field 'voter'.")]
    [InlineData("/raft/transfer", """{"to":""}""", "to is empty.")]
    [InlineData("/raft/transfer", "{}", "The request body is an empty object; there is nothing to do.")]
    public async Task Requests_about_members_that_are_refused(string path, string body, string text)
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.Equal((400, text), await api.SendAsync("POST", path, body));
        Assert.Empty(api.Node.Operations);
    }

    [Fact]
    public async Task A_node_that_does_not_lead_the_Raft_group_says_who_does()
    {
        await using ApiFixture api = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        api.Node.Change(s => s with { Raft = s.Raft with { Role = "follower" } });
        api.Node.NextResult = new(false, "this node does not lead");
        (int status, string text, HttpResponseMessage response) = await api.SendForHeadersAsync("POST", "/raft/members", """{"address":"h:1"}""");
        Assert.Equal((409, "this node does not lead"), (status, text));
        Assert.Equal("http://127.0.0.1:8400", Assert.Single(response.Headers.GetValues("Raft-Leader")));
    }

    [Fact]
    public async Task Events_since_an_id_and_the_newest_ones()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        long count = api.Node.Cluster.State.EventCount;
        (int status, string text) = await api.SendAsync("GET", $"/events?since={count - 2}");
        Assert.Equal(200, status);
        Assert.Equal(3, text.Split("\"rule\": ").Length);
        Assert.EndsWith($"], \"last_id\": {count}}}", text);
        (_, text) = await api.SendAsync("GET", "/events?limit=1");
        Assert.StartsWith($"{{\"events\": [{{\"id\": {count}, ", text);
        Assert.Equal((200, $"{{\"events\": [], \"last_id\": {count}}}"), await api.SendAsync("GET", "/events?limit=0"));
        Assert.Equal(400, (await api.SendAsync("GET", "/events?since=yesterday")).Status);
        Assert.Equal(400, (await api.SendAsync("GET", "/events?limit=-1")).Status);
    }

    [Fact]
    public async Task The_stream_sends_events_as_they_are_applied_resumes_and_ends_with_the_host()
    {
        ApiFixture api = await ApiFixture.StartAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/events/stream");
        long before = api.Node.Cluster.State.EventCount;
        request.Headers.Add("Last-Event-ID", (before - 1).ToString());
        using HttpResponseMessage response = await api.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
        Assert.Equal(new MediaTypeHeaderValue("text/event-stream"), response.Content.Headers.ContentType);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(limit.Token));
        Assert.Equal($"id: {before}", await reader.ReadLineAsync(limit.Token));
        Assert.StartsWith("data: {", await reader.ReadLineAsync(limit.Token));
        Assert.Equal("", await reader.ReadLineAsync(limit.Token));
        await api.SendAsync("PATCH", "/config", """{"loop_wait":2}""");
        Assert.Equal($"id: {before + 1}", await reader.ReadLineAsync(limit.Token));
        Assert.Contains("config_changed", await reader.ReadLineAsync(limit.Token));
        Assert.Equal("", await reader.ReadLineAsync(limit.Token));
        await api.Host.StopAsync();
        Assert.Equal("", await reader.ReadToEndAsync(limit.Token));
        await api.DisposeAsync();
    }
}
