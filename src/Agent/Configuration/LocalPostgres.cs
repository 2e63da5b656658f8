using System.Collections.Immutable;
using Patroni.Raft.Postgres;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>How a new cluster begins.</summary>
public sealed record BootstrapSettings
{
    /// <summary>The first dynamic configuration as JSON, exactly the keys that were written.</summary>
    public required string DynamicJson { get; init; }

    /// <summary>Options of initdb.</summary>
    public required ImmutableArray<ToolOption> InitDb { get; init; }

    /// <summary>The user's own method; <c>null</c> for initdb.</summary>
    public required CustomBootstrap? Method { get; init; }

    /// <summary>Command after the first start.</summary>
    public required string? PostBootstrap { get; init; }

    /// <summary>Lines for pg_hba.conf when nothing else gives any.</summary>
    public required ImmutableArray<string> PgHba { get; init; }
}

/// <summary>
/// The part of the <c>postgresql</c> section that only the local file sets. What the dynamic configuration may set
/// too is merged by <see cref="EffectivePostgres"/>.
/// </summary>
public sealed record LocalPostgres
{
    /// <summary>Hosts PostgreSQL listens on; <c>*</c> for all.</summary>
    public required ImmutableArray<string> ListenHosts { get; init; }

    /// <summary>Its port.</summary>
    public required int Port { get; init; }

    /// <summary>Where others reach it.</summary>
    public required HostPort ConnectAddress { get; init; }

    /// <summary>A pooler in front of it.</summary>
    public required HostPort? ProxyAddress { get; init; }

    /// <summary>Absolute path of the data directory.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>Absolute path of the directory for the agent's own markers and logs about this instance.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>Absolute path of the configuration files' directory.</summary>
    public required string ConfigDirectory { get; init; }

    /// <summary>Directory of programs; <c>null</c> searches PATH.</summary>
    public required string? BinDirectory { get; init; }

    /// <summary>Other names of programs.</summary>
    public required ImmutableSortedDictionary<string, string> BinNames { get; init; }

    /// <summary>Absolute path of the password file the agent writes.</summary>
    public required string PgPass { get; init; }

    /// <summary>Database the agent connects to.</summary>
    public required string Database { get; init; }

    /// <summary>The superuser.</summary>
    public required Credentials Superuser { get; init; }

    /// <summary>The standbys' user.</summary>
    public required Credentials Replication { get; init; }

    /// <summary>pg_rewind's user; <c>null</c> when the superuser does it.</summary>
    public required Credentials? Rewind { get; init; }

    /// <summary>Included instead of postgresql.base.conf.</summary>
    public required string? CustomConf { get; init; }

    /// <summary>The section as written.</summary>
    public required SettingMap Document { get; init; }
}
