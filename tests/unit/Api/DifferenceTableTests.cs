using System.Text.RegularExpressions;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

/// <summary>The table in docs/compatibility.md and the list of differences that the contract test allows (tests/integration/Api/Difference.cs) are the same.</summary>
public sealed partial class DifferenceTableTests
{
    private static readonly string Table = File.ReadAllText(Path.Combine(RepositoryFiles.Root, "docs/compatibility.md"));

    [Fact]
    public void The_table_has_a_row_for_every_allowed_difference_and_no_other()
    {
        string[] rows = [.. Row().Matches(Table).Select(static match => match.Groups[1].Value)];
        Assert.Equal(rows.Distinct(), rows);
        string list = File.ReadAllText(Path.Combine(RepositoryFiles.Root, "tests/integration/Api/Difference.cs"));
        Assert.Equal(Allowed().Matches(list).Select(static match => match.Groups[1].Value).Distinct().Order(StringComparer.Ordinal), rows.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_row_has_a_reason() =>
        Assert.All(Row().Matches(Table), static match => Assert.True(match.Groups[2].Value.Trim().Length > 3, $"{match.Groups[1].Value} has no reason"));

    [GeneratedRegex(@"^\| `([a-z0-9-]+)` \|(?:[^|\n]*\|){3}([^|\n]*)\|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"^        (?:Shown|new)\(""([a-z0-9-]+)""", RegexOptions.Multiline)]
    private static partial Regex Allowed();
}
