using System.Collections.Immutable;
using Patroni.Raft.Postgres;
using Patroni.Raft.StateMachine;
using static Patroni.Raft.Agent.Configuration.NodeConfigurationReader;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>Typed <c>postgresql</c> and <c>bootstrap</c> sections of a checked document.</summary>
internal static class PostgresSectionReader
{
    public static LocalPostgres Local(SettingMap p, string baseDirectory)
    {
        Endpoint.TryParse(Text(p, "listen"), out var hosts, out var port);
        var connect = Address(p, "connect_address");
        var dataDirectory = FilePath(p, "data_dir", baseDirectory)!;
        var authentication = p.Section("authentication");
        return new LocalPostgres
        {
            ListenHosts = [.. hosts.Split(',')],
            Port = port ?? 5432,
            ConnectAddress = connect ?? new HostPort(hosts.Split(',')[0], port ?? 5432),
            ProxyAddress = Address(p, "proxy_address"),
            DataDirectory = dataDirectory,
            ConfigDirectory = FilePath(p, "config_dir", baseDirectory) ?? dataDirectory,
            BinDirectory = FilePath(p, "bin_dir", baseDirectory),
            BinNames = Texts(p.Section("bin_name")),
            PgPass = FilePath(p, "pgpass", baseDirectory) ?? Absolute("~/pgpass", baseDirectory),
            Database = Text(p, "database") ?? "postgres",
            Superuser = User(authentication.Section("superuser")),
            Replication = User(authentication.Section("replication")),
            Rewind = authentication["rewind"] is SettingMap rewind ? User(rewind) : null,
            StateDirectory = FilePath(p, "state_dir", baseDirectory) ?? dataDirectory + ".agent",
            CustomConf = FilePath(p, "custom_conf", baseDirectory),
            Document = p,
        };
    }

    public static BootstrapSettings Bootstrap(SettingMap b)
    {
        var method = Text(b, "method") ?? "initdb";
        return new BootstrapSettings
        {
            DynamicJson = SettingJson.Write(b.Section("dcs")),
            InitDb = Options(b["initdb"]),
            Method = method != "initdb" && b[method] is SettingMap section ? Custom(method, section) : null,
            PgHba = [.. SettingReader.Texts(b["pg_hba"]) ?? []],
            PostBootstrap = Text(b, "post_bootstrap") ?? Text(b, "post_init"),
        };
    }

    /// <summary>A replica creation method; keys without a meaning of their own become arguments.</summary>
    public static ReplicaMethod Replica(string name, SettingMap m) => new()
    {
        Name = name,
        Command = Text(m, "command"),
        KeepData = Flag(m, "keep_data"),
        NoLeader = Flag(m, "no_leader") || Flag(m, "no_master"),
        NoParams = Flag(m, "no_params"),
        Options = Arguments(m, "command", "keep_data", "no_leader", "no_master", "no_params", "recovery_conf"),
    };

    private static CustomBootstrap Custom(string name, SettingMap m) => new()
    {
        Name = name,
        Command = Text(m, "command")!,
        NoParams = Flag(m, "no_params"),
        KeepExistingRecoveryConf = Flag(m, "keep_existing_recovery_conf"),
        RecoveryConf = Texts(m.Section("recovery_conf"), StringComparer.OrdinalIgnoreCase),
        Options = Arguments(m, "command", "no_params", "keep_existing_recovery_conf", "recovery_conf"),
    };

    private static ImmutableArray<ToolOption> Arguments(SettingMap m, params string[] own) =>
        [.. m.Entries.Where(e => !own.Contains(e.Key) && e.Value is SettingScalar).Select(Option)];

    /// <summary>Options as list of names and single pairs, or as a map.</summary>
    public static ImmutableArray<ToolOption> Options(SettingValue? value) => value switch
    {
        SettingMap map => [.. map.Entries.Select(Option)],
        SettingList list => [.. list.Items.Select(i => i is SettingMap map ? Option(map.Entries[0]) : new ToolOption(((SettingScalar)i).Text, null))],
        _ => [],
    };

    private static ToolOption Option(SettingEntry entry) => new(entry.Key, SettingReader.Text(entry.Value));

    private static Credentials User(SettingMap user) => new()
    {
        Username = Text(user, "username")!,
        Password = Text(user, "password"),
        Options = Texts(user with { Entries = [.. user.Entries.Where(e => e.Key is not ("username" or "password"))] }, StringComparer.OrdinalIgnoreCase),
    };
}
