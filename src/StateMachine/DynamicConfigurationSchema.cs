using static Patroni.Raft.StateMachine.SettingSchemas;

namespace Patroni.Raft.StateMachine;

/// <summary>Every key of the dynamic configuration (<c>GET /config</c>, <c>bootstrap.dcs</c>) as data.</summary>
public static class DynamicConfigurationSchema
{
    private const SettingPlaces Dynamic = SettingPlaces.Dynamic;

    /// <summary>Default of maximum_lag_on_failover in bytes.</summary>
    public const long DefaultMaximumLagOnFailover = 1_048_576;

    private static SettingSchema Slot(string key) => Section(key, "A permanent slot.",
    [
        Choice("type", "Kind of slot.", ["physical", "logical"], "physical", Dynamic),
        Of("database", SettingType.Text, "Database of a logical slot.", places: Dynamic),
        Of("plugin", SettingType.Text, "Output plugin of a logical slot.", places: Dynamic),
        Choice("cluster_type", "In which kind of cluster it is kept.", ["primary", "standby"], "both", Dynamic),
    ], Dynamic);

    private static SettingSchema Slots(string key, string description) =>
        new(key, SettingType.Map, description) { Places = Dynamic, UserKeys = Slot("*"), ImplementedFrom = null };

    /// <summary>The whole dynamic configuration.</summary>
    public static SettingSchema Root { get; } = new("", SettingType.Map, "The dynamic configuration.")
    {
        Children =
        [
            Ranged("ttl", SettingType.Duration, "Life of the leader lease.", LeaseTimings.MinTtlMs, LeaseTimings.MaxMs, "10", Dynamic),
            Ranged("loop_wait", SettingType.Duration, "Longest time between two turns of the HA loop.", LeaseTimings.MinLoopWaitMs, LeaseTimings.MaxMs, "2", Dynamic),
            Ranged("retry_timeout", SettingType.Duration, "How long one operation is tried again before it counts as failed.", LeaseTimings.MinRetryTimeoutMs, LeaseTimings.MaxMs, "3", Dynamic),
            Ranged("maximum_lag_on_failover", SettingType.Bytes, "A replica further behind may not be elected.", 0, null, "1048576", Dynamic),
            Ranged("maximum_lag_on_syncnode", SettingType.Bytes, "A synchronous replica further behind is exchanged; off at 0 and below.", -1, null, "-1", Dynamic, null),
            Ranged("max_timelines_history", SettingType.Integer, "Entries of the history kept; 0 keeps all.", 0, int.MaxValue, "0", Dynamic),
            Ranged("primary_start_timeout", SettingType.Duration, "How long a primary may take to start again before another takes over if one can; 0: at once after a crash.", 0, LeaseTimings.MaxMs, "300", Dynamic),
            Ranged("master_start_timeout", SettingType.Duration, "Older spelling of primary_start_timeout.", 0, LeaseTimings.MaxMs, "", Dynamic),
            Ranged("primary_stop_timeout", SettingType.Duration, "With synchronous_mode: how long the primary's stop may take before PostgreSQL is killed; 0 and without that mode: pg_ctl_timeout.", 0, LeaseTimings.MaxMs, "0", Dynamic),
            Ranged("master_stop_timeout", SettingType.Duration, "Older spelling of primary_stop_timeout.", 0, LeaseTimings.MaxMs, "", Dynamic),
            Ranged("primary_race_backoff", SettingType.Duration, "Postpones an election, at most for this time, while WAL of the former primary still arrives.", 0, LeaseTimings.MaxMs, "0", Dynamic),
            Choice("synchronous_mode", "Synchronous replication managed by the cluster.", ["quorum"], "off", Dynamic, null, SettingType.BooleanOrChoice),
            Of("synchronous_mode_strict", SettingType.Boolean, "Block writes rather than go on without a synchronous standby.", "off", Dynamic, null),
            Ranged("synchronous_node_count", SettingType.Integer, "Number of synchronous standbys.", 1, 1000, "1", Dynamic, null),
            Of("failsafe_mode", SettingType.Boolean, "Without quorum stay primary while all members answer.", "off", Dynamic),
            Of("check_timeline", SettingType.Boolean, "A candidate must have the latest timeline; always checked here.", "off", Dynamic),
            Of("pause", SettingType.Boolean, "No automatic failover.", "off", Dynamic),
            Section("standby_cluster", "Follow a primary outside this cluster.",
            [
                Of("host", SettingType.Text, "Host of the remote primary.", places: Dynamic),
                Of("port", SettingType.Text, "Port of the remote primary (several separated by commas).", places: Dynamic),
                Of("primary_slot_name", SettingType.Text, "Slot on the remote primary.", places: Dynamic),
                Of("create_replica_methods", SettingType.TextList, "Ways to create the standby leader.", places: Dynamic),
                Of("restore_command", SettingType.Text, "Command that fetches WAL.", places: Dynamic),
                Of("archive_cleanup_command", SettingType.Text, "Cleanup command of the standby leader.", places: Dynamic),
                Of("recovery_min_apply_delay", SettingType.Scalar, "Delay before WAL is applied.", places: Dynamic),
            ], Dynamic, from: null),
            Ranged("member_slots_ttl", SettingType.Duration, "How long the slot of an absent member is kept; 0 drops it at once.", 0, LeaseTimings.MaxMs * 365, "30min", Dynamic, null),
            Slots("slots", "Permanent replication slots."),
            Slots("permanent_slots", "Older spelling of slots."),
            Slots("permanent_replication_slots", "Older spelling of slots."),
            new("ignore_slots", SettingType.List, "Slots that the agent never drops.")
            {
                Places = Dynamic,
                ImplementedFrom = null,
                Item = Section("*", "Which slots: every given key must match.",
                [
                    Of("name", SettingType.Text, "Name of the slot.", places: Dynamic),
                    Choice("type", "Kind of slot.", ["physical", "logical"], "", Dynamic),
                    Of("database", SettingType.Text, "Database of a logical slot.", places: Dynamic),
                    Of("plugin", SettingType.Text, "Output plugin.", places: Dynamic),
                ], Dynamic),
            },
            PostgresqlSchema.Section,
        ],
    };
}
