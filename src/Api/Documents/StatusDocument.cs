using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Json;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Documents;

/// <summary>
/// The status document of <c>/patroni</c> and of every health check, in Patroni's key order (api.py, get_postgresql_status and
/// _write_status_response); our own data stands last, under <c>raft</c>.
/// </summary>
internal static class StatusDocument
{
    /// <summary>The version shown when a node does not report one.</summary>
    public static string ProductVersion { get; } = typeof(StatusDocument).Assembly.GetName().Version is { } v ? $"{v.Major}.{v.Minor}.{v.Build}" : "0.0.0";

    public static void Write(PythonJsonWriter writer, StatusView view)
    {
        NodeSnapshot snapshot = view.Snapshot;
        writer.BeginObject();
        writer.Key("state").Text(view.StateText);
        if (snapshot.Postgres is { } postgres) WritePostgres(writer, view, postgres);
        else writer.Key("role").Text(PostgresText.Of(view.Role));

        if (view.State.Settings.Pause) writer.Key("pause").Boolean(true);
        if (snapshot.FailsafeIsActive) writer.Key("failsafe_mode_is_active").Boolean(true);
        if (view.State.Lease is null) writer.Key("cluster_unlocked").Boolean(true);
        writer.Key("dcs_last_seen").Number(snapshot.DcsLastSeenUnixSeconds);
        if (!view.Tags.IsEmpty) writer.Key("tags").Raw(snapshot.Report.TagsJson);
        ulong identifier = SystemIdentifier(snapshot);
        if (identifier != 0) writer.Key("database_system_identifier").Text(identifier.ToString());
        if (snapshot.Report.PendingRestartJson.Length > 0)
        {
            writer.Key("pending_restart").Boolean(true);
            writer.Key("pending_restart_reason").Raw(snapshot.Report.PendingRestartJson);
        }
        if (snapshot.Report.WatchdogFailed) writer.Key("watchdog_failed").Boolean(true);
        if (snapshot.Log.Queued > LogBacklog.Normal)
        {
            writer.Key("logger_queue_size").Number(snapshot.Log.Queued);
            if (snapshot.Log.Lost > 0) writer.Key("logger_records_lost").Number(snapshot.Log.Lost);
        }
        writer.Key("patroni").BeginObject();
        writer.Key("version").Text(Version(snapshot.Report));
        writer.Key("scope").Text(snapshot.Scope);
        writer.Key("name").Text(snapshot.Self.Value);
        writer.EndObject();
        if (snapshot.State.Members.TryGetValue(snapshot.Self, out Member? self) && self.ScheduledRestart is { } restart)
            RestartDocument.Write(writer.Key("scheduled_restart"), restart, withPostmaster: false);
        WriteRaft(writer, snapshot);
        writer.EndObject();
    }

    public static string Version(MemberReport report) => report.AgentVersion.Length > 0 ? report.AgentVersion : ProductVersion;

    private static ulong SystemIdentifier(NodeSnapshot snapshot) =>
        snapshot.Postgres is { SystemIdentifier: not 0 } postgres ? postgres.SystemIdentifier : snapshot.Report.SystemIdentifier;

    private static void WritePostgres(PythonJsonWriter writer, StatusView view, InstanceStatus postgres)
    {
        writer.Key("postmaster_start_time").Text(PythonTime.Text(postgres.PostmasterStartTime));
        writer.Key("role").Text(PostgresText.Of(view.Role));
        writer.Key("server_version").Number(postgres.ServerVersion);
        writer.Key("xlog").BeginObject();
        if (postgres.InRecovery)
        {
            writer.Key("received_location").Number(view.Received.Value);
            writer.Key("replayed_location").Number(view.Replayed.Value);
            writer.Key("replayed_timestamp").Text(postgres.ReplayTimestamp is { } at ? PythonTime.Text(at) : null);
            writer.Key("paused").Boolean(postgres.ReplayPaused);
        }
        else
        {
            writer.Key("location").Number(postgres.FlushLsn.Value);
        }
        writer.EndObject();
        if (view.IsQuorumStandby) writer.Key("quorum_standby").Boolean(true);
        if (view.IsSyncStandby) writer.Key("sync_standby").Boolean(true);
        if (postgres.Timeline.IsKnown) writer.Key("timeline").Number(postgres.Timeline.Value);
        else writer.Key("timeline").Null();
        if (view.ReplicationState.Length > 0) writer.Key("replication_state").Text(view.ReplicationState);
        if (!postgres.Replication.IsDefaultOrEmpty) WriteReplication(writer, postgres);
    }

    private static void WriteReplication(PythonJsonWriter writer, InstanceStatus postgres)
    {
        writer.Key("replication").BeginArray();
        foreach (ReplicationClient client in postgres.Replication)
        {
            writer.BeginObject();
            writer.Key("usename").Text(client.User);
            writer.Key("application_name").Text(client.ApplicationName);
            writer.Key("client_addr").Text(client.ClientAddress);
            writer.Key("state").Text(client.State);
            writer.Key("sync_state").Text(client.SyncState);
            writer.Key("sync_priority").Number(client.SyncPriority);
            writer.EndObject();
        }
        writer.EndArray();
    }

    private static void WriteRaft(PythonJsonWriter writer, NodeSnapshot snapshot)
    {
        RaftView raft = snapshot.Raft;
        writer.Key("raft").BeginObject();
        writer.Key("role").Text(raft.Role);
        writer.Key("term").Number(raft.Term);
        writer.Key("commit_index").Number(raft.CommitIndex);
        writer.Key("applied_index").Number(raft.AppliedIndex);
        writer.Key("leader").Text(raft.LeaderAddress.Length > 0 ? raft.LeaderAddress : null);
        writer.Key("peers").Number(raft.Peers);
        writer.Key("lifecycle").Text(snapshot.State.Leadership.Phase.ToString().ToLowerInvariant());
        writer.Key("epoch").Text(snapshot.State.Lease?.Epoch.ToString());
        if (snapshot.IsWitness) writer.Key("witness").Boolean(true);
        if (snapshot.Upstream is { } upstream) writer.Key("upstream").Text(upstream.Value);
        writer.Key("rule").Text(snapshot.Rule);
        writer.Key("reason").Text(snapshot.Reason);
        if (snapshot.Job.Length > 0) writer.Key("job").Text(snapshot.Job);
        if (snapshot.Report.Note.Length > 0) writer.Key("note").Text(snapshot.Report.Note);
        if (snapshot.Report.DiskTrouble.Length > 0) writer.Key("disk_trouble").Text(snapshot.Report.DiskTrouble);
        writer.EndObject();
    }
}
