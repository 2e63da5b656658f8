using Npgsql;
using Patroni.Raft.Postgres.Status;

namespace Patroni.Raft.Postgres.Provisioning;

/// <summary>Creates or updates the users of <c>postgresql.authentication</c>.</summary>
internal static class Users
{
    // What pg_rewind calls on its source (manual, pg_rewind, "Notes").
    private static readonly string[] RewindFunctions =
    [
        "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)",
        "pg_read_binary_file(text)", "pg_read_binary_file(text, bigint, bigint, boolean)",
    ];

    internal static async Task CreateAsync(LocalServer server, PostgresSettings settings, CancellationToken cancel)
    {
        await using NpgsqlConnection connection = await server.OpenAsync(cancel);
        // Passwords are literals in these statements: they must not reach the server's log.
        foreach (string setting in new[] { "log_statement = 'none'", "log_min_duration_statement = -1", "log_min_error_statement = 'log'" })
            await ExecuteAsync(connection, $"SET {setting}", cancel);
        if (settings.Superuser.Password is not null) await EnsureAsync(connection, settings.Superuser, "SUPERUSER LOGIN", cancel);
        await EnsureAsync(connection, settings.Replication, "REPLICATION LOGIN", cancel);
        if (settings.Rewind is not { } rewind || rewind.Username == settings.Superuser.Username) return;
        await EnsureAsync(connection, rewind, "LOGIN", cancel);
        foreach (string function in RewindFunctions)
            await ExecuteAsync(connection, $"GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {Identifier(rewind.Username)}", cancel);
    }

    private static async Task EnsureAsync(NpgsqlConnection connection, Credentials user, string options, CancellationToken cancel)
    {
        await using NpgsqlCommand exists = new("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", connection);
        exists.Parameters.Add(new() { Value = user.Username });
        string verb = await exists.ExecuteScalarAsync(cancel) is null ? "CREATE" : "ALTER";
        // A role that is both superuser and replication user (one name for both) keeps what it has: ALTER only adds.
        string password = user.Password is null ? "" : $" PASSWORD {Literal(user.Password)}";
        await ExecuteAsync(connection, $"{verb} ROLE {Identifier(user.Username)} WITH {options}{password}", cancel);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
        await using NpgsqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync(cancel);
    }

    internal static string Identifier(string name) => $"\"{name.Replace("\"", "\"\"")}\"";

    // E'' is read the same whatever standard_conforming_strings says.
    internal static string Literal(string value) => $"E'{value.Replace("\\", @"\\").Replace("'", "''")}'";
}
