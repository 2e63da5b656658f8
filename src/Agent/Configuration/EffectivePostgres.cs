using System.Collections.Immutable;
using Patroni.Raft.Postgres;
using Patroni.Raft.StateMachine;
using static Patroni.Raft.Agent.Configuration.NodeConfigurationReader;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>Who decided a value.</summary>
public enum SettingOrigin
{
    /// <summary>Nobody set it.</summary>
    Default,

    /// <summary>The dynamic configuration of the cluster.</summary>
    Dynamic,

    /// <summary>The node's file.</summary>
    Local,

    /// <summary>An environment variable of the node.</summary>
    Environment,

    /// <summary>The agent itself; a user's value is never used.</summary>
    Agent,
}

/// <summary>A PostgreSQL parameter as it goes to PostgreSQL, and who decided it.</summary>
public sealed record EffectiveParameter(string Name, string Value, SettingOrigin Origin);

/// <summary>
/// The <c>postgresql</c> section that holds: the local one over the dynamic one, key by key, with Patroni's exceptions.
/// Parameters merge by name (case-insensitive); those in <see cref="PostgresqlSchema.ControlledParameters"/> and <c>use_slots</c>
/// come only from the dynamic configuration, those in <see cref="PostgresqlSchema.AgentParameters"/> only from the agent.
/// </summary>
public sealed record EffectivePostgres
{
    /// <summary>All parameters, by name.</summary>
    public required ImmutableSortedDictionary<string, EffectiveParameter> Parameters { get; init; }

    /// <summary>Lines of pg_hba.conf; <c>null</c> leaves the file alone.</summary>
    public required ImmutableArray<string>? PgHba { get; init; }

    /// <summary>Lines of pg_ident.conf; <c>null</c> leaves the file alone.</summary>
    public required ImmutableArray<string>? PgIdent { get; init; }

    /// <summary>Further recovery settings.</summary>
    public required ImmutableSortedDictionary<string, string> RecoveryConf { get; init; }

    /// <summary>Replication slots for members.</summary>
    public required bool UseSlots { get; init; }

    /// <summary>Former primaries rejoin by pg_rewind.</summary>
    public required bool UsePgRewind { get; init; }

    /// <summary>Clone again when pg_rewind fails.</summary>
    public required bool RemoveDataDirectoryOnRewindFailure { get; init; }

    /// <summary>Clone again when timelines diverged.</summary>
    public required bool RemoveDataDirectoryOnDivergedTimelines { get; init; }

    /// <summary>Longest start, stop or restart.</summary>
    public required TimeSpan PgCtlTimeout { get; init; }

    /// <summary>The agent connects over the unix socket.</summary>
    public required bool UseUnixSocket { get; init; }

    /// <summary>Replication on the same host uses the unix socket.</summary>
    public required bool UseUnixSocketRepl { get; init; }

    /// <summary>Ways to create a replica in order, never empty.</summary>
    public required ImmutableArray<ReplicaMethod> CreateReplicaMethods { get; init; }

    /// <summary>Further options of pg_rewind.</summary>
    public required ImmutableArray<ToolOption> Rewind { get; init; }

    /// <summary>Commands run on events.</summary>
    public required CallbackCommands Callbacks { get; init; }

    /// <summary>Command before a promotion.</summary>
    public required string? PrePromote { get; init; }

    /// <summary>Command before PostgreSQL is stopped.</summary>
    public required string? BeforeStop { get; init; }

    /// <summary>The merged section without parameters, as written.</summary>
    public required SettingMap Document { get; init; }

    /// <summary>Merges a node's section with the dynamic one.</summary>
    public static EffectivePostgres Merge(string scope, LocalPostgres local, DynamicPostgres dynamic)
    {
        var merged = dynamic.Document.Without("parameters");
        foreach (var entry in local.Document.Entries.Where(e => e.Key is not ("parameters" or "use_slots") && e.Value is not SettingNull))
        {
            merged = merged.With(entry.Key, entry.Value);
        }

        return new EffectivePostgres
        {
            Parameters = MergeParameters(scope, local, dynamic),
            PgHba = Lines(merged["pg_hba"]),
            PgIdent = Lines(merged["pg_ident"]),
            RecoveryConf = Texts(merged.Section("recovery_conf"), StringComparer.OrdinalIgnoreCase),
            UseSlots = dynamic.UseSlots,
            UsePgRewind = Flag(merged, "use_pg_rewind"),
            RemoveDataDirectoryOnRewindFailure = Flag(merged, "remove_data_directory_on_rewind_failure"),
            RemoveDataDirectoryOnDivergedTimelines = Flag(merged, "remove_data_directory_on_diverged_timelines"),
            PgCtlTimeout = TimeSpan.FromMilliseconds(SettingReader.Milliseconds(merged["pg_ctl_timeout"]) ?? 60_000),
            UseUnixSocket = Flag(merged, "use_unix_socket"),
            UseUnixSocketRepl = Flag(merged, "use_unix_socket_repl"),
            CreateReplicaMethods = ReplicaMethods(merged),
            Rewind = PostgresSectionReader.Options(merged["rewind"]),
            Callbacks = Commands(merged.Section("callbacks")),
            PrePromote = Text(merged, "pre_promote"),
            BeforeStop = Text(merged, "before_stop"),
            Document = merged,
        };
    }

    private static ImmutableSortedDictionary<string, EffectiveParameter> MergeParameters(string scope, LocalPostgres local, DynamicPostgres dynamic)
    {
        var result = ImmutableSortedDictionary.CreateBuilder<string, EffectiveParameter>(StringComparer.OrdinalIgnoreCase);
        void Set(string name, string value, SettingOrigin origin) => result[name] = new(name.ToLowerInvariant(), value, origin);

        foreach (var parameter in PostgresqlSchema.ControlledParameters.Where(p => p.Key != "wal_keep_segments"))
        {
            Set(parameter.Key, parameter.Default, SettingOrigin.Default);
        }

        foreach (var (name, value) in dynamic.Parameters)
        {
            Set(name, value, SettingOrigin.Dynamic);
        }

        foreach (var (name, value) in Texts(local.Document.Section("parameters")))
        {
            if (!PostgresqlSchema.ControlledParameters.Any(p => p.Key.Equals(name, StringComparison.OrdinalIgnoreCase)))
            {
                Set(name, value, SettingOrigin.Local);
            }
        }

        Set("listen_addresses", string.Join(',', local.ListenHosts), SettingOrigin.Agent);
        Set("port", local.Port.ToString(), SettingOrigin.Agent);
        Set("cluster_name", scope, SettingOrigin.Agent);
        Set("hot_standby", "on", SettingOrigin.Agent);
        Set("wal_log_hints", "on", SettingOrigin.Agent);
        return result.ToImmutable();
    }

    private static ImmutableArray<string>? Lines(SettingValue? value) => SettingReader.Texts(value) is { Count: > 0 } lines ? [.. lines] : null;

    private static ImmutableArray<ReplicaMethod> ReplicaMethods(SettingMap merged)
    {
        var baseBackup = new ReplicaMethod { Name = "basebackup", Options = PostgresSectionReader.Options(merged["basebackup"]) };
        var names = SettingReader.Texts(merged["create_replica_methods"] ?? merged["create_replica_method"]) ?? [];
        var methods = names.Where(n => n == "basebackup" || merged[n] is SettingMap)
            .Select(n => n == "basebackup" ? baseBackup : PostgresSectionReader.Replica(n, merged.Section(n))).ToImmutableArray();
        return methods.IsEmpty ? [baseBackup] : methods;
    }

    private static CallbackCommands Commands(SettingMap c) => new()
    {
        OnStart = Text(c, "on_start"),
        OnStop = Text(c, "on_stop"),
        OnRestart = Text(c, "on_restart"),
        OnReload = Text(c, "on_reload"),
        OnRoleChange = Text(c, "on_role_change"),
    };
}
