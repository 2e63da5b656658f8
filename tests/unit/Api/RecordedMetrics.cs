namespace Patroni.Raft.UnitTests.Api;

/// <summary>The recorded answer to <c>GET /metrics</c> of a leader (Patroni 4.1.4).</summary>
internal static class RecordedMetrics
{
    public const string Leader =
        """
        # HELP patroni_version Patroni semver without periods.
        # TYPE patroni_version gauge
        patroni_version{scope="lab",name="node0"} 040104
        # HELP patroni_postgres_running Value is 1 if Postgres is running, 0 otherwise.
        # TYPE patroni_postgres_running gauge
        patroni_postgres_running{scope="lab",name="node0"} 1
        # HELP patroni_postmaster_start_time Epoch seconds since Postgres started.
        # TYPE patroni_postmaster_start_time gauge
        patroni_postmaster_start_time{scope="lab",name="node0"} 1795371195.114943
        # HELP patroni_primary Value is 1 if this node is the leader, 0 otherwise.
        # TYPE patroni_primary gauge
        patroni_primary{scope="lab",name="node0"} 1
        # HELP patroni_xlog_location Current location of the Postgres transaction log, 0 if this node is not the leader.
        # TYPE patroni_xlog_location counter
        patroni_xlog_location{scope="lab",name="node0"} 67108864
        # HELP patroni_standby_leader Value is 1 if this node is the standby_leader, 0 otherwise.
        # TYPE patroni_standby_leader gauge
        patroni_standby_leader{scope="lab",name="node0"} 0
        # HELP patroni_replica Value is 1 if this node is a replica, 0 otherwise.
        # TYPE patroni_replica gauge
        patroni_replica{scope="lab",name="node0"} 0
        # HELP patroni_sync_standby Value is 1 if this node is a sync standby, 0 otherwise.
        # TYPE patroni_sync_standby gauge
        patroni_sync_standby{scope="lab",name="node0"} 0
        # HELP patroni_quorum_standby Value is 1 if this node is a quorum standby, 0 otherwise.
        # TYPE patroni_quorum_standby gauge
        patroni_quorum_standby{scope="lab",name="node0"} 0
        # HELP patroni_xlog_received_location Current location of the received Postgres transaction log, 0 if this node is not a replica.
        # TYPE patroni_xlog_received_location counter
        patroni_xlog_received_location{scope="lab",name="node0"} 0
        # HELP patroni_xlog_replayed_location Current location of the replayed Postgres transaction log, 0 if this node is not a replica.
        # TYPE patroni_xlog_replayed_location counter
        patroni_xlog_replayed_location{scope="lab",name="node0"} 0
        # HELP patroni_xlog_replayed_timestamp Current timestamp of the replayed Postgres transaction log, 0 if null.
        # TYPE patroni_xlog_replayed_timestamp gauge
        patroni_xlog_replayed_timestamp{scope="lab",name="node0"} 0
        # HELP patroni_xlog_paused Value is 1 if the Postgres xlog is paused, 0 otherwise.
        # TYPE patroni_xlog_paused gauge
        patroni_xlog_paused{scope="lab",name="node0"} 0
        # HELP patroni_postgres_streaming Value is 1 if Postgres is streaming, 0 otherwise.
        # TYPE patroni_postgres_streaming gauge
        patroni_postgres_streaming{scope="lab",name="node0"} 0
        # HELP patroni_postgres_in_archive_recovery Value is 1 if Postgres is replicating from archive, 0 otherwise.
        # TYPE patroni_postgres_in_archive_recovery gauge
        patroni_postgres_in_archive_recovery{scope="lab",name="node0"} 0
        # HELP patroni_postgres_server_version Version of Postgres (if running), 0 otherwise.
        # TYPE patroni_postgres_server_version gauge
        patroni_postgres_server_version{scope="lab",name="node0"} 150018
        # HELP patroni_cluster_unlocked Value is 1 if the cluster is unlocked, 0 if locked.
        # TYPE patroni_cluster_unlocked gauge
        patroni_cluster_unlocked{scope="lab",name="node0"} 0
        # HELP patroni_failsafe_mode_is_active Value is 1 if failsafe mode is active, 0 if inactive.
        # TYPE patroni_failsafe_mode_is_active gauge
        patroni_failsafe_mode_is_active{scope="lab",name="node0"} 0
        # HELP patroni_failsafe_mode_enabled Value is 1 if failsafe_mode is enabled, 0 otherwise.
        # TYPE patroni_failsafe_mode_enabled gauge
        patroni_failsafe_mode_enabled{scope="lab",name="node0"} 0
        # HELP patroni_failsafe_member Value is 1 if this node is a member of failsafe, 0 otherwise.
        # TYPE patroni_failsafe_member gauge
        patroni_failsafe_member{scope="lab",name="node0"} 0
        # HELP patroni_postgres_timeline Postgres timeline of this node (if running), 0 otherwise.
        # TYPE patroni_postgres_timeline gauge
        patroni_postgres_timeline{scope="lab",name="node0"} 1
        # HELP patroni_dcs_last_seen Epoch timestamp when DCS was last contacted successfully by Patroni.
        # TYPE patroni_dcs_last_seen gauge
        patroni_dcs_last_seen{scope="lab",name="node0"} 1795371203
        # HELP patroni_pending_restart Value is 1 if the node needs a restart, 0 otherwise.
        # TYPE patroni_pending_restart gauge
        patroni_pending_restart{scope="lab",name="node0"} 0
        # HELP patroni_is_paused Value is 1 if auto failover is disabled, 0 otherwise.
        # TYPE patroni_is_paused gauge
        patroni_is_paused{scope="lab",name="node0"} 0
        # HELP patroni_postgres_state Numeric representation of Postgres state.
        # Values: 0=initdb, 1=initdb_failed, 2=custom_bootstrap, 3=custom_bootstrap_failed, 4=creating_replica, 5=running, 6=starting, 7=bootstrap_starting, 8=start_failed, 9=restarting, 10=restart_failed, 11=stopping, 12=stopped, 13=stop_failed, 14=crashed
        # TYPE patroni_postgres_state gauge
        patroni_postgres_state{scope="lab",name="node0"} 5
        # HELP patroni_failover_priority Failover priority of this node.
        # TYPE patroni_failover_priority gauge
        patroni_failover_priority{scope="lab",name="node0"} 1

        """;
}
