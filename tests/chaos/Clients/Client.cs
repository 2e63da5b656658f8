using Npgsql;
using Patroni.Raft.ChaosTests.Cluster;

namespace Patroni.Raft.ChaosTests.Clients;

/// <summary>A connection to one node that is opened when it is needed and thrown away after every failure.</summary>
internal sealed class Client(ChaosNode node) : IAsyncDisposable
{
    private NpgsqlConnection? connection;
    private bool warned;

    /// <summary>Whether the last statement was sent at all: one that was not has done nothing.</summary>
    public bool Sent { get; private set; }

    /// <summary>Runs a statement; returns its first row, or null when it has none. A commit that was answered with a warning counts as failed: it may be on no standby.</summary>
    public async Task<object[]?> QueryAsync(string sql, params object[] values)
    {
        Sent = false;
        try
        {
            if (connection is null)
            {
                connection = new(node.ConnectionString);
                connection.Notice += (_, notice) => warned |= notice.Notice.InvariantSeverity == "WARNING";
                await connection.OpenAsync();
            }
            warned = false;
            await using var command = new NpgsqlCommand(sql, connection);
            for (int i = 0; i < values.Length; i++) command.Parameters.Add(new() { Value = values[i] });
            object[]? row = null;
            Sent = true;
            await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync())
            {
                if (await reader.ReadAsync())
                {
                    row = new object[reader.FieldCount];
                    reader.GetValues(row);
                }
                // Rows come before the commit, the end of the result after it.
                while (await reader.NextResultAsync())
                {
                }
            }
            if (warned) throw new NpgsqlException("the commit was answered with a warning");
            return row;
        }
        catch (Exception e) when (IsExpected(e))
        {
            // What PostgreSQL refused leaves the connection as it was.
            if (e is not PostgresException { SqlState: "25006" }) await CloseAsync();
            throw;
        }
    }

    public static bool IsExpected(Exception e) => e is NpgsqlException or TimeoutException or IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException;

    /// <summary>One line for the report, without what differs from time to time.</summary>
    public static string Brief(Exception e) => e is PostgresException p ? $"{p.SqlState} {p.MessageText}" : $"{e.GetType().Name} {e.InnerException?.GetType().Name}";

    public async ValueTask DisposeAsync() => await CloseAsync();

    private async Task CloseAsync()
    {
        if (connection is not null)
        {
            try
            {
                await connection.DisposeAsync();
            }
            catch (Exception e) when (IsExpected(e))
            {
                // It was broken already.
            }
        }
        connection = null;
    }
}
