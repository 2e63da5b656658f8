using System.Globalization;
using System.Text;
using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Json;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Documents;

/// <summary>
/// <c>GET /metrics</c> in Prometheus' text format 0.0.4: Patroni's names, order, help texts and labels, then <c>patroni_raft_*</c>.
/// </summary>
internal static class MetricsDocument
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>Everything that one snapshot decides.</summary>
    /// <param name="view">The snapshot.</param>
    /// <param name="raft">Metrics of the product's own.</param>
    public static byte[] Build(StatusView view, RaftMetrics raft)
    {
        var text = new StringBuilder(8192);
        var metrics = new Writer(text, Labels(view.Snapshot));
        WritePatroni(metrics, view);
        return [.. Encoding.UTF8.GetBytes(text.ToString()), .. raft.Write(view.Snapshot)];
    }

    /// <summary>What depends on the time of the request.</summary>
    public static byte[] BuildTimed(StatusView view, long nowMs)
    {
        var text = new StringBuilder(512);
        var metrics = new Writer(text, Labels(view.Snapshot));
        NodeSnapshot snapshot = view.Snapshot;
        long leftMs = snapshot.HoldsLease(nowMs) ? snapshot.LeaseDeadlineMs!.Value - nowMs : 0;
        metrics.Gauge("patroni_raft_lease_seconds_left", "Seconds until this node fences itself unless it renews, 0 if it holds no lease.", Seconds(leftMs));
        metrics.Gauge("patroni_raft_loop_age_seconds", "Seconds since the last turn of the HA loop.", Seconds(Math.Max(0, nowMs - snapshot.LastTurnMs)));
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static string Seconds(long ms) => (ms / 1000m).ToString("0.###", CultureInfo.InvariantCulture);

    private static string Labels(NodeSnapshot snapshot) => $"{{scope=\"{Escape(snapshot.Scope)}\",name=\"{Escape(snapshot.Self.Value)}\"}}";

    private static string Escape(string label) => label.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");

    private static void WritePatroni(Writer metrics, StatusView view)
    {
        NodeSnapshot snapshot = view.Snapshot;
        InstanceStatus? postgres = snapshot.Postgres;
        bool standby = postgres is { InRecovery: true };
        metrics.Gauge("patroni_version", "Patroni semver without periods.", PaddedVersion(StatusDocument.Version(snapshot.Report)));
        metrics.Flag("patroni_postgres_running", "Value is 1 if Postgres is running, 0 otherwise.", view.IsRunning);
        metrics.Gauge("patroni_postmaster_start_time", "Epoch seconds since Postgres started.", postgres is null ? "0" : PythonTime.UnixSeconds(postgres.PostmasterStartTime));
        metrics.Flag("patroni_primary", "Value is 1 if this node is the leader, 0 otherwise.", view.Role == PostgresRole.Primary);
        metrics.Counter("patroni_xlog_location", "Current location of the Postgres transaction log, 0 if this node is not the leader.", postgres is { InRecovery: false } ? postgres.FlushLsn.Value : 0);
        metrics.Flag("patroni_standby_leader", "Value is 1 if this node is the standby_leader, 0 otherwise.", view.Role == PostgresRole.StandbyLeader);
        metrics.Flag("patroni_replica", "Value is 1 if this node is a replica, 0 otherwise.", view.Role == PostgresRole.Replica);
        metrics.Flag("patroni_sync_standby", "Value is 1 if this node is a sync standby, 0 otherwise.", view.IsSyncStandby);
        metrics.Flag("patroni_quorum_standby", "Value is 1 if this node is a quorum standby, 0 otherwise.", view.IsQuorumStandby);
        metrics.Counter("patroni_xlog_received_location", "Current location of the received Postgres transaction log, 0 if this node is not a replica.", standby ? view.Received.Value : 0);
        metrics.Counter("patroni_xlog_replayed_location", "Current location of the replayed Postgres transaction log, 0 if this node is not a replica.", standby ? view.Replayed.Value : 0);
        metrics.Gauge("patroni_xlog_replayed_timestamp", "Current timestamp of the replayed Postgres transaction log, 0 if null.", standby && postgres!.ReplayTimestamp is { } at ? PythonTime.UnixSeconds(at) : "0");
        metrics.Flag("patroni_xlog_paused", "Value is 1 if the Postgres xlog is paused, 0 otherwise.", standby && postgres!.ReplayPaused);
        // Patroni leaves these two out when it does not know the version of a server that is down; a gap in a graph helps nobody.
        metrics.Flag("patroni_postgres_streaming", "Value is 1 if Postgres is streaming, 0 otherwise.", view.ReplicationState == "streaming");
        metrics.Flag("patroni_postgres_in_archive_recovery", "Value is 1 if Postgres is replicating from archive, 0 otherwise.", view.ReplicationState == "in archive recovery");
        metrics.Gauge("patroni_postgres_server_version", "Version of Postgres (if running), 0 otherwise.", (postgres?.ServerVersion ?? 0).ToString());
        metrics.Flag("patroni_cluster_unlocked", "Value is 1 if the cluster is unlocked, 0 if locked.", view.State.Lease is null);
        metrics.Flag("patroni_failsafe_mode_is_active", "Value is 1 if failsafe mode is active, 0 if inactive.", snapshot.FailsafeIsActive);
        metrics.Flag("patroni_failsafe_mode_enabled", "Value is 1 if failsafe_mode is enabled, 0 otherwise.", view.State.Settings.FailsafeMode);
        metrics.Flag("patroni_failsafe_member", "Value is 1 if this node is a member of failsafe, 0 otherwise.", view.State.FailsafeTopology.ContainsKey(snapshot.Self));
        metrics.Gauge("patroni_postgres_timeline", "Postgres timeline of this node (if running), 0 otherwise.", (postgres?.Timeline ?? default).ToString());
        metrics.Gauge("patroni_dcs_last_seen", "Epoch timestamp when DCS was last contacted successfully by Patroni.", snapshot.DcsLastSeenUnixSeconds.ToString());
        metrics.Flag("patroni_pending_restart", "Value is 1 if the node needs a restart, 0 otherwise.", snapshot.Report.PendingRestartJson.Length > 0);
        metrics.Flag("patroni_is_paused", "Value is 1 if auto failover is disabled, 0 otherwise.", view.State.Settings.Pause);
        metrics.Gauge("patroni_postgres_state", "Numeric representation of Postgres state.", view.StateText == "unknown" ? "-1" : PostgresText.NumberOf(snapshot.Report.State).ToString(), StateValues);
        metrics.Gauge("patroni_failover_priority", "Failover priority of this node.", Math.Max(0, view.Known.FailoverPriority).ToString());
    }

    private const string StateValues =
        "Values: 0=initdb, 1=initdb_failed, 2=custom_bootstrap, 3=custom_bootstrap_failed, 4=creating_replica, 5=running, 6=starting, 7=bootstrap_starting, "
        + "8=start_failed, 9=restarting, 10=restart_failed, 11=stopping, 12=stopped, 13=stop_failed, 14=crashed";

    /// <summary>2.0.2 gives 020002; what is not a number (a pre-release) ends it.</summary>
    private static string PaddedVersion(string version)
    {
        var text = new StringBuilder(6);
        foreach (string part in version.Split('-', '+')[0].Split('.').Take(3)) text.Append(part.PadLeft(2, '0'));
        return text.Length > 0 && text.ToString().All(char.IsAsciiDigit) ? text.ToString() : "0";
    }

    private readonly struct Writer(StringBuilder text, string labels)
    {
        public void Flag(string name, string help, bool value) => Write(name, help, "gauge", value ? "1" : "0", null);
        public void Gauge(string name, string help, string value, string? comment = null) => Write(name, help, "gauge", value, comment);
        public void Counter(string name, string help, ulong value) => Write(name, help, "counter", value.ToString(CultureInfo.InvariantCulture), null);

        private void Write(string name, string help, string type, string value, string? comment)
        {
            text.Append("# HELP ").Append(name).Append(' ').Append(help).Append('\n');
            if (comment is not null) text.Append("# ").Append(comment).Append('\n');
            text.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
            text.Append(name).Append(labels).Append(' ').Append(value).Append('\n');
        }
    }
}
