using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

/// <summary><c>POST /failsafe</c> in Patroni's words, and the lease that people take from a leader that cannot be asked.</summary>
public sealed class FailsafeEndpointTests
{
    private static async Task<ApiFixture> EnabledAsync(int node)
    {
        ApiFixture api = await ApiFixture.StartAsync(RecordedCluster.Node(node));
        Assert.True(api.Node.Do(new PatchConfig("""{"failsafe_mode":true}""", 0)).IsAccepted);
        return api;
    }

    [Fact]
    public async Task A_replica_accepts_and_tells_how_far_it_is()
    {
        await using ApiFixture api = await EnabledAsync(1);
        string leader = api.Node.Cluster.Lease.Holder.Value;
        (int status, string text, HttpResponseMessage response) = await api.SendForHeadersAsync("POST", "/failsafe",
            $$$"""{"name":"{{{leader}}}","conn_url":"postgres://h:5432/postgres","api_url":"http://h:8008/patroni","slots":{"node1":5},"raft":{"ttl_ms":7000,"epoch":"{{{api.Node.Cluster.Lease.Epoch}}}"}}""");
        Assert.Equal((200, "Accepted"), (status, text));
        Assert.Equal("67108864", response.Headers.GetValues("lsn").Single());
        Assert.Equal(api.Node.NowMs + 7000, api.Node.Promise!.UntilMs);
        // As Patroni sends it: for the leadership that the node knows.
        Assert.Equal((200, "Accepted"), await api.SendAsync("POST", "/failsafe", $$"""{"name":"{{leader}}"}"""));
    }

    [Fact]
    public async Task The_primary_refuses_and_so_does_everybody_while_the_mode_is_off()
    {
        await using ApiFixture primary = await EnabledAsync(0);
        Assert.Equal((500, "Running as a leader"), await primary.SendAsync("POST", "/failsafe", """{"name":"node1"}"""));
        await using ApiFixture off = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        Assert.Equal((502, "failsafe_mode is not enabled"), await off.SendAsync("POST", "/failsafe", """{"name":"node0"}"""));
    }

    [Theory]
    [InlineData("{}", "The request body is an empty object; there is nothing to do.")]
    [InlineData("""{"slots":{}}""", "name is missing.")]
    [InlineData("""{"name":5}""", "name must be the primary's name.")]
    [InlineData("""{"name":"node0","slots":[]}""", "slots must be an object, not a list.")]
    [InlineData("""{"name":"node0","conn_url":1}""", "conn_url must be text, not a number.")]
    [InlineData("""{"name":"node0","raft":{"epoch":"1"}}""", "raft.epoch must be text of the form generation.index.")]
    [InlineData("""{"name":"node0","raft":{"ttl_ms":"x"}}""", "raft.ttl_ms must be a whole number of milliseconds.")]
    public async Task Wrong_questions_promise_nothing(string body, string sentence)
    {
        await using ApiFixture api = await EnabledAsync(1);
        Assert.Equal((400, sentence), await api.SendAsync("POST", "/failsafe", body));
        Assert.Null(api.Node.Promise);
    }

    [Fact]
    public async Task A_lease_without_end_is_taken_only_from_a_leader_that_is_silent()
    {
        await using ApiFixture api = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        TestClusterOf(api).Renew(1000, unbounded: true);
        string leader = api.Node.Cluster.Lease.Holder.Value;
        Assert.Equal((412, $"the leader is {leader}, not nobody"), await api.SendAsync("POST", "/raft/expire", """{"leader":"nobody"}"""));
        Assert.Equal(412, (await api.SendAsync("POST", "/raft/expire", $$"""{"leader":"{{leader}}"}""")).Status);
        TestClusterOf(api).Silence(leader);
        Assert.Equal((200, $"the lease of {leader} was taken from it"), await api.SendAsync("POST", "/raft/expire", $$"""{"leader":"{{leader}}"}"""));
        Assert.Null(api.Node.Cluster.State.Leader);
        Assert.Equal((412, "the cluster has no leader"), await api.SendAsync("POST", "/raft/expire", $$"""{"leader":"{{leader}}"}"""));
    }

    private static StateMachine.TestCluster TestClusterOf(ApiFixture api) => api.Node.Cluster;
}
