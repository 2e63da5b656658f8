using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

/// <summary>Switchover and failover: every recorded refusal with its text and code, and the ways an accepted request can end.</summary>
public sealed class FailoverEndpointTests
{
    private static readonly NodeName Node1 = new("node1"), Node2 = new("node2");

    [Theory]
    [InlineData("/switchover", """{"candidate":"node1"}""", 400, "Switchover could be performed only from a specific leader")]
    [InlineData("/switchover", """{"leader":"node1","candidate":"node2"}""", 412, "leader name does not match")]
    [InlineData("/switchover", """{"leader":"node0","candidate":"nobody"}""", 412, "candidate does not exists")]
    [InlineData("/switchover", """{"leader":"node0","candidate":"node0"}""", 400, "Switchover target and source are the same")]
    [InlineData("/switchover", """{"leader":"node0","scheduled_at":"2020-09-24T12:00:00+00:00"}""", 422, "Cannot schedule switchover in the past")]
    [InlineData("/switchover", """{"leader":"node0","scheduled_at":"2039-09-24T12:00:00"}""", 400, "Timezone information is mandatory for the scheduled switchover")]
    [InlineData("/switchover", """{"leader":"node0","scheduled_at":"gestern"}""", 422, "Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601")]
    [InlineData("/failover", """{"leader":"node0"}""", 400, "Failover could be performed only to a specific candidate")]
    [InlineData("/failover", """{"candidate":"node1","scheduled_at":"2039-09-24T12:00:00+00:00"}""", 400, "Failover can't be scheduled")]
    [InlineData("/failover", """{"candidate":"nobody"}""", 412, "candidate does not exists")]
    public async Task Recorded_refusals(string path, string body, int status, string text)
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        long before = api.Node.Cluster.Index;
        Assert.Equal((status, text), await api.SendAsync("POST", path, body));
        Assert.Equal(before, api.Node.Cluster.Index);
    }

    [Theory]
    [InlineData("""{"leader":"node0"}""", 400, "Switchover is possible only to a specific candidate in a paused state")]
    [InlineData("""{"leader":"node0","candidate":"node1","scheduled_at":"2039-09-24T12:00:00+00:00"}""", 400, "Can't schedule switchover in the paused state")]
    public async Task Recorded_refusals_while_paused(string body, int status, string text)
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        await api.SendAsync("PATCH", "/config", """{"pause":true}""");
        Assert.Equal((status, text), await api.SendAsync("POST", "/switchover", body));
    }

    [Theory]
    [InlineData("{}", "empty object")]
    [InlineData("", "JSON object")]
    [InlineData("[1]", "a list")]
    [InlineData("{\"leader\":", "not valid JSON")]
    [InlineData("""{"leader":5}""", "leader must be text, not a number")]
    [InlineData("""{"leader":"node0","candidat":"node1"}""", "Unknown field 'candidat'")]
    [InlineData("""{"leader":"node0","leader":"node1"}""", "not valid JSON")]
    [InlineData("""{"leader":"\ud800"}""", "surrogate")]
    public async Task Malformed_requests_get_one_sentence(string body, string part)
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        (int status, string text) = await api.SendAsync("POST", "/switchover", body);
        Assert.Equal(400, status);
        Assert.Contains(part, text);
    }

    [Theory]
    [InlineData("{\"nofailover\":true}", "running", "nofailover")]
    [InlineData("{}", "stopped", "does not run")]
    [InlineData("{}", "lagging", "2097152 bytes behind")]
    public async Task A_candidate_that_cannot_take_over_is_refused_with_the_reason(string tags, string state, string part)
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        if (state == "lagging") api.Node.Cluster.Renew(RecordedCluster.Position.Value + 2097152);
        api.Node.Do(new TouchMember(Node1, RecordedCluster.Report(1) with { TagsJson = tags, State = state == "stopped" ? PostgresState.Stopped : PostgresState.Running }));
        (int status, string text) = await api.SendAsync("POST", "/switchover", """{"leader":"node0","candidate":"node1"}""");
        Assert.Equal(412, status);
        Assert.StartsWith("switchover is not possible: no good candidates have been found", text);
        Assert.Contains(part, text);
    }

    [Fact]
    public async Task Synchronous_mode_switches_over_to_synchronous_standbys_only()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        await api.SendAsync("PATCH", "/config", """{"synchronous_mode":true}""");
        Assert.Equal((412, "switchover is not possible: can not find sync_standby"), await api.SendAsync("POST", "/switchover", """{"leader":"node0"}"""));
        LeaderLease lease = api.Node.Cluster.Lease;
        api.Node.Do(new SetSyncState(lease.Epoch, api.Node.Cluster.State.Sync.Version, new("node0"), [new(Node2, RecordedCluster.Data(2))], 0));
        Assert.Equal(
            (412, "candidate name does not match with sync_standby"),
            await api.SendAsync("POST", "/switchover", """{"leader":"node0","candidate":"node1"}"""));
    }

    [Theory]
    [InlineData("/switchover", """{"leader":"node0"}""", "Successfully switched over to \"node1\"")]
    [InlineData("/switchover", """{"leader":"node0","candidate":"node1"}""", "Successfully switched over to \"node1\"")]
    [InlineData("/switchover", """{"primary":"node0","member":"node1"}""", "Successfully switched over to \"node1\"")]
    [InlineData("/switchover", """{"leader":"node0","candidate":"","scheduled_at":null}""", "Successfully switched over to \"node1\"")]
    [InlineData("/failover", """{"candidate":"node1"}""", "Successfully failed over to \"node1\"")]
    [InlineData("/failover", """{"leader":"node0","candidate":"node1"}""", "Successfully switched over to \"node1\"")]
    public async Task A_request_is_answered_when_the_new_leader_is_promoted(string path, string body, string text)
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        api.Node.Reaction = command =>
        {
            if (command is RequestFailover) RecordedCluster.HandOver(api.Node, Node1);
        };
        Assert.Equal((200, text), await api.SendAsync("POST", path, body));
        Assert.IsType<Led>(api.Node.Cluster.State.Leadership);
        Assert.Equal(Node1, api.Node.Cluster.State.Leader);
    }

    [Fact]
    public async Task Another_winner_than_the_candidate_is_told()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        api.Node.Reaction = command =>
        {
            if (command is not RequestFailover) return;
            LeaderLease lease = api.Node.Cluster.Lease;
            api.Node.Do(new ReleaseLeader(lease.Epoch, lease.Holder, VacancyReason.Switchover, "", new(67109256), Node1));
            api.Node.Do(new DeclineElection(api.Node.Cluster.Vacancy.Id, Node1, RecordedCluster.Data(1), "broken"));
            RecordedCluster.TakeOver(api.Node, Node2);
        };
        Assert.Equal(
            (200, "Switched over to \"node2\" instead of \"node1\""),
            await api.SendAsync("POST", "/switchover", """{"leader":"node0","candidate":"node1"}"""));
    }

    [Fact]
    public async Task A_request_that_the_leader_drops_fails_with_its_reason()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        api.Node.Reaction = command =>
        {
            if (command is RequestFailover) api.Node.Do(new ClearFailover(0, "node1 fell behind"));
        };
        Assert.Equal(
            (503, "Switchover failed: node1 fell behind"),
            await api.SendAsync("POST", "/switchover", """{"leader":"node0","candidate":"node1"}"""));
    }

    [Fact]
    public async Task A_failover_without_a_leader_narrows_the_election_and_is_answered_after_the_promotion()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        api.Node.Do(new ExpireLeader(api.Node.Cluster.Lease.Epoch, api.Node.Cluster.Lease.LastRenewalIndex, false));
        api.Node.Reaction = command =>
        {
            if (command is RequestFailover) RecordedCluster.TakeOver(api.Node, Node2);
        };
        Assert.Equal((412, "leader name does not match"), await api.SendAsync("POST", "/switchover", """{"leader":"node0","candidate":"node2"}"""));
        Assert.Equal((200, "Successfully failed over to \"node2\""), await api.SendAsync("POST", "/failover", """{"candidate":"node2"}"""));
    }

    [Fact]
    public async Task A_switchover_is_scheduled_shown_deleted_and_then_there_is_none()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.Equal((404, "no switchover is scheduled"), await api.SendAsync("DELETE", "/switchover"));
        Assert.Equal(
            (202, "Switchover scheduled"),
            await api.SendAsync("POST", "/switchover", """{"leader":"node0","candidate":"node1","scheduled_at":"2039-09-24T12:00+00"}"""));
        Assert.Contains(
            """scheduled_switchover": {"at": "2039-09-24T12:00:00+00:00", "from": "node0", "to": "node1"}""",
            (await api.SendAsync("GET", "/cluster")).Text);
        Assert.Equal(2200478400000, api.Node.Cluster.State.Failover!.ScheduledAtUnixMs);
        Assert.Equal((200, "scheduled switchover deleted"), await api.SendAsync("DELETE", "/switchover"));
        Assert.Equal((404, "no switchover is scheduled"), await api.SendAsync("DELETE", "/switchover"));
    }

    [Theory]
    [InlineData("/switchover", """{"leader":"node0"}""")]
    [InlineData("/failover", """{"candidate":"node1"}""")]
    public async Task Without_quorum_nothing_is_promised(string path, string body)
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        api.Node.HasQuorum = false;
        Assert.Equal((503, "The Raft group has no quorum."), await api.SendAsync("POST", path, body));
    }
}
