using Patroni.Raft.StateMachine;
using static Patroni.Raft.StateMachine.SettingSchemas;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>Every key of a node's own configuration file as data.</summary>
public static class LocalConfigurationSchema
{
    private const SettingPlaces Local = SettingPlaces.Local;

    /// <summary>Sections of stores that this product replaces; named so that the message can say what to do.</summary>
    public static IReadOnlyList<string> ForeignStores { get; } = ["etcd", "etcd3", "consul", "zookeeper", "exhibitor", "kubernetes"];

    /// <summary>The whole file of one node.</summary>
    public static SettingSchema Root { get; } = new("", SettingType.Map, "A node's configuration.")
    {
        Places = Local,
        Children =
        [
            Of("name", SettingType.Text, "Name of the node, unique in the cluster.", "", Local, required: true),
            Of("scope", SettingType.Text, "Name of the cluster.", "", Local, required: true),
            Of("namespace", SettingType.Text, "Shown in /state only; there is no store to keep apart.", "/service", Local),
            Of("thread_pool_size", SettingType.Integer, "Accepted for Patroni's sake.", "", Local, null),
            Of("thread_stack_size", SettingType.Bytes, "Accepted for Patroni's sake.", "", Local, null),
            Log(),
            RestApi(),
            Ctl(),
            Raft(),
            Bootstrap(),
            PostgresqlSchema.Section with { Required = true },
            Watchdog(),
            Tags(),
        ],
    };

    /// <summary>The file of a witness: a voter without PostgreSQL.</summary>
    public static SettingSchema Witness { get; } = Root with
    {
        Children = [.. Root.Children.Select(c => c.Key == "postgresql" ? Optional(c) : c)],
    };

    private static SettingSchema Optional(SettingSchema section) =>
        section with { Required = false, Children = [.. section.Children.Select(c => c with { Required = false })] };

    private static SettingSchema Log() => Section("log", "Logging.",
    [
        Choice("type", "Form of the lines.", ["plain", "json"], "plain", Local),
        Choice("level", "Least level that is written.", ["DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL"], "INFO", Local),
        Choice("traceback_level", "Level from which stack traces are written.", ["DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL"], "ERROR", Local, null),
        Of("format", SettingType.Any, "Form of a line, with Python's field names.", "%(asctime)s %(levelname)s: %(message)s", Local, null),
        Of("dateformat", SettingType.Text, "Form of times, with strftime's letters.", "", Local, null),
        UserMap("static_fields", "Fields added to every JSON line.", Local, null),
        Ranged("max_queue_size", SettingType.Integer, "Lines kept while the target is slow; more are lost, and counted in the status.", 1, 10_000_000, "1000", Local),
        Of("dir", SettingType.Text, "Directory for log files; standard error when absent.", "", Local),
        Ranged("file_num", SettingType.Integer, "Log files kept.", 0, 10_000, "4", Local),
        Ranged("file_size", SettingType.Bytes, "Size at which a new log file begins.", 1, null, "25000000", Local),
        Of("mode", SettingType.Scalar, "File mode of log files, octal.", "", Local, null),
        UserMap("loggers", "Levels of single loggers.", Local),
        Of("deduplicate_heartbeat_logs", SettingType.Boolean, "Write equal heartbeat lines once.", "false", Local, null),
    ], Local);

    private static SettingSchema Authentication(string whose) => Section("authentication", $"Basic authentication {whose}.",
    [
        Of("username", SettingType.Text, "User name.", places: Local, required: true),
        Of("password", SettingType.Secret, "Password.", places: Local, required: true),
    ], Local);

    private static SettingSchema RestApi() => Section("restapi", "The REST API.",
    [
        Of("listen", SettingType.HostPort, "host:port that the API listens on.", "", Local, required: true),
        Of("connect_address", SettingType.HostPort, "host:port under which others reach it.", "listen", Local),
        Authentication("of unsafe requests"),
        Of("certfile", SettingType.Text, "Certificate (PEM); with it the API speaks HTTPS.", "", Local),
        Of("keyfile", SettingType.Text, "Key of the certificate (PEM).", "", Local),
        Of("keyfile_password", SettingType.Secret, "Password of the key.", "", Local),
        Of("cafile", SettingType.Text, "CAs of client certificates (PEM).", "", Local),
        Of("ciphers", SettingType.Text, "Cipher suites.", "", Local, null),
        Choice("verify_client", "Client certificates: for no, unsafe or all requests.", ["none", "optional", "required"], "none", Local),
        Of("allowlist", SettingType.TextList, "Hosts and networks that may send unsafe requests.", "", Local),
        Of("allowlist_include_members", SettingType.Boolean, "Members of the cluster are allowed too.", "false", Local),
        UserMap("http_extra_headers", "Headers of every answer.", Local),
        UserMap("https_extra_headers", "Headers of every answer over HTTPS.", Local),
        Ranged("request_queue_size", SettingType.Integer, "Connections waiting to be accepted.", 0, 4096, "5", Local, null),
        Choice("server_tokens", "Content of the Server header.", ["minimal", "productonly", "original"], "original", Local),
        Of("thread_pool_size", SettingType.Integer, "Accepted for Patroni's sake.", "", Local, null),
    ], Local, required: true);

    private static SettingSchema Ctl() => Section("ctl", "How nodes and the command line call the API; restapi's values when absent.",
    [
        Authentication("that is sent"),
        Of("insecure", SettingType.Boolean, "Do not verify the server's certificate.", "false", Local),
        Of("cacert", SettingType.Text, "CAs of the servers (PEM).", "restapi.cafile", Local),
        Of("certfile", SettingType.Text, "Client certificate (PEM).", "", Local),
        Of("keyfile", SettingType.Text, "Key of the client certificate (PEM).", "", Local),
        Of("keyfile_password", SettingType.Secret, "Password of the key.", "", Local),
    ], Local);

    private static SettingSchema Raft() => Section("raft", "The nodes' own consensus group.",
    [
        Of("self_addr", SettingType.HostPort, "host:port of this node for the others; never the API's port.", "", Local, required: true),
        Of("bind_addr", SettingType.HostPort, "host:port to listen on.", "self_addr", Local),
        new("partner_addrs", SettingType.TextList, "self_addr of the other first members; in a file with 'nodes' they are taken from there.") { Places = Local },
        Of("data_dir", SettingType.Text, "Directory of the replicated log.", "", Local, required: true),
        Of("password", SettingType.Secret, "Common secret; TLS keys are derived from it.", "", Local),
        Section("tls", "Certificate files instead of a password.",
        [
            Of("certfile", SettingType.Text, "Certificate (PEM).", "", Local, required: true),
            Of("keyfile", SettingType.Text, "Key (PEM).", "", Local, required: true),
            Of("cafile", SettingType.Text, "CAs of the other nodes (PEM).", "", Local, required: true),
        ], Local),
        Of("join", SettingType.TextList, "API addresses of running nodes; this node is added to their group.", "", Local),
        Ranged("election_timeout", SettingType.Duration, "Shortest silence of the Raft leader before an election; the longest is twice this.", 100, 30_000, "500ms", Local),
        .. new[] { "min_timeout", "max_timeout", "connection_timeout", "append_entries_period", "connection_retry_time", "leader_fallback_timeout" }
            .Select(k => Of(k, SettingType.Duration, "Of Patroni's former Raft; accepted for its sake.", "", Local, null)),
    ], Local, required: true);

    private static SettingSchema Bootstrap() => Section("bootstrap", "How a new cluster begins; ignored afterwards.",
    [
        DynamicConfigurationSchema.Root with { Key = "dcs", Description = "The first dynamic configuration.", Places = Local, PlacesBelow = SettingPlaces.Dynamic },
        Of("method", SettingType.Text, "initdb, or the name of a section here with a command.", "initdb", Local),
        Of("initdb", SettingType.OptionList, "Options of initdb.", "", Local),
        Of("post_bootstrap", SettingType.Text, "Command run once after the first start, with the connection URL.", "", Local),
        Of("post_init", SettingType.Text, "The same.", "", Local),
        Of("pg_hba", SettingType.TextList, "Older place of postgresql.pg_hba; used when that has no lines.", "", Local),
        Of("users", SettingType.Any, "Removed from Patroni 4; use post_bootstrap.", "", Local, null),
    ], Local) with
    {
        CommandSections = UserMap("*", "A bootstrap method of the user's own; its further keys become arguments of the command.", Local, known:
        [
            Of("command", SettingType.Text, "The command that creates the data directory.", "", Local, required: true),
            Of("keep_existing_recovery_conf", SettingType.Boolean, "Keep the recovery settings that the command wrote.", "false", Local),
            Of("no_params", SettingType.Boolean, "Call the command without the standard arguments.", "false", Local),
            UserMap("recovery_conf", "Recovery settings for the first start.", Local),
        ]),
    };

    private static SettingSchema Watchdog() => Section("watchdog", "The kernel's watchdog.",
    [
        Choice("mode", "Use of the watchdog.", ["off", "automatic", "auto", "required", "require"], "automatic", Local, type: SettingType.BooleanOrChoice),
        Of("device", SettingType.Text, "Device file (or a named pipe, which gets the commands in words, for drills).", "/dev/watchdog", Local),
        Ranged("safety_margin", SettingType.Integer, "Seconds between its action and the end of the lease; -1 is half of ttl.", -1, 86_400, "5", Local),
    ], Local);

    private static SettingSchema Tags() => UserMap("tags", "Properties of the node; further keys are the user's own.", Local, known:
    [
        Of("nofailover", SettingType.Boolean, "Never elected.", "false", Local),
        Ranged("failover_priority", SettingType.Integer, "Preferred among equals; 0 is never elected.", int.MinValue, int.MaxValue, "1", Local),
        Of("noloadbalance", SettingType.Boolean, "Not a replica for load balancers.", "false", Local),
        Of("clonefrom", SettingType.Boolean, "New replicas are cloned from here.", "false", Local),
        Of("replicatefrom", SettingType.Text, "Name of the node to stream from, as long as that node streams itself; else it is the leader.", "", Local),
        Of("nosync", SettingType.Boolean, "Never a synchronous standby.", "false", Local, null),
        Ranged("sync_priority", SettingType.Integer, "Preferred as synchronous standby; 0 is never.", int.MinValue, int.MaxValue, "1", Local, null),
        Of("nostream", SettingType.Boolean, "Recover from the archive only.", "false", Local, null),
    ]);
}
