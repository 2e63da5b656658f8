namespace Patroni.Raft.Postgres.Queries;

/// <summary>One value of a result: the server's text for it and the server's name of its type.</summary>
/// <param name="Type">Such as <c>integer</c>.</param>
/// <param name="Text">Null is SQL's NULL.</param>
public readonly record struct SqlValue(string Type, string? Text);

/// <summary>What the last of some commands returned.</summary>
/// <param name="Columns">Names; null when it returns no rows by its nature.</param>
/// <param name="Rows">The rows.</param>
public sealed record SqlResult(IReadOnlyList<string>? Columns, IReadOnlyList<IReadOnlyList<SqlValue>> Rows);

/// <summary>The server refused, or there is none.</summary>
/// <param name="sqlState">The server's code; null when no server answered.</param>
/// <param name="message">The server's severity and sentence, or why there is no connection.</param>
public sealed class SqlFailedException(string? sqlState, string message) : Exception(message)
{
    /// <summary>The server's code; null when no server answered.</summary>
    public string? SqlState { get; } = sqlState;
}
