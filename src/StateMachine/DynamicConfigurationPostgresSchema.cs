using System.Collections.Immutable;
using static Patroni.Raft.StateMachine.SettingSchemas;

namespace Patroni.Raft.StateMachine;

/// <summary>The <c>postgresql</c> section as data, for the local file and the dynamic configuration alike.</summary>
public static class PostgresqlSchema
{
    private const SettingPlaces Local = SettingPlaces.Local;

    /// <summary>
    /// Parameters that only the dynamic configuration sets, with Patroni's ranges: a standby must not have less than its primary,
    /// and any node may become primary. A local value is ignored, with a notice.
    /// </summary>
    public static ImmutableArray<SettingSchema> ControlledParameters { get; } =
    [
        Ranged("max_connections", SettingType.Integer, "Connections; equal on all nodes.", 25, 262_143, "100"),
        Ranged("max_locks_per_transaction", SettingType.Integer, "Locks per transaction; equal on all nodes.", 32, int.MaxValue, "64"),
        Ranged("max_worker_processes", SettingType.Integer, "Background workers; equal on all nodes.", 2, 262_143, "8"),
        Ranged("max_prepared_transactions", SettingType.Integer, "Prepared transactions; equal on all nodes.", 0, 262_143, "0"),
        Choice("wal_level", "WAL content; equal on all nodes.", ["hot_standby", "replica", "logical"], "replica"),
        Of("track_commit_timestamp", SettingType.Boolean, "Commit times; equal on all nodes.", "off"),
        Ranged("max_wal_senders", SettingType.Integer, "Replication connections.", 3, 262_143, "10"),
        Ranged("max_replication_slots", SettingType.Integer, "Replication slots.", 4, 262_143, "10"),
        Ranged("wal_keep_segments", SettingType.Integer, "WAL kept for standbys, PostgreSQL 12.", 1, int.MaxValue, "8"),
        Ranged("wal_keep_size", SettingType.Text, "WAL kept for standbys, PostgreSQL 13 and later (at least 16MB).", null, null, "128MB"),
    ];

    /// <summary>Parameters that the agent itself sets; a user's value is never used.</summary>
    public static ImmutableArray<string> AgentParameters { get; } = ["listen_addresses", "port", "cluster_name", "hot_standby", "wal_log_hints"];

    /// <summary>The section of one custom method named in <c>create_replica_methods</c>; further keys become its arguments.</summary>
    public static SettingSchema ReplicaMethod { get; } = UserMap("*", "A replica creation method of the user's own; its further keys become arguments of the command.", known:
    [
        Of("command", SettingType.Text, "The command that creates the replica.", required: true),
        Of("keep_data", SettingType.Boolean, "Do not empty the data directory before.", "false"),
        Of("no_leader", SettingType.Boolean, "Works without a running leader.", "false"),
        Of("no_master", SettingType.Boolean, "Older spelling of no_leader.", "false"),
        Of("no_params", SettingType.Boolean, "Call the command without the standard arguments.", "false"),
        UserMap("recovery_conf", "Recovery settings for the first start."),
    ]);

    /// <summary>The section for a node's file and for the dynamic configuration; places tell the keys apart.</summary>
    public static SettingSchema Section { get; } = new("postgresql", SettingType.Map, "The PostgreSQL instance.")
    {
        Children = [.. Connection(), .. Tuning(), .. Replication()],
        CommandSections = ReplicaMethod,
    };

    private static SettingSchema Credentials(string key, string description, bool required) => SettingSchemas.Section(key, description,
    [
        Of("username", SettingType.Text, "User name.", required: true),
        Of("password", SettingType.Secret, "Password."),
        .. new[] { "sslmode", "sslkey", "sslcert", "sslrootcert", "sslcrl", "sslcrldir", "sslnegotiation", "gssencmode", "channel_binding" }
            .Select(k => Of(k, SettingType.Text, $"libpq {k} of connections of this user.")),
        Of("sslpassword", SettingType.Secret, "Password of sslkey."),
    ], Local, required: required);

    private static IEnumerable<SettingSchema> Connection() =>
    [
        Of("name", SettingType.Text, "Older place of name.", places: Local),
        Of("listen", SettingType.Listen, "Addresses and port that PostgreSQL listens on, 'host[,host]:port'; '*' is allowed.", "", Local, required: true),
        Of("connect_address", SettingType.HostPort, "host:port under which others reach this PostgreSQL.", "listen", Local),
        Of("proxy_address", SettingType.HostPort, "host:port of a pooler in front of it.", "", Local),
        Of("data_dir", SettingType.Text, "The data directory.", "", Local, required: true),
        Of("state_dir", SettingType.Text, "Directory of the agent's own markers and logs about the instance; outside the data directory.", "data_dir + '.agent'", Local),
        Of("config_dir", SettingType.Text, "Directory of the configuration files.", "data_dir", Local),
        Of("config_base_name", SettingType.Text, "Name of postgresql.conf without '.conf'.", "postgresql", Local),
        Of("bin_dir", SettingType.Text, "Directory of the PostgreSQL programs.", "PATH", Local),
        SettingSchemas.Section("bin_name", "Other names of the PostgreSQL programs.",
            [.. new[] { "pg_ctl", "initdb", "pg_controldata", "pg_basebackup", "postgres", "pg_isready", "pg_rewind" }
                .Select(b => Of(b, SettingType.Text, $"Name of {b}.", b))], Local),
        Of("pgpass", SettingType.Text, "Password file that the agent writes for replication.", "~/pgpass", Local),
        Of("use_unix_socket", SettingType.Boolean, "The agent connects over the unix socket.", "false"),
        Of("use_unix_socket_repl", SettingType.Boolean, "Replication on the same host uses the unix socket.", "false"),
        Of("krbsrvname", SettingType.Text, "Kerberos service name of connections.", "", Local),
        Of("database", SettingType.Text, "Database the agent connects to.", "postgres", Local),
        SettingSchemas.Section("authentication", "PostgreSQL users of the agent.",
        [
            Credentials("superuser", "Superuser, set at bootstrap and used by the agent.", true),
            Credentials("replication", "User of the standbys.", true),
            Credentials("rewind", "User of pg_rewind; the superuser when absent.", false),
        ], Local, required: true),
    ];

    private static IEnumerable<SettingSchema> Tuning() =>
    [
        UserMap("parameters", "PostgreSQL parameters.", known: ControlledParameters),
        .. new[] { "primary", "replica", "standby_leader" }.SelectMany(role => new[]
        {
            UserMap("parameters_" + role, $"Parameters over 'parameters' while the node is {role}.", from: null),
            Of("pg_hba_" + role, SettingType.TextList, $"pg_hba instead of 'pg_hba' while the node is {role}.", from: null),
            Of("pg_ident_" + role, SettingType.TextList, $"pg_ident instead of 'pg_ident' while the node is {role}.", from: null),
        }),
        Of("pg_hba", SettingType.TextList, "Lines of pg_hba.conf."),
        Of("pg_ident", SettingType.TextList, "Lines of pg_ident.conf."),
        Of("custom_conf", SettingType.Text, "File to include instead of postgresql.base.conf.", "", Local),
        UserMap("recovery_conf", "Further recovery settings (restore_command ...)."),
        Ranged("pg_ctl_timeout", SettingType.Duration, "Longest start, stop or restart.", 0, LeaseTimings.MaxMs, "60"),
    ];

    private static IEnumerable<SettingSchema> Replication() =>
    [
        Of("use_slots", SettingType.Boolean, "Replication slots for members; a local value is ignored.", "true"),
        Of("use_pg_rewind", SettingType.Boolean, "Former primaries rejoin by pg_rewind.", "false"),
        Of("rewind", SettingType.OptionList, "Further options of pg_rewind."),
        Of("remove_data_directory_on_rewind_failure", SettingType.Boolean, "Clone again when pg_rewind fails.", "false"),
        Of("remove_data_directory_on_diverged_timelines", SettingType.Boolean, "Clone again when timelines diverged.", "false"),
        Of("create_replica_methods", SettingType.TextList, "Ways to create a replica, in order.", "basebackup"),
        Of("create_replica_method", SettingType.TextList, "Older spelling of create_replica_methods."),
        Of("basebackup", SettingType.OptionList, "Options of pg_basebackup."),
        SettingSchemas.Section("callbacks", "Commands run on events, with the arguments ACTION ROLE SCOPE.",
            [.. new[] { "on_start", "on_stop", "on_restart", "on_reload", "on_role_change" }
                .Select(c => Of(c, SettingType.Text, $"Command for {c}."))]),
        Of("pre_promote", SettingType.Text, "Command before a promotion; failure, or no end within primary_start_timeout, gives the leadership back."),
        Of("before_stop", SettingType.Text, "Command before PostgreSQL is stopped; the stop waits for its end and goes on whatever its exit code."),
    ];
}
