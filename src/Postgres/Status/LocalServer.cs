using System.Globalization;
using Npgsql;

namespace Patroni.Raft.Postgres.Status;

/// <summary>How to connect to a server as a client: to the local one as superuser, or to another.</summary>
public sealed class LocalServer : IAsyncDisposable
{
    private readonly NpgsqlDataSource _source;

    private LocalServer(NpgsqlConnectionStringBuilder options)
    {
        ConnectionString = options.ConnectionString;
        NpgsqlSlimDataSourceBuilder builder = new(ConnectionString);
        builder.EnableTransportSecurity();
        _source = builder.Build();
    }

    /// <summary>With the password: never for a log or another process.</summary>
    internal string ConnectionString { get; }

    /// <summary>The local instance as superuser, by socket or TCP as configured.</summary>
    /// <param name="settings">Instance.</param>
    /// <param name="statementTimeout">statement_timeout of the sessions; null for none.</param>
    public static LocalServer Of(PostgresSettings settings, TimeSpan? statementTimeout) =>
        At(LocalAddress(settings), settings.Superuser, settings.Database, statementTimeout);

    /// <summary>Any server.</summary>
    public static LocalServer At(PostgresAddress address, Credentials user, string database, TimeSpan? statementTimeout)
    {
        NpgsqlConnectionStringBuilder options = new()
        {
            Host = address.Host,
            Port = address.Port,
            Username = user.Username,
            Password = user.Password,
            Database = database,
            ApplicationName = "Patroni.Raft",
            // One connection of ours, opened and dropped when we say so: a pool would keep broken ones and hide reconnects.
            Pooling = false,
            Timeout = 2,
            CommandTimeout = 0,
            // A cancelled command drops the connection at once instead of waiting for the server's answer to a cancel request.
            CancellationTimeout = -1,
            // synchronous_commit: what we write must never wait for a standby.
            Options = "-c synchronous_commit=local -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c statement_timeout="
                + ((long)(statementTimeout?.TotalMilliseconds ?? 0)).ToString(CultureInfo.InvariantCulture),
        };
        // A unix socket has neither: Npgsql fails to connect when it is told to set them (measured).
        if (!address.Host.StartsWith('/'))
        {
            options.TcpKeepAlive = true;
            options.TcpKeepAliveTime = 5;
            options.TcpKeepAliveInterval = 2;
            ApplySecurity(options, user);
        }
        return new(options);
    }

    /// <summary>Opens a connection; the caller disposes it.</summary>
    public ValueTask<NpgsqlConnection> OpenAsync(CancellationToken cancel) => _source.OpenConnectionAsync(cancel);

    /// <summary>Runs one statement on a connection of its own and returns the first column of the first row as text; null when there is none.</summary>
    public async Task<string?> ScalarAsync(string sql, CancellationToken cancel)
    {
        await using NpgsqlConnection connection = await OpenAsync(cancel);
        await using NpgsqlCommand command = new(sql, connection);
        return Convert.ToString(await command.ExecuteScalarAsync(cancel), CultureInfo.InvariantCulture);
    }

    /// <summary>Where the local instance is reached (Patroni's rule: socket if asked for, else localhost if it listens there, else the first address).</summary>
    public static PostgresAddress LocalAddress(PostgresSettings settings) =>
        settings.UseUnixSocket ? new(SocketDirectory(settings) ?? TcpHost(settings), settings.Port) : new(TcpHost(settings), settings.Port);

    private static string? SocketDirectory(PostgresSettings settings)
    {
        if (!settings.UnixSocketDirectories.IsEmpty) return settings.UnixSocketDirectories.FirstOrDefault(Path.IsPathRooted);
        string[] builtIn = ["/var/run/postgresql", "/tmp"];
        return builtIn.FirstOrDefault(directory => File.Exists($"{directory}/.s.PGSQL.{settings.Port}")) ?? builtIn.First(Directory.Exists);
    }

    private static string TcpHost(PostgresSettings settings) =>
        settings.ListenAddresses.Any(address => address is "*" or "localhost" or "0.0.0.0" or "127.0.0.1") ? "127.0.0.1"
        : settings.ListenAddresses.Any(address => address is "::" or "::1") ? "::1"
        : settings.ListenAddresses.IsEmpty ? "127.0.0.1" : settings.ListenAddresses[0];

    private static void ApplySecurity(NpgsqlConnectionStringBuilder options, Credentials user)
    {
        options.SslMode = user.Options.GetValueOrDefault("sslmode") switch
        {
            "disable" => SslMode.Disable,
            "allow" => SslMode.Allow,
            "require" => SslMode.Require,
            "verify-ca" => SslMode.VerifyCA,
            "verify-full" => SslMode.VerifyFull,
            _ => SslMode.Prefer,
        };
        if (user.Options.TryGetValue("sslcert", out string? certificate)) options.SslCertificate = certificate;
        if (user.Options.TryGetValue("sslkey", out string? key)) options.SslKey = key;
        if (user.Options.TryGetValue("sslpassword", out string? password)) options.SslPassword = password;
        if (user.Options.TryGetValue("sslrootcert", out string? root)) options.RootCertificate = root;
        if (user.Options.ContainsKey("sslcrl")) options.CheckCertificateRevocation = true;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _source.DisposeAsync();
}
