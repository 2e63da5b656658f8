using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Json;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Documents;

/// <summary>
/// <c>GET /cluster</c>, in Patroni's key order (utils.py, cluster_as_json). Members that went silent are left out, as their keys
/// expire in Patroni; <c>/state</c> and <c>/raft/members</c> still show them.
/// </summary>
internal static class ClusterDocument
{
    public static void Write(PythonJsonWriter writer, NodeSnapshot snapshot)
    {
        ClusterState state = snapshot.State;
        writer.BeginObject();
        writer.Key("members").BeginArray();
        Lsn leaderLsn = ClusterView.LeaderLsn(state);
        foreach (Member member in state.Members.Values)
        {
            if (member.Presence == MemberPresence.Alive) WriteMember(writer, state, member, leaderLsn);
        }
        writer.EndArray();
        if (state.Settings.Pause) writer.Key("pause").Boolean(true);
        if (state.Failover is { ScheduledAtText: { } at } request)
        {
            writer.Key("scheduled_switchover").BeginObject();
            writer.Key("at").Text(at);
            if (request.Leader is { } from) writer.Key("from").Text(from.Value);
            if (request.Candidate is { } to) writer.Key("to").Text(to.Value);
            writer.EndObject();
        }
        writer.Key("scope").Text(snapshot.Scope);
        writer.EndObject();
    }

    /// <summary>A member's role as lists show it.</summary>
    public static string RoleOf(ClusterState state, Member member)
    {
        DynamicConfiguration settings = state.Settings;
        if (member.Name == state.Leader) return settings.IsStandbyCluster ? "standby_leader" : "leader";
        if (settings.SynchronousMode == SynchronousMode.Off || !state.Sync.Contains(member.Name, member.Report.Incarnation)) return "replica";
        return settings.SynchronousMode == SynchronousMode.Quorum ? "quorum_standby" : "sync_standby";
    }

    private static void WriteMember(PythonJsonWriter writer, ClusterState state, Member member, Lsn leaderLsn)
    {
        MemberReport report = member.Report;
        string role = RoleOf(state, member);
        writer.BeginObject();
        writer.Key("name").Text(member.Name.Value);
        writer.Key("role").Text(role);
        writer.Key("state").Text(role != "leader" && report.ReplicationState.Length > 0 ? report.ReplicationState : PostgresText.Of(report.State));
        writer.Key("api_url").Text(report.ApiUrl);
        if (report.Host.Length > 0)
        {
            writer.Key("host").Text(report.Host);
            if (report.Port != 0) writer.Key("port").Number(report.Port);
        }
        if (report.State == PostgresState.Running && report.Timeline.IsKnown) writer.Key("timeline").Number(report.Timeline.Value);
        if (report.PendingRestartJson.Length > 0)
        {
            writer.Key("pending_restart").Boolean(true);
            writer.Key("pending_restart_reason").Raw(report.PendingRestartJson);
        }
        if (member.ScheduledRestart is { } restart) RestartDocument.Write(writer.Key("scheduled_restart"), restart, withPostmaster: true);
        if (report.TagsJson.Length > 2) writer.Key("tags").Raw(report.TagsJson);
        if (member.Name != state.Leader)
        {
            WriteLag(writer, "receive_lsn", "receive_lag", report.ReceiveLsn, leaderLsn);
            WriteLag(writer, "replay_lsn", "replay_lag", report.ReplayLsn, leaderLsn);
            WriteLag(writer, "lsn", "lag", ClusterView.Position(report), leaderLsn);
        }
        if (report.Progress.Length > 0)
        {
            writer.Key("raft").BeginObject();
            writer.Key("job").Text(report.Progress);
            writer.EndObject();
        }
        writer.EndObject();
    }

    private static void WriteLag(PythonJsonWriter writer, string lsnKey, string lagKey, Lsn lsn, Lsn leaderLsn)
    {
        if (lsn.IsValid)
        {
            writer.Key(lagKey).Number(Lsn.Lag(lsn, leaderLsn));
            writer.Key(lsnKey).Text(lsn.ToString());
        }
        else
        {
            writer.Key(lsnKey).Text("unknown");
            writer.Key(lagKey).Text("unknown");
        }
    }
}
