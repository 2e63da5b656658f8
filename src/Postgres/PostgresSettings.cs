using System.Collections.Immutable;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres;

/// <summary>
/// Everything this layer needs to know about one PostgreSQL instance: the <c>postgresql</c> and <c>bootstrap</c> sections of
/// <c>patroni.yml</c> after merging, as plain values. Paths are absolute.
/// </summary>
public sealed record PostgresSettings
{
    /// <summary>The node's <c>name</c>; also application_name of its replication connections and the base of its slot name.</summary>
    public required NodeName Name { get; init; }
    /// <summary>The cluster's <c>scope</c>; PostgreSQL gets it as cluster_name.</summary>
    public required string Scope { get; init; }
    /// <summary><c>postgresql.data_dir</c>.</summary>
    public required string DataDir { get; init; }
    /// <summary>
    /// A durable directory of this node outside the data directory, for the marker of unfinished work on the data directory and for
    /// the logs of PostgreSQL's start and of its tools. Needed because initdb and pg_basebackup demand an empty directory and pg_rewind deletes strangers.
    /// </summary>
    public required string StateDirectory { get; init; }
    /// <summary><c>postgresql.bin_dir</c>; empty means that the binaries are found through PATH.</summary>
    public string BinDir { get; init; } = "";
    /// <summary><c>postgresql.bin_name</c>: other names of the binaries, by their usual name.</summary>
    public ImmutableDictionary<string, string> BinName { get; init; } = ImmutableDictionary<string, string>.Empty;
    /// <summary>The hosts of <c>postgresql.listen</c>, as listen_addresses takes them.</summary>
    public ImmutableArray<string> ListenAddresses { get; init; } = ["127.0.0.1"];
    /// <summary>The port of <c>postgresql.listen</c>.</summary>
    public int Port { get; init; } = 5432;
    /// <summary><c>postgresql.connect_address</c>: how others reach this instance.</summary>
    public required PostgresAddress ConnectAddress { get; init; }
    /// <summary><c>postgresql.proxy_address</c>.</summary>
    public PostgresAddress? ProxyAddress { get; init; }
    /// <summary>The database of local and rewind connections.</summary>
    public string Database { get; init; } = "postgres";
    /// <summary>unix_socket_directories of <c>postgresql.parameters</c>; empty means the server's built-in default.</summary>
    public ImmutableArray<string> UnixSocketDirectories { get; init; } = [];
    /// <summary><c>postgresql.use_unix_socket</c>: connect to the local instance through its socket.</summary>
    public bool UseUnixSocket { get; init; }
    /// <summary><c>postgresql.use_unix_socket_repl</c>: the same for local replication connections.</summary>
    public bool UseUnixSocketReplication { get; init; }
    /// <summary><c>postgresql.pgpass</c>: the password file we write for libpq.</summary>
    public required string PgPass { get; init; }
    /// <summary><c>postgresql.authentication.superuser</c>.</summary>
    public required Credentials Superuser { get; init; }
    /// <summary><c>postgresql.authentication.replication</c>.</summary>
    public required Credentials Replication { get; init; }
    /// <summary><c>postgresql.authentication.rewind</c>; null means that the superuser does it.</summary>
    public Credentials? Rewind { get; init; }
    /// <summary>The effective server parameters (local over dynamic), without those that only the agent may set.</summary>
    public ImmutableSortedDictionary<string, string> Parameters { get; init; } = ServerParameters.None;
    /// <summary><c>postgresql.pg_hba</c>; empty leaves pg_hba.conf alone.</summary>
    public ImmutableArray<string> PgHba { get; init; } = [];
    /// <summary><c>postgresql.pg_ident</c>; empty leaves pg_ident.conf alone.</summary>
    public ImmutableArray<string> PgIdent { get; init; } = [];
    /// <summary><c>postgresql.custom_conf</c>: included instead of postgresql.base.conf.</summary>
    public string? CustomConf { get; init; }
    /// <summary><c>postgresql.config_dir</c>; null is the data directory.</summary>
    public string? ConfigDir { get; init; }
    /// <summary><c>postgresql.use_slots</c>.</summary>
    public bool UseSlots { get; init; } = true;
    /// <summary><c>postgresql.use_pg_rewind</c>.</summary>
    public bool UsePgRewind { get; init; }
    /// <summary><c>postgresql.remove_data_directory_on_rewind_failure</c>.</summary>
    public bool RemoveDataDirectoryOnRewindFailure { get; init; }
    /// <summary><c>postgresql.remove_data_directory_on_diverged_timelines</c>.</summary>
    public bool RemoveDataDirectoryOnDivergedTimelines { get; init; }
    /// <summary><c>postgresql.pg_ctl_timeout</c>.</summary>
    public TimeSpan PgCtlTimeout { get; init; } = TimeSpan.FromSeconds(60);
    /// <summary><c>bootstrap.initdb</c>.</summary>
    public ImmutableArray<ToolOption> InitdbOptions { get; init; } = [];
    /// <summary><c>bootstrap.method</c> when it is not initdb.</summary>
    public CustomBootstrap? CustomBootstrap { get; init; }
    /// <summary><c>bootstrap.post_bootstrap</c> (or post_init): a command that gets the connection string as its last argument.</summary>
    public string? PostBootstrap { get; init; }
    /// <summary><c>bootstrap.pg_hba</c>: lines appended after initdb when <see cref="PgHba"/> is empty.</summary>
    public ImmutableArray<string> BootstrapPgHba { get; init; } = [];
    /// <summary><c>postgresql.create_replica_methods</c> in order, with their options; empty means pg_basebackup.</summary>
    public ImmutableArray<ReplicaMethod> CreateReplicaMethods { get; init; } = [];
    /// <summary><c>postgresql.rewind</c>: further options of pg_rewind.</summary>
    public ImmutableArray<ToolOption> RewindOptions { get; init; } = [];
    /// <summary><c>postgresql.recovery_conf</c>: restore_command and the like.</summary>
    public ImmutableSortedDictionary<string, string> RecoveryConf { get; init; } = ServerParameters.None;
    /// <summary><c>postgresql.callbacks</c>.</summary>
    public CallbackCommands Callbacks { get; init; } = new();
    /// <summary><c>postgresql.pre_promote</c>.</summary>
    public string? PrePromote { get; init; }
    /// <summary><c>postgresql.before_stop</c>.</summary>
    public string? BeforeStop { get; init; }

    /// <summary>Who pg_rewind connects as.</summary>
    public Credentials RewindCredentials => Rewind ?? Superuser;

    /// <summary>The path of a PostgreSQL binary, for example <c>pg_rewind</c>.</summary>
    public string Binary(string name)
    {
        string file = BinName.GetValueOrDefault(name, name);
        if (BinDir.Length != 0) return Path.Combine(BinDir, file);
        // posix_spawn does not search; resolve here so that a missing binary is named before anything is started.
        foreach (string directory in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'))
            if (directory.Length != 0 && File.Exists(Path.Combine(directory, file))) return Path.Combine(directory, file);
        return file;
    }

    /// <summary>The directory of postgresql.conf, pg_hba.conf and pg_ident.conf.</summary>
    public string EffectiveConfigDir => ConfigDir ?? DataDir;
}

/// <summary>Host and port of a PostgreSQL server.</summary>
/// <param name="Host">Name, address or absolute socket directory.</param>
/// <param name="Port">TCP port, or the number in the socket's name.</param>
public sealed record PostgresAddress(string Host, int Port)
{
    /// <inheritdoc/>
    public override string ToString() => Host.Contains(':') ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}

/// <summary>One user of <c>postgresql.authentication</c>; names as in libpq.</summary>
public sealed record Credentials
{
    /// <summary>User name.</summary>
    public required string Username { get; init; }
    /// <summary>Password; it reaches other programs only by password file or environment.</summary>
    public string? Password { get; init; }
    /// <summary>The other libpq settings: sslmode, sslcert, sslkey, sslpassword, sslrootcert, sslcrl, sslcrldir, gssencmode, channel_binding, sslnegotiation.</summary>
    public ImmutableSortedDictionary<string, string> Options { get; init; } = ServerParameters.None;

    /// <inheritdoc/>
    public override string ToString() => $"{Username}{(Password is null ? "" : " (with password)")}";
}

/// <summary>One option of initdb, pg_basebackup or pg_rewind: <c>--name=value</c>, or <c>--name</c>.</summary>
/// <param name="Name">Without the dashes.</param>
/// <param name="Value">Null for a switch.</param>
public sealed record ToolOption(string Name, string? Value = null)
{
    /// <summary>As one argument.</summary>
    public override string ToString() => Value is null ? $"--{Name}" : $"--{Name}={Value}";
}

/// <summary>One way to create a replica; <c>basebackup</c> is built in, others are commands.</summary>
public sealed record ReplicaMethod
{
    /// <summary>Its name in create_replica_methods.</summary>
    public required string Name { get; init; }
    /// <summary>The command line; null is the name itself. Not used by basebackup.</summary>
    public string? Command { get; init; }
    /// <summary>Leave what is in the data directory.</summary>
    public bool KeepData { get; init; }
    /// <summary>Works without a running leader.</summary>
    public bool NoLeader { get; init; }
    /// <summary>Do not add --scope, --role, --datadir, --connstring.</summary>
    public bool NoParams { get; init; }
    /// <summary>Further options, passed as --name=value.</summary>
    public ImmutableArray<ToolOption> Options { get; init; } = [];

    /// <summary>Whether pg_basebackup does it.</summary>
    public bool IsBaseBackup => Name == "basebackup";
}

/// <summary>A <c>bootstrap.method</c> other than initdb.</summary>
public sealed record CustomBootstrap
{
    /// <summary>The method's name.</summary>
    public required string Name { get; init; }
    /// <summary>The command line.</summary>
    public required string Command { get; init; }
    /// <summary>Do not add --scope and --datadir.</summary>
    public bool NoParams { get; init; }
    /// <summary>Keep the recovery settings and signal files that the command left.</summary>
    public bool KeepExistingRecoveryConf { get; init; }
    /// <summary>Recovery settings to start with.</summary>
    public ImmutableSortedDictionary<string, string> RecoveryConf { get; init; } = ServerParameters.None;
    /// <summary>Further options, passed as --name=value.</summary>
    public ImmutableArray<ToolOption> Options { get; init; } = [];
}

/// <summary>The commands of <c>postgresql.callbacks</c>; null ones are not called.</summary>
public sealed record CallbackCommands
{
    /// <summary>After a start.</summary>
    public string? OnStart { get; init; }
    /// <summary>After a stop.</summary>
    public string? OnStop { get; init; }
    /// <summary>After a restart.</summary>
    public string? OnRestart { get; init; }
    /// <summary>After a reload.</summary>
    public string? OnReload { get; init; }
    /// <summary>After a promotion or demotion.</summary>
    public string? OnRoleChange { get; init; }
}
