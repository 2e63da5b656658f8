using System.Globalization;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Verbs;
using Patroni.Raft.Postgres.Queries;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Sql;

/// <summary>What <c>query</c> prints: a result, or a moment and a message in its place.</summary>
/// <param name="Result">Rows.</param>
/// <param name="Failure">The server's whole sentence; <c>null</c> for success.</param>
internal sealed record QueryAnswer(SqlResult Result, string? Failure = null);

/// <summary>A connection to the member with a name or role, kept over repetitions and opened anew after an error.</summary>
internal sealed class SqlSession(ClusterView view, string? role, string? member, string? user, string? password, string? database) : IAsyncDisposable
{
    private SqlClient? _client;

    /// <summary>Runs commands and returns the result of the last one. An error of the server is a result too.</summary>
    public async Task<QueryAnswer> RunAsync(string sql, CancellationToken stop)
    {
        try
        {
            _client ??= await OpenAsync(stop).ConfigureAwait(false);
            return _client is not null ? new(await _client.RunAsync(sql, stop).ConfigureAwait(false))
                : Message(member is not null ? $"No connection to member {member} is available"
                    : role is not null ? $"No connection to role {role} is available" : "No connection is available", null);
        }
        catch (SqlFailedException e)
        {
            await DisposeAsync().ConfigureAwait(false);
            return Message($"ERROR, SQLSTATE: {e.SqlState ?? e.Message}", e.Message);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_client is { } open)
        {
            _client = null;
            await open.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static QueryAnswer Message(string text, string? failure) =>
        new(new(null, [[new("text", DateTime.Now.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)), new("text", text)]]), failure);

    // The role in the list may be seconds old; for all but leader and any, PostgreSQL itself is asked.
    private async Task<SqlClient?> OpenAsync(CancellationToken stop)
    {
        var names = MemberSelection.WithRole(view, member is not null ? "any" : role ?? "leader");
        if (names.FirstOrDefault(n => member is null || n == member) is not { } chosen)
        {
            return null;
        }

        var found = MemberSelection.Find(view, chosen);
        var client = await SqlClient.OpenAsync(
            new(SettingReader.Text(found["host"]) ?? "127.0.0.1", (int)(SettingReader.Integer(found["port"]) ?? 5432), user, password, database), stop).ConfigureAwait(false);
        if (role is null or "any" or "leader" || await client.IsInRecoveryAsync(stop).ConfigureAwait(false) == (role is "replica" or "standby" or "standby-leader"))
        {
            return client;
        }

        await client.DisposeAsync().ConfigureAwait(false);
        return null;
    }
}
