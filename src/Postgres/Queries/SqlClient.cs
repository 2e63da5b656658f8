using System.Net.Sockets;
using Npgsql;

namespace Patroni.Raft.Postgres.Queries;

/// <summary>Who logs in where; what is missing comes from libpq's environment variables and password file.</summary>
/// <param name="Host">Host.</param>
/// <param name="Port">Port.</param>
/// <param name="User">Role; else PGUSER, else the user of the operating system.</param>
/// <param name="Password">Password; else PGPASSWORD, else the password file.</param>
/// <param name="Database">Database; else PGDATABASE, else the name of the user.</param>
public sealed record SqlLogin(string Host, int Port, string? User, string? Password, string? Database);

/// <summary>An interactive user's connection: any SQL, results as the server's text.</summary>
public sealed class SqlClient : IAsyncDisposable
{
    private const int ConnectSeconds = 5;

    private readonly NpgsqlDataSource source;
    private readonly NpgsqlConnection connection;

    private SqlClient(NpgsqlDataSource source, NpgsqlConnection connection)
    {
        this.source = source;
        this.connection = connection;
    }

    /// <summary>Connects, for at most five seconds.</summary>
    /// <exception cref="SqlFailedException">It cannot.</exception>
    public static async Task<SqlClient> OpenAsync(SqlLogin login, CancellationToken cancel)
    {
        NpgsqlDataSource source = new NpgsqlSlimDataSourceBuilder(ConnectionString(login)).EnableTransportSecurity().Build();
        try
        {
            return new(source, await TranslateAsync(() => source.OpenConnectionAsync(cancel).AsTask()));
        }
        catch
        {
            await source.DisposeAsync();
            throw;
        }
    }

    /// <summary>Whether the server is a standby.</summary>
    /// <exception cref="SqlFailedException">The server refused, or is gone.</exception>
    public Task<bool> IsInRecoveryAsync(CancellationToken cancel) => TranslateAsync(async () =>
    {
        await using NpgsqlCommand command = new("SELECT pg_catalog.pg_is_in_recovery()", connection);
        return (bool)(await command.ExecuteScalarAsync(cancel))!;
    });

    /// <summary>Runs commands and returns what the last of them returned.</summary>
    /// <exception cref="SqlFailedException">The server refused, or is gone.</exception>
    public Task<SqlResult> RunAsync(string sql, CancellationToken cancel) => TranslateAsync(async () =>
    {
        await using NpgsqlCommand command = new(sql, connection) { AllResultTypesAreUnknown = true };
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancel);
        SqlResult result;
        do
        {
            string[] types = [.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetDataTypeName)];
            List<IReadOnlyList<SqlValue>> rows = [];
            while (await reader.ReadAsync(cancel))
                rows.Add([.. types.Select((type, i) => new SqlValue(type, reader.IsDBNull(i) ? null : reader.GetString(i)))]);
            result = new(types.Length == 0 ? null : [.. Enumerable.Range(0, types.Length).Select(reader.GetName)], rows);
        }
        while (await reader.NextResultAsync(cancel));
        return result;
    });

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await connection.DisposeAsync();
        await source.DisposeAsync();
    }

    private static async Task<T> TranslateAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (PostgresException e)
        {
            throw new SqlFailedException(e.SqlState, $"{e.Severity}: {e.MessageText}");
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or TimeoutException)
        {
            throw new SqlFailedException(null, (e.InnerException is null ? e.Message : $"{e.Message}: {e.InnerException.Message}").ReplaceLineEndings(" "));
        }
    }

    private static string ConnectionString(SqlLogin login)
    {
        static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
        string user = login.User ?? Variable("PGUSER") ?? Environment.UserName;
        NpgsqlConnectionStringBuilder text = new()
        {
            Host = login.Host,
            Port = login.Port,
            Username = user,
            Database = login.Database ?? Variable("PGDATABASE") ?? user,
            ApplicationName = Variable("PGAPPNAME") ?? "Patroni ctl",
            Timeout = ConnectSeconds,
            CommandTimeout = 0,
            Pooling = false,
            SslMode = Enum.TryParse(Variable("PGSSLMODE")?.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out SslMode mode) ? mode : SslMode.Prefer,
        };
        if ((login.Password ?? Variable("PGPASSWORD")) is { } password) text.Password = password;
        return text.ConnectionString;
    }
}
