using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

/// <summary><c>DELETE /cluster</c>.</summary>
public sealed class RemovalEndpointTests
{
    private const string Lab = """{"scope":"lab"}""";

    [Theory]
    [InlineData("{}", 400, "The request body is an empty object; there is nothing to do.")]
    [InlineData("""{"cluster":"lab"}""", 400, "Unknown field 'cluster'.")]
    [InlineData("""{"scope":1}""", 400, "scope must be text.")]
    [InlineData("""{"scope":"other"}""", 412, "This node belongs to the cluster lab.")]
    [InlineData(Lab, 409, "node0 holds the lease of the leader. Pause the cluster, stop PostgreSQL and the agent of node0, and remove the cluster once the lease is over.")]
    public async Task Refusals_change_nothing(string body, int status, string text)
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.Equal((status, text), await api.SendAsync("DELETE", "/cluster", body));
        Assert.IsType<Led>(api.Node.Cluster.State.Leadership);
    }

    [Fact]
    public async Task A_cluster_without_a_leader_is_forgotten_once()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        LeaderLease lease = api.Node.Cluster.Lease;
        api.Node.Do(new ReleaseLeader(lease.Epoch, lease.Holder, VacancyReason.Shutdown, "", new(67109256), null));
        Assert.Equal((200, "Cluster lab is removed"), await api.SendAsync("DELETE", "/cluster", Lab));
        Assert.IsType<Uninitialized>(api.Node.Cluster.State.Leadership);
        Assert.Equal((404, "Cluster lab is not initialized; there is nothing to remove."), await api.SendAsync("DELETE", "/cluster", Lab));
    }
}
