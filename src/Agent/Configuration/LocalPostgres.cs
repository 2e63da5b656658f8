using System.Collections.Immutable;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>A PostgreSQL user of the agent with libpq's options for its connections.</summary>
/// <param name="Username">User name.</param>
/// <param name="Password">Password; <c>null</c> when another way of authentication is used.</param>
/// <param name="Options">sslmode, sslcert and so on by libpq's names.</param>
public sealed record PostgresUser(string Username, string? Password, ImmutableSortedDictionary<string, string> Options)
{
    /// <summary>Never shows the password.</summary>
    public override string ToString() => Username;
}

/// <summary>One option of a program: <c>--name</c> or <c>--name=value</c>.</summary>
public sealed record ProgramOption(string Name, string? Value);

/// <summary>A command of the user's own that creates a data directory.</summary>
public sealed record CustomMethod
{
    /// <summary>Name of its section.</summary>
    public required string Name { get; init; }

    /// <summary>The command line as written.</summary>
    public required string Command { get; init; }

    /// <summary>Keep what is in the data directory.</summary>
    public required bool KeepData { get; init; }

    /// <summary>Works without a running leader.</summary>
    public required bool NoLeader { get; init; }

    /// <summary>No standard arguments.</summary>
    public required bool NoParams { get; init; }

    /// <summary>Keep recovery settings that the command wrote (bootstrap only).</summary>
    public required bool KeepExistingRecoveryConf { get; init; }

    /// <summary>Recovery settings for the first start.</summary>
    public required ImmutableSortedDictionary<string, string> RecoveryConf { get; init; }

    /// <summary>Further keys, passed as <c>--key=value</c>.</summary>
    public required ImmutableArray<ProgramOption> Arguments { get; init; }
}

/// <summary>How a new cluster begins.</summary>
public sealed record BootstrapSettings
{
    /// <summary>The first dynamic configuration as JSON, exactly the keys that were written.</summary>
    public required string DynamicJson { get; init; }

    /// <summary>Options of initdb.</summary>
    public required ImmutableArray<ProgramOption> InitDb { get; init; }

    /// <summary>The user's own method; <c>null</c> for initdb.</summary>
    public required CustomMethod? Method { get; init; }

    /// <summary>Command after the first start.</summary>
    public required string? PostBootstrap { get; init; }
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
    public required PostgresUser Superuser { get; init; }

    /// <summary>The standbys' user.</summary>
    public required PostgresUser Replication { get; init; }

    /// <summary>pg_rewind's user; the superuser when none is configured.</summary>
    public required PostgresUser Rewind { get; init; }

    /// <summary>Whether pg_rewind has a user of its own.</summary>
    public required bool HasRewindUser { get; init; }

    /// <summary>Included instead of postgresql.base.conf.</summary>
    public required string? CustomConf { get; init; }

    /// <summary>The section as written.</summary>
    public required SettingMap Document { get; init; }
}
