using Patroni.Raft.Cli.Sql;
using Patroni.Raft.Postgres.Queries;
using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>Results of SQL in patronictl's words.</summary>
public sealed class SqlOutputTests
{
    private static readonly SqlResult Result = new(["n", "t", "b", "f", "at", "nothing"],
    [
        [new("integer", "1"), new("text", "a\"b"), new("boolean", "t"), new("double precision", "1"), new("timestamp with time zone", "2026-11-22 18:13:15+00"), new("text", null)],
        [new("bigint", "-9007199254740993"), new("text", "yes"), new("boolean", "f"), new("double precision", "NaN"), new("timestamp with time zone", "2026-11-22 18:13:15.5+05:30"), new("integer", null)],
    ]);

    private static readonly SqlResult Message = new(null, [[new("text", "2026-11-22 18:13:15"), new("text", "ERROR, SQLSTATE: 42P01")]]);

    [Fact]
    public void Tsv_and_delimiters()
    {
        Assert.Equal(
            "n\tt\tb\tf\tat\tnothing\n"
            + "1\ta\"b\tTrue\t1.0\t2026-11-22 18:13:15+00:00\tNone\n"
            + "-9007199254740993\tyes\tFalse\tNaN\t2026-11-22 18:13:15.5+05:30\tNone\n", SqlOutput.Render(Result, "tsv", "\t"));
        Assert.StartsWith("n;t;b;f;at;nothing\n1;", SqlOutput.Render(Result, "tsv", ";"));
        Assert.Equal("2026-11-22 18:13:15\tERROR, SQLSTATE: 42P01\n", SqlOutput.Render(Message, "tsv", "\t"));
    }

    [Fact]
    public void Json_keeps_numbers_booleans_and_null() => Assert.Equal(
        """[{"n": 1, "t": "a\"b", "b": true, "f": 1.0, "at": "2026-11-22 18:13:15+00:00", "nothing": null}, {"n": -9007199254740993, "t": "yes", "b": false, "f": "NaN", "at": "2026-11-22 18:13:15.5+05:30", "nothing": null}]""" + "\n",
        SqlOutput.Render(Result, "json", "\t"));

    [Fact]
    public void Yaml_quotes_what_is_text()
    {
        var text = SqlOutput.Render(Result, "yaml", "\t");
        Assert.Contains("  t: 'yes'\n", text);
        Assert.Contains("- at: '2026-11-22 18:13:15+00:00'\n  b: true\n", text);
        Assert.Contains("  nothing: null\n", text);
    }

    [Fact]
    public void Pretty_is_a_table_also_for_a_message()
    {
        Assert.StartsWith("+-", SqlOutput.Render(Result, "pretty", "\t"));
        Assert.Contains("| Field 1             | Field 2                |\n", SqlOutput.Render(Message, "pretty", "\t"));
        Assert.Equal("", SqlOutput.Render(new SqlResult(null, []), "json", "\t"));
    }
}
