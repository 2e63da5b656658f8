using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Documents;
using Patroni.Raft.Api.HealthChecks;
using Patroni.Raft.StateMachine;
using Patroni.Raft.UnitTests.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

/// <summary>The table of health checks: which path succeeds on which node.</summary>
public sealed class HealthRulesTests
{
    private const long Now = 1_000_000;

    [Theory]
    [InlineData("/", true, false)]
    [InlineData("/primary", true, false)]
    [InlineData("/master", true, false)]
    [InlineData("/read-write", true, false)]
    [InlineData("/leader", true, false)]
    [InlineData("/standby-leader", false, false)]
    [InlineData("/standby_leader", false, false)]
    [InlineData("/replica", false, true)]
    [InlineData("/read-only", true, true)]
    [InlineData("/synchronous", false, false)]
    [InlineData("/sync", false, false)]
    [InlineData("/read-only-sync", true, false)]
    [InlineData("/quorum", false, false)]
    [InlineData("/read-only-quorum", true, false)]
    [InlineData("/asynchronous", false, true)]
    [InlineData("/async", false, true)]
    [InlineData("/health", true, true)]
    [InlineData("/liveness", true, true)]
    [InlineData("/readiness", true, true)]
    [InlineData("/nonsense", false, false)]
    [InlineData("/replica/haproxy", false, true)]
    [InlineData("/checks/primary", true, false)]
    public void Paths_on_leader_and_replica(string path, bool leader, bool replica)
    {
        Assert.Equal(leader, Passes(path, Snapshot(0)));
        Assert.Equal(replica, Passes(path, Snapshot(1)));
    }

    [Theory]
    [InlineData(1_009_999, true)]
    [InlineData(1_010_000, false)]
    public void The_primary_answers_only_before_its_deadline_at_the_time_of_the_request(long now, bool expected)
    {
        Assert.Equal(expected, Passes("/primary", Snapshot(0), now));
        Assert.Equal(expected, Passes("/leader", Snapshot(0), now));
        Assert.Equal(expected, Passes("/read-only", Snapshot(0), now));
        Assert.Equal(expected, Passes("/readiness", Snapshot(0), now));
    }

    [Fact]
    public void An_elected_leader_is_no_primary_before_its_promotion_is_recorded()
    {
        InMemoryNode node = RecordedCluster.Node(1);
        node.Do(new ReleaseLeader(node.Cluster.Lease.Epoch, new("node0"), VacancyReason.Switchover, "", new(67109256), new("node1")));
        node.Do(new StandForElection(node.Cluster.Vacancy.Id, new("node1"), RecordedCluster.Data(1), new(1), new(67109300), new(67109300), 1, []));
        LeaderLease lease = node.Cluster.Lease;
        node.Do(new RenewLeader(lease.Epoch, new("node1"), 20_000, false, new(67109300), []));
        NodeSnapshot elected = node.Snapshot with
        {
            LeaseDeadlineMs = Now + 10_000, LeaseEpoch = lease.Epoch, Report = RecordedCluster.Report(0), Postgres = RecordedCluster.Postgres(0),
        };
        Assert.False(Passes("/primary", elected));
        Assert.True(Passes("/leader", elected));
        node.Do(new ReportPromoted(lease.Epoch, new("node1"), new(2), new(1), new(67109256)));
        Assert.True(Passes("/primary", elected with { State = node.Cluster.State }));
    }

    [Fact]
    public void A_former_leader_whose_lease_another_node_holds_is_no_primary_whatever_its_deadline_says()
    {
        InMemoryNode node = RecordedCluster.Node();
        RecordedCluster.HandOver(node, new("node1"));
        Assert.False(Passes("/primary", node.Snapshot));
        Assert.False(Passes("/leader", node.Snapshot));
    }

    [Theory]
    [InlineData("", 4096, true)]
    [InlineData("?lag=4096", 4096, true)]
    [InlineData("?lag=4095", 4096, false)]
    [InlineData("?lag=4kB", 4096, true)]
    [InlineData("?lag=1.5MB", 1572864, true)]
    [InlineData("?lag=1.5MB", 1572865, false)]
    [InlineData("?lag=1GB", 1073741825, false)]
    [InlineData("?lag=1%20TB", 1073741825, true)]
    [InlineData("?lag=nonsense", 1073741825, true)]
    [InlineData("?lag=", 1073741825, true)]
    [InlineData("?lag=99999999999999999999999999", 1073741825, true)]
    [InlineData("?lag=-1", 0, false)]
    [InlineData("?lag=1&lag=1GB", 4096, false)]
    public void Lag_of_a_replica(string query, ulong lag, bool expected)
    {
        TestCluster cluster = RecordedCluster.Create();
        cluster.Renew(RecordedCluster.Position.Value + lag);
        NodeSnapshot snapshot = RecordedCluster.Snapshot(cluster, 1);
        Assert.Equal(expected, Passes("/replica" + query, snapshot));
        Assert.Equal(expected, Passes("/async" + query, snapshot));
        Assert.Equal(expected, Passes("/read-only" + query, snapshot));
    }

    [Theory]
    [InlineData("?lag=1kB", 2048, false)]
    [InlineData("", 1048576, true)]
    [InlineData("", 1048577, false)]
    [InlineData("?lag=nonsense", 1048577, false)]
    [InlineData("?mode=write", 4194304, true)]
    [InlineData("?mode=apply", 4194304, false)]
    public void Readiness_of_a_replica_is_a_matter_of_lag(string query, ulong replayLag, bool expected)
    {
        TestCluster cluster = RecordedCluster.Create();
        ulong leader = RecordedCluster.Position.Value + replayLag;
        cluster.Renew(leader);
        NodeSnapshot snapshot = RecordedCluster.Snapshot(cluster, 1);
        snapshot = snapshot with { Postgres = snapshot.Postgres! with { ReceiveLsn = new(query == "?mode=write" ? leader : leader - replayLag) } };
        Assert.Equal(expected, Passes("/readiness" + query, snapshot));
    }

    [Fact]
    public void A_replica_that_does_not_stream_is_not_ready() =>
        Assert.False(Passes("/readiness", Change(1, r => r with { ReplicationState = "in archive recovery" })));

    [Theory]
    [InlineData("?tag_zone=a", true)]
    [InlineData("?tag_zone=b", false)]
    [InlineData("?tag_weight=5", true)]
    [InlineData("?tag_special=true", true)]
    [InlineData("?tag_special=True", false)]
    [InlineData("?tag_missing=x", false)]
    [InlineData("?tag_zone=a&tag_weight=6", false)]
    [InlineData("?tag_zone=", true)]
    public void Tags(string query, bool expected)
    {
        const string Json = """{"special":true,"weight":5,"zone":"a"}""";
        Assert.Equal(expected, Passes("/replica" + query, Change(1, r => r with { TagsJson = Json })));
        Assert.Equal(expected, Passes("/health" + query, Change(1, r => r with { TagsJson = Json })));
        // Checks of leaders ignore tags; read-only does not.
        Assert.True(Passes("/primary" + query, Change(0, r => r with { TagsJson = Json })));
        Assert.True(Passes("/leader" + query, Change(0, r => r with { TagsJson = Json })));
        Assert.Equal(expected, Passes("/read-only" + query, Change(0, r => r with { TagsJson = Json })));
    }

    [Theory]
    [InlineData("/replica?replication_state=streaming", true)]
    [InlineData("/replica?replication_state=in%20archive%20recovery", false)]
    [InlineData("/replica?replication_state=", true)]
    public void Replication_state(string path, bool expected) => Assert.Equal(expected, Passes(path, Snapshot(1)));

    [Fact]
    public void Noloadbalance_keeps_readers_away_but_not_health()
    {
        NodeSnapshot replica = Change(1, r => r with { TagsJson = """{"noloadbalance":true}""" });
        Assert.False(Passes("/replica", replica));
        Assert.False(Passes("/read-only", replica));
        Assert.True(Passes("/health", replica));
        Assert.True(Passes("/read-only", Change(0, r => r with { TagsJson = """{"noloadbalance":true}""" })));
    }

    [Fact]
    public void A_hung_postgres_fails_replica_and_health_and_leaves_the_lease_to_decide_about_the_primary()
    {
        Assert.False(Passes("/replica", Snapshot(1) with { Postgres = null }));
        Assert.False(Passes("/health", Snapshot(1) with { Postgres = null }));
        Assert.True(Passes("/primary", Snapshot(0) with { Postgres = null }));
    }

    [Theory]
    [InlineData("true", "/sync", "/quorum")]
    [InlineData("\"quorum\"", "/quorum", "/sync")]
    public void Synchronous_standbys(string mode, string right, string wrong)
    {
        TestCluster cluster = RecordedCluster.Create();
        cluster.Accept(new PatchConfig($$"""{"synchronous_mode":{{mode}}}""", 0));
        cluster.Accept(new SetSyncState(cluster.Lease.Epoch, cluster.State.Sync.Version, new("node0"), [new(new("node2"), RecordedCluster.Data(2))], 0));
        NodeSnapshot standby = RecordedCluster.Snapshot(cluster, 2);
        Assert.True(Passes(right, standby));
        Assert.False(Passes(wrong, standby));
        Assert.False(Passes("/async", standby));
        Assert.True(Passes("/replica", standby));
        Assert.True(Passes(right == "/sync" ? "/read-only-sync" : "/read-only-quorum", standby));
        NodeSnapshot other = RecordedCluster.Snapshot(cluster, 1);
        Assert.False(Passes(right, other));
        Assert.True(Passes("/async", other));
        // The same name with other data is not the standby that acknowledged commits.
        Assert.False(Passes(right, standby with { Report = standby.Report with { Incarnation = new(99) } }));
    }

    [Fact]
    public void The_leader_of_a_standby_cluster()
    {
        TestCluster cluster = RecordedCluster.Create();
        cluster.Accept(new PatchConfig("""{"standby_cluster":{"host":"10.0.0.1"}}""", 0));
        NodeSnapshot leader = RecordedCluster.Snapshot(cluster, 0);
        leader = leader with { Postgres = RecordedCluster.Postgres(1), Report = leader.Report with { Role = PostgresRole.StandbyLeader } };
        Assert.True(Passes("/standby-leader", leader));
        Assert.True(Passes("/leader", leader));
        Assert.True(Passes("/read-only", leader));
        Assert.False(Passes("/primary", leader));
        Assert.False(Passes("/replica", leader));
    }

    [Theory]
    [InlineData(0, 20_000, true)]
    [InlineData(0, 20_001, false)]
    [InlineData(1, 40_000, true)]
    [InlineData(1, 40_001, false)]
    public void Liveness_is_the_age_of_the_loop(int node, long ageMs, bool expected)
    {
        TestCluster cluster = RecordedCluster.Create();
        cluster.Accept(new RenewLeader(cluster.Lease.Epoch, new("node0"), 20_000, false, default, []));
        NodeSnapshot snapshot = RecordedCluster.Snapshot(cluster, node);
        Assert.Equal(expected, Passes("/liveness", snapshot with { LastTurnMs = Now - ageMs }));
        cluster.Accept(new PatchConfig("""{"pause":true}""", 0));
        Assert.True(Passes("/liveness", snapshot with { LastTurnMs = Now - ageMs, State = cluster.State }));
    }

    [Theory]
    [InlineData(HealthCheck.Primary, "")]
    [InlineData(HealthCheck.Replica, "?lag=16MB")]
    [InlineData(HealthCheck.Readiness, "")]
    public void A_health_check_allocates_nothing(object check, string query)
    {
        var kind = (HealthCheck)check;
        var view = new StatusView(Snapshot(1));
        long Run(int times)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < times; i++) HealthRules.Passes(kind, view, Now, HealthQuery.Parse(query));
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
        Run(10);
        Assert.Equal(0, Run(1000));
    }

    private static NodeSnapshot Snapshot(int node) => RecordedCluster.Snapshot(RecordedCluster.Create(), node);

    private static NodeSnapshot Change(int node, Func<MemberReport, MemberReport> change)
    {
        NodeSnapshot snapshot = Snapshot(node);
        return snapshot with { Report = change(snapshot.Report) };
    }

    private static bool Passes(string pathAndQuery, NodeSnapshot snapshot, long now = Now)
    {
        int mark = pathAndQuery.IndexOf('?');
        string path = mark < 0 ? pathAndQuery : pathAndQuery[..mark];
        HealthCheck check = HealthPaths.All.Any(known => known.Key == path) ? HealthPaths.All.First(known => known.Key == path).Value : HealthPaths.OfAnyPath(path);
        return HealthRules.Passes(check, new(snapshot), now, HealthQuery.Parse(mark < 0 ? "" : pathAndQuery[mark..]));
    }
}
