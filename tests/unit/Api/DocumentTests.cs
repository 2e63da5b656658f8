using System.Text;
using System.Text.Json;
using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Documents;
using Patroni.Raft.Api.Json;
using Patroni.Raft.StateMachine;
using Patroni.Raft.UnitTests.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

/// <summary>Documents byte for byte against answers recorded from a live Patroni 4.1.4 cluster.</summary>
public sealed class DocumentTests
{
    private const string Replication =
        """[{"usename": "rep", "application_name": "node2", "client_addr": "127.0.0.1", "state": "streaming", "sync_state": "async", "sync_priority": 0}, {"usename": "rep", "application_name": "node1", "client_addr": "127.0.0.1", "state": "streaming", "sync_state": "async", "sync_priority": 0}]""";
    private const string Reason = """{"max_connections":{"old_value":"50","new_value":"60"}}""";

    [Fact]
    public void Status_of_the_leader() => Assert.Equal(
        $$$"""{"state": "running", "postmaster_start_time": "2026-11-22 18:13:15.114943+00:00", "role": "primary", "server_version": 150018, "xlog": {"location": 67108864}, "timeline": 1, "replication": {{{Replication}}}, "dcs_last_seen": 1795371203, "database_system_identifier": "7711060563153238640", "patroni": {"version": "4.1.4", "scope": "lab", "name": "node0"}}""",
        Status(0));

    [Fact]
    public void Status_of_a_replica() => Assert.Equal(
        """{"state": "running", "postmaster_start_time": "2026-11-22 18:13:18.656172+00:00", "role": "replica", "server_version": 150018, "xlog": {"received_location": 67108864, "replayed_location": 67108864, "replayed_timestamp": null, "paused": false}, "timeline": 1, "replication_state": "streaming", "dcs_last_seen": 1795371203, "database_system_identifier": "7711060563153238640", "patroni": {"version": "4.1.4", "scope": "lab", "name": "node1"}}""",
        Status(1));

    [Fact]
    public void Status_with_a_scheduled_restart() => Assert.EndsWith(
        """patroni": {"version": "4.1.4", "scope": "lab", "name": "node1"}, "scheduled_restart": {"schedule": "2039-09-24T12:00:00+00:00"}}""",
        Status(1, s => s with { State = Scheduled(RestartConditions.None, null) }));

    [Fact]
    public void The_cluster_shows_all_of_a_scheduled_restart() => Assert.Contains(
        """timeline": 1, "scheduled_restart": {"schedule": "2039-09-24T12:00:00+00:00", "role": "replica", "postgres_version": "15.19", "restart_pending": true, "timeout": 60, "postmaster_start_time": "2026-11-22 18:13:18.656172+00:00"}, "receive_lag": 0""",
        Encoding.UTF8.GetString(PythonJsonWriter.ToBytes(
            RecordedCluster.Snapshot(RecordedCluster.Create(), 0) with { State = Scheduled(new(PostgresRole.Replica, "15.19", true), 60_000) }, ClusterDocument.Write)));

    private static ClusterState Scheduled(RestartConditions conditions, long? timeoutMs)
    {
        TestCluster cluster = RecordedCluster.Create();
        cluster.Accept(new ScheduleRestart(new("node1"), 2200478400000, "2039-09-24T12:00:00+00:00", conditions, timeoutMs, PythonTime.UnixMicroseconds(RecordedCluster.Postgres(1).PostmasterStartTime)));
        return cluster.State;
    }

    [Fact]
    public void Status_with_a_pending_restart() => Assert.EndsWith(
        """database_system_identifier": "7711060563153238640", "pending_restart": true, "pending_restart_reason": {"max_connections": {"old_value": "50", "new_value": "60"}}, "patroni": {"version": "4.1.4", "scope": "lab", "name": "node0"}}""",
        Status(0, s => s with { Report = s.Report with { PendingRestartJson = Reason } }));

    [Fact]
    public void Status_while_paused()
    {
        TestCluster cluster = RecordedCluster.Create();
        cluster.Accept(new PatchConfig("""{"pause":true}""", 0));
        Assert.Contains($$"""timeline": 1, "replication": {{Replication}}, "pause": true, "dcs_last_seen": 1795371203, "data""", Status(0, s => s with { State = cluster.State }));
    }

    [Fact]
    public void Status_has_tags_before_the_system_identifier_and_the_unlocked_mark_before_dcs_last_seen()
    {
        TestCluster cluster = RecordedCluster.Create();
        cluster.Expire();
        string status = Status(1, s => s with { State = cluster.State, Report = s.Report with { TagsJson = """{"clonefrom":true,"zone":"a"}""" } });
        Assert.Contains("""replication_state": "streaming", "cluster_unlocked": true, "dcs_last_seen": 1795371203, "tags": {"clonefrom": true, "zone": "a"}, "database_system_identifier""", status);
    }

    [Fact]
    public void Status_of_a_postgres_that_does_not_answer_has_state_and_role_only()
    {
        Assert.StartsWith("""{"state": "unknown", "role": "replica", "dcs_last_seen":""", Status(1, s => s with { Postgres = null }));
        Assert.StartsWith("""{"state": "start failed", "role": "replica", "dcs_last_seen":""",
            Status(1, s => s with { Postgres = null, Report = s.Report with { State = PostgresState.StartFailed } }));
    }

    [Fact]
    public void Our_own_data_of_the_status_stands_under_one_key_at_the_end()
    {
        using JsonDocument status = JsonDocument.Parse(new StatusView(Snapshot(0)).Status);
        JsonProperty last = status.RootElement.EnumerateObject().Last();
        Assert.Equal("raft", last.Name);
        Assert.Equal("leader", last.Value.GetProperty("role").GetString());
        Assert.Equal("led", last.Value.GetProperty("lifecycle").GetString());
    }

    private const string Members =
        """{"members": [{"name": "node0", "role": "leader", "state": "running", "api_url": "http://127.0.0.1:8400/patroni", "host": "127.0.0.1", "port": 6400, "timeline": 1}, {"name": "node1", "role": "replica", "state": "streaming", "api_url": "http://127.0.0.1:8401/patroni", "host": "127.0.0.1", "port": 6401, "timeline": 1, "receive_lag": 0, "receive_lsn": "0/4000000", "replay_lag": 0, "replay_lsn": "0/4000000", "lag": 0, "lsn": "0/4000000"}, {"name": "node2", "role": "replica", "state": "streaming", "api_url": "http://127.0.0.1:8402/patroni", "host": "127.0.0.1", "port": 6402, "timeline": 1, "receive_lag": 0, "receive_lsn": "0/4000000", "replay_lag": 0, "replay_lsn": "0/4000000", "lag": 0, "lsn": "0/4000000"}]""";

    [Fact]
    public void Cluster() => Assert.Equal(Members + ", \"scope\": \"lab\"}", ClusterOf(RecordedCluster.Create()));

    [Fact]
    public void Cluster_with_a_scheduled_switchover()
    {
        TestCluster cluster = RecordedCluster.Create();
        cluster.Accept(new RequestFailover(FailoverKind.Switchover, new("node0"), new("node1"), 2200478400000, "2039-09-24T12:00:00+00:00"));
        Assert.Equal(
            Members + """, "scheduled_switchover": {"at": "2039-09-24T12:00:00+00:00", "from": "node0", "to": "node1"}, "scope": "lab"}""",
            ClusterOf(cluster));
    }

    [Fact]
    public void Cluster_shows_lag_unknown_positions_pause_tags_and_leaves_silent_members_out()
    {
        TestCluster cluster = RecordedCluster.Create();
        cluster.Accept(new PatchConfig("""{"pause":true}""", 0));
        cluster.Renew(67108864 + 4096);
        cluster.Accept(new TouchMember(new("node1"), RecordedCluster.Report(1) with
        {
            State = PostgresState.Stopped, ReplicationState = "", Timeline = default, ReceiveLsn = default, ReplayLsn = default,
            TagsJson = """{"nofailover":true}""", PendingRestartJson = Reason,
        }));
        string document = ClusterOf(cluster);
        Assert.Contains(
            """{"name": "node1", "role": "replica", "state": "stopped", "api_url": "http://127.0.0.1:8401/patroni", "host": "127.0.0.1", "port": 6401, "pending_restart": true, "pending_restart_reason": {"max_connections": {"old_value": "50", "new_value": "60"}}, "tags": {"nofailover": true}, "receive_lsn": "unknown", "receive_lag": "unknown", "replay_lsn": "unknown", "replay_lag": "unknown", "lsn": "unknown", "lag": "unknown"}""",
            document);
        Assert.Contains("""lag": 4096, "lsn": "0/4000000"}], "pause": true, "scope": "lab"}""", document);
        cluster.Accept(new ExpireMember(new("node2"), cluster.State.Members[new("node2")].LastTouchIndex));
        Assert.DoesNotContain("node2", ClusterOf(cluster));
    }

    [Theory]
    [InlineData("true", "sync_standby")]
    [InlineData("\"quorum\"", "quorum_standby")]
    [InlineData("false", "replica")]
    public void Cluster_shows_synchronous_roles(string mode, string role)
    {
        TestCluster cluster = RecordedCluster.Create();
        cluster.Accept(new PatchConfig($$"""{"synchronous_mode":{{mode}}}""", 0));
        cluster.Accept(new SetSyncState(cluster.Lease.Epoch, cluster.State.Sync.Version, new("node0"), [new(new("node2"), RecordedCluster.Data(2))], 0));
        Assert.Contains($"\"name\": \"node2\", \"role\": \"{role}\"", ClusterOf(cluster));
        Assert.Contains("\"name\": \"node1\", \"role\": \"replica\"", ClusterOf(cluster));
    }

    [Fact]
    public void History()
    {
        InMemoryNode node = RecordedCluster.Node();
        Assert.Equal("[]", Text(new StatusView(node.Snapshot).History));
        RecordedCluster.HandOver(node, new("node1"));
        string at = PythonTime.IsoFormat(node.Cluster.State.History[0].UnixMs);
        Assert.Equal($"[[1, 67109256, \"no recovery target specified\", \"{at}\", \"node1\"]]", Text(new StatusView(node.Snapshot).History));
    }

    [Fact]
    public void The_latency_of_commits_is_a_histogram_of_what_the_node_observed()
    {
        var raft = new RaftMetrics("lab", "node0");
        foreach (double ms in new[] { 0.2, 1.5, 3, 9000 }) raft.Committed(TimeSpan.FromMilliseconds(ms));
        string[] lines = Text(raft.Write(Snapshot(0))).Split('\n');
        Assert.Contains("# TYPE patroni_raft_commit_latency_seconds histogram", lines);
        Assert.Contains("patroni_raft_commit_latency_seconds_count{scope=\"lab\",name=\"node0\"} 4", lines);
        Assert.Contains("patroni_raft_commit_latency_seconds_bucket{scope=\"lab\",name=\"node0\",le=\"0.004\"} 3", lines);
        Assert.Contains("patroni_raft_commit_latency_seconds_bucket{scope=\"lab\",name=\"node0\",le=\"+Inf\"} 4", lines);
        Assert.Contains("patroni_raft_role{role=\"leader\",scope=\"lab\",name=\"node0\"} 1", lines);
        Assert.Contains("patroni_raft_role{role=\"follower\",scope=\"lab\",name=\"node0\"} 0", lines);
    }

    [Fact]
    public void Config() => Assert.Equal(RecordedCluster.Config, Text(new StatusView(Snapshot(0)).Config));

    [Fact]
    public void Metrics_begin_with_Patronis_text_and_go_on_with_ours()
    {
        string metrics = Text(new StatusView(Snapshot(0)).Metrics(new RaftMetrics("lab", "node0")));
        Assert.StartsWith(RecordedMetrics.Leader, metrics);
        Assert.Contains("\n# TYPE patroni_raft_term gauge\npatroni_raft_term{scope=\"lab\",name=\"node0\"} 3\n", metrics);
        string timed = Text(MetricsDocument.BuildTimed(new(Snapshot(0)), 1_000_000));
        Assert.Contains("patroni_raft_lease_seconds_left{scope=\"lab\",name=\"node0\"} 10\n", timed);
        Assert.Contains("patroni_raft_lease_seconds_left{scope=\"lab\",name=\"node0\"} 0\n", Text(MetricsDocument.BuildTimed(new(Snapshot(0)), 1_010_000)));
    }

    [Fact]
    public void State_has_Patronis_keys_and_the_revision()
    {
        TestCluster cluster = RecordedCluster.Create();
        cluster.Accept(new RequestFailover(FailoverKind.Switchover, new("node0"), new("node1"), 2200478400000, "2039-09-24T12:00:00+00:00"));
        using JsonDocument state = JsonDocument.Parse(PythonJsonWriter.ToBytes(cluster.State, StateDocument.Write));
        Assert.Equal(
            ["initialize", "leader", "status", "members", "config", "config_version", "failover", "sync", "sync_set", "history", "failsafe", "lifecycle", "generation", "feature_level", "revision", "peers"],
            state.RootElement.EnumerateObject().Select(static property => property.Name));
        Assert.Equal("node1", state.RootElement.GetProperty("failover").GetProperty("member").GetString());
        Assert.Equal(cluster.Index, state.RootElement.GetProperty("revision").GetInt64());
        Assert.Equal("led", state.RootElement.GetProperty("lifecycle").GetProperty("phase").GetString());
    }

    [Theory]
    [InlineData("é\u0000\"\\\n😀\u007f", "\"\\u00e9\\u0000\\\"\\\\\\n\\ud83d\\ude00\u007f\"")]
    [InlineData("", "\"\"")]
    public void Texts_are_escaped_as_Python_does(string text, string expected) =>
        Assert.Equal(expected, Text(PythonJsonWriter.ToBytes(text, static (writer, t) => writer.Text(t))));

    [Fact]
    public void Raw_json_keeps_order_and_digits() => Assert.Equal(
        """{"b": [1.50, 1e3, {}, []], "a": {"x": null, "y": [true, false]}}""",
        Text(PythonJsonWriter.ToBytes("""{"b":[1.50,1e3,{},[]],"a":{"x":null,"y":[true,false]}}""", static (writer, json) => writer.Raw(json))));

    [Theory]
    [InlineData("2026-11-22T18:13:52.205408+00:00", "2026-11-22T18:13:52.205408+00:00")]
    [InlineData("2039-09-24T12:00:00+02:00", "2039-09-24T12:00:00+02:00")]
    [InlineData("2039-09-24T12:00:00.5-03:30", "2039-09-24T12:00:00.500000-03:30")]
    public void Times_are_printed_as_isoformat(string at, string expected) => Assert.Equal(expected, PythonTime.IsoFormat(DateTimeOffset.Parse(at)));

    private static NodeSnapshot Snapshot(int node) => RecordedCluster.Snapshot(RecordedCluster.Create(), node);

    /// <summary>The status document without our own part.</summary>
    private static string Status(int node, Func<NodeSnapshot, NodeSnapshot>? change = null)
    {
        NodeSnapshot snapshot = Snapshot(node);
        string text = Text(new StatusView(change?.Invoke(snapshot) ?? snapshot).Status);
        return text[..text.IndexOf(", \"raft\": ", StringComparison.Ordinal)] + "}";
    }

    private static string ClusterOf(TestCluster cluster) => Text(new StatusView(RecordedCluster.Snapshot(cluster, 1)).Cluster);

    private static string Text(byte[] bytes) => Encoding.UTF8.GetString(bytes);
}
