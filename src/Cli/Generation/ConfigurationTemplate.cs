using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.Postgres;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Generation;

/// <summary>What a machine knows without being told.</summary>
/// <param name="HostName">Its name.</param>
/// <param name="Address">An address under which others may reach it.</param>
/// <param name="BinDirectory">Directory of PostgreSQL's programs; <c>null</c> when none was found.</param>
/// <param name="RaftPassword">A new password for the Raft group.</param>
public sealed record GenerationContext(string HostName, string Address, string? BinDirectory, string RaftPassword);

/// <summary>A node's first configuration file: from nothing, or from a running PostgreSQL. Pure; values of the environment win.</summary>
public static class ConfigurationTemplate
{
    /// <summary>What a human has to write.</summary>
    public const string ToDo = "FIXME";

    private const string DefaultScope = "main";

    // Where PostgreSQL finds its files, and what recovery needs: of this node, never of the cluster.
    private static readonly string[] LocalParameters =
        ["archive_command", "restore_command", "archive_cleanup_command", "recovery_end_command", "ssl_passphrase_command", "hba_file", "ident_file", "unix_socket_directories", "external_pid_file",
         "ssl_cert_file", "ssl_key_file", "ssl_ca_file", "ssl_crl_file", "log_directory", "stats_temp_directory"];

    // Said elsewhere in the file, or by the agent.
    private static readonly string[] NotParameters =
        ["data_directory", "config_file", "primary_conninfo", "primary_slot_name", "promote_trigger_file", "synchronous_standby_names", .. PostgresqlSchema.AgentParameters];

    /// <summary>A sample for a new cluster.</summary>
    public static string Sample(GenerationContext context, SettingMap environment)
    {
        var postgres = Map(
            ("listen", Text($"{context.Address}:5432")), ("connect_address", Text($"{context.Address}:5432")),
            ("data_dir", Text($"/var/lib/postgresql/{DefaultScope}")), ("bin_dir", Text(context.BinDirectory ?? "")),
            ("authentication", Map(
                ("superuser", Map(("username", Text("postgres")), ("password", Text(ToDo)))),
                ("replication", Map(("username", Text("replicator")), ("password", Text(ToDo)))),
                ("rewind", Map(("username", Text("rewind_user")), ("password", Text(ToDo)))))),
            ("parameters", Map(("password_encryption", Text("scram-sha-256")))),
            ("pg_hba", List(["local all all peer", "host all all all scram-sha-256", "host replication replicator all scram-sha-256"])));
        var dcs = Timings().With("postgresql", Map(("use_pg_rewind", Flag(true)), ("parameters", Map(("wal_level", Text("replica")), ("max_connections", Number(100))))));
        return Render(Node(context, DefaultScope, postgres, Map(("dcs", dcs), ("initdb", new SettingList([Text("data-checksums"), Map(("encoding", Text("UTF8")))])))).Merge(environment));
    }

    /// <summary>The file of a node that adopts this PostgreSQL.</summary>
    public static string Of(RunningInstance instance, ClientTarget target, GenerationContext context, SettingMap environment)
    {
        string dataDirectory = instance.Always["data_directory"], configDirectory = Path.GetDirectoryName(instance.Always["config_file"]) ?? dataDirectory;
        string port = instance.Always["port"], listen = instance.Always["listen_addresses"] is { Length: > 0 } hosts ? hosts.Replace(" ", "", StringComparison.Ordinal) : "localhost";
        bool onlyHere = listen is "localhost" or "127.0.0.1" or "::1";
        var postgres = Map(
            ("listen", Text($"{listen}:{port}")), ("connect_address", Text($"{(onlyHere ? listen : context.Address)}:{port}")),
            ("data_dir", Text(dataDirectory)), ("bin_dir", Text(instance.BinDirectory ?? context.BinDirectory ?? "")),
            ("authentication", Map(
                ("superuser", User(target.User)),
                ("replication", Map(("username", Text(instance.ReplicationRoles.IsEmpty ? "replicator" : instance.ReplicationRoles[0])), ("password", Text(ToDo)))))));
        if (configDirectory != dataDirectory) postgres = postgres.With("config_dir", Text(configDirectory));
        if (target.Database != "postgres") postgres = postgres.With("database", Text(target.Database));
        var local = Parameters(instance, configDirectory, LocalParameters.Contains);
        if (!local.Entries.IsEmpty) postgres = postgres.With("parameters", local);
        if (!instance.PgHba.IsEmpty) postgres = postgres.With("pg_hba", List(instance.PgHba));
        if (!instance.PgIdent.IsEmpty) postgres = postgres.With("pg_ident", List(instance.PgIdent));

        bool rewind = instance.Always.GetValueOrDefault("wal_log_hints") == "on" || instance.Always.GetValueOrDefault("data_checksums") == "on";
        var shared = Parameters(instance, configDirectory, name => !LocalParameters.Contains(name));
        // minimal keeps no WAL for standbys.
        if (instance.Always["wal_level"] == "minimal") shared = shared.With("wal_level", Text("replica"));
        var dcs = Timings().With("postgresql", Map(("use_pg_rewind", Flag(rewind)), ("parameters", shared)));
        string scope = instance.Always["cluster_name"] is { Length: > 0 } name ? name.Replace('/', '-').Trim() : DefaultScope;
        return Render(Node(context, scope, postgres, Map(("dcs", dcs))).Merge(environment));
    }

    /// <summary>Keys whose values a human has to write, as dotted paths.</summary>
    public static IEnumerable<string> Unfinished(SettingMap document, string path = "")
    {
        foreach (var entry in document.Entries)
        {
            string at = path.Length == 0 ? entry.Key : $"{path}.{entry.Key}";
            if (entry.Value is SettingMap below)
            {
                foreach (string found in Unfinished(below, at)) yield return found;
            }
            else if (SettingReader.Text(entry.Value) == ToDo)
            {
                yield return at;
            }
        }
    }

    private static SettingMap Node(GenerationContext context, string scope, SettingMap postgres, SettingMap bootstrap) => Map(
        ("scope", Text(scope)),
        ("name", Text(context.HostName)),
        ("restapi", Map(("listen", Text($"{context.Address}:8008")), ("connect_address", Text($"{context.Address}:8008")))),
        ("raft", Map(
            ("self_addr", Text($"{context.Address}:7008")), ("partner_addrs", List([])),
            ("data_dir", Text($"/var/lib/patroni-raft/{scope}/raft")), ("password", Text(context.RaftPassword)))),
        ("bootstrap", bootstrap),
        ("postgresql", postgres),
        ("tags", Map(("failover_priority", Number(1)), ("clonefrom", Flag(false)), ("noloadbalance", Flag(false)))));

    private static SettingMap Timings() => Map(("ttl", Number(10)), ("loop_wait", Number(2)), ("retry_timeout", Number(3)), ("maximum_lag_on_failover", Number(1_048_576)));

    private static SettingMap Parameters(RunningInstance instance, string configDirectory, Func<string, bool> wanted)
    {
        var result = SettingMap.Empty;
        foreach (var (name, value) in instance.Settings)
        {
            bool usualPlace = name is "hba_file" or "ident_file" && Path.GetDirectoryName(value) == configDirectory && Path.GetFileName(value) == (name == "hba_file" ? "pg_hba.conf" : "pg_ident.conf");
            bool said = usualPlace || NotParameters.Contains(name) || name.StartsWith("recovery_target", StringComparison.Ordinal) || (name == "wal_level" && value == "minimal");
            if (!said && wanted(name)) result = result.With(name, Text(value));
        }
        return result;
    }

    private static SettingMap User(Credentials user)
    {
        var result = Map(("username", Text(user.Username)));
        if (user.Password is { } password) result = result.With("password", Text(password));
        return user.Options.Aggregate(result, static (map, option) => map.With(option.Key, Text(option.Value)));
    }

    private static string Render(SettingMap document)
    {
        var text = new StringBuilder("# A node of patroni-raft. 'patroni-raft --validate-config FILE' checks this file and names everything that is wrong.\n");
        foreach (var entry in document.Entries)
        {
            text.Append(entry.Key switch
            {
                "restapi" => "\n# Health checks of load balancers, monitoring and the command line. Others reach this node under connect_address.\n",
                "raft" => "\n# The nodes' own consensus group. partner_addrs: self_addr of the other first nodes, the same set on all of them; empty for a single node.\n"
                    + "# The password is the same on all nodes. A node that comes later has 'join' instead of partner_addrs.\n",
                "bootstrap" => "\n# Used once, when the cluster begins; later changes go through 'patroni-raft edit-config'.\n",
                "postgresql" or "tags" => "\n",
                _ => "",
            });
            text.Append(YamlText.Block(new SettingMap([entry])));
        }
        return text.ToString();
    }

    private static SettingMap Map(params ReadOnlySpan<(string Key, SettingValue Value)> entries)
    {
        var result = SettingMap.Empty;
        foreach (var (key, value) in entries) result = result.With(key, value);
        return result;
    }

    private static SettingList List(IEnumerable<string> items) => new([.. items.Select(static item => (SettingValue)Text(item))]);

    private static SettingScalar Text(string text) => new(text, SettingScalarKind.Text);

    private static SettingScalar Number(long number) => new(number.ToString(CultureInfo.InvariantCulture), SettingScalarKind.Number);

    private static SettingScalar Flag(bool on) => new(on ? "true" : "false", SettingScalarKind.Boolean);
}
