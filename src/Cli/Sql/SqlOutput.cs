using System.Globalization;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.Postgres.Queries;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Sql;

/// <summary>
/// Results of SQL as text. Values stand as patronictl prints them, which means in Python's words: None for NULL, True and False, 1.0.
/// </summary>
internal static class SqlOutput
{
    /// <summary>The text, ending with a line break unless it is empty.</summary>
    public static string Render(SqlResult result, string format, string delimiter)
    {
        if (result.Columns is null && result.Rows.Count == 0)
        {
            return ""; // The last command returns no rows by its nature.
        }

        switch (format)
        {
            case "json" or "yaml" or "yml":
                var columns = result.Columns ?? [];
                var objects = new SettingList([.. result.Rows.Select(r => new SettingMap([.. columns.Zip(r).Select(c => new SettingEntry(c.First, Value(c.Second), 0))]))]);
                return (format == "json" ? PythonJson.Write(objects) : YamlText.Block(objects)) + "\n";
            case "tsv":
                var lines = result.Rows.Select(r => r.Select(Text));
                return string.Concat((result.Columns is null ? lines : lines.Prepend(result.Columns)).Select(l => string.Join(delimiter, l) + "\n"));
            default:
                var names = result.Columns ?? [.. result.Rows[0].Select((_, i) => $"Field {i + 1}")];
                return PrettyTable.Draw("", [.. names.Select(n => (n, Align.Left))], [.. result.Rows.Select(r => r.Select(Text).ToArray())]) + "\n";
        }
    }

    private static string Text(SqlValue value) => value switch
    {
        { Text: null } => "None",
        { Type: "boolean" } => value.Text == "t" ? "True" : "False",
        _ => Written(value.Type, value.Text),
    };

    private static SettingValue Value(SqlValue value) => value switch
    {
        { Text: null } => new SettingNull(),
        { Type: "boolean" } => new SettingScalar(value.Text == "t" ? "true" : "false", SettingScalarKind.Boolean),
        { Type: "smallint" or "integer" or "bigint" or "oid" or "real" or "double precision" or "numeric" } when SettingReader.IsJsonNumber(value.Text) =>
            new SettingScalar(Written(value.Type, value.Text), SettingScalarKind.Number),
        _ => new SettingScalar(Written(value.Type, value.Text), SettingScalarKind.Text),
    };

    private static string Written(string type, string text) => type switch
    {
        "real" or "double precision" when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _) => text + ".0",
        // PostgreSQL leaves the minutes of an offset out when they are none.
        "timestamp with time zone" or "time with time zone" when text.Length > 3 && text[^3] is '+' or '-' => text + ":00",
        _ => text,
    };
}
