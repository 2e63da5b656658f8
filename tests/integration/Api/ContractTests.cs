using System.Text.RegularExpressions;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>Every recorded request is answered as the recorded Patroni answered it, except for the table in docs/compatibility.md.</summary>
[Collection(ApiClusterCollection.Name)]
public sealed class ContractTests(ApiCluster api)
{
    public static TheoryData<string> Titles => [.. Recording.All.Select(recording => recording.Title)];

    [Theory]
    [MemberData(nameof(Titles))]
    public void Is_answered_as_recorded(string title)
    {
        Recording recording = Recording.All.Single(candidate => candidate.Title == title);
        string[] found = [.. api.Contract[recording].Where(finding => !Difference.Allows(recording, finding))];
        Assert.True(found.Length == 0, $"{title}: {recording.Request.Method} {recording.Request.Path} {recording.Request.Body}\n{string.Join('\n', found)}");
    }

    [Fact]
    public void Every_listed_difference_that_the_recordings_can_show_does_show()
    {
        IEnumerable<string> stale = Difference.All.Where(difference => difference.Recordings is not null)
            .Where(difference => !Recording.All.Any(recording => api.Contract[recording].Any(finding => difference.Covers(recording, finding))))
            .Select(difference => $"{difference.Id}: {difference.Findings}");
        Assert.Empty(stale);
    }

    [Fact]
    public void The_recordings_are_complete() => Assert.Equal(51, Recording.All.DistinctBy(recording => recording.Title).Count());
}

/// <summary>The table of differences is the list that the contract test uses.</summary>
public sealed partial class DifferenceTableTests
{
    [Fact]
    public void The_table_has_a_row_for_every_allowed_difference_and_no_other()
    {
        string[] rows = [.. Row().Matches(Repository.Read("docs/compatibility.md")).Select(match => match.Groups[1].Value)];
        Assert.Equal(rows.Distinct(), rows);
        Assert.Equal(Difference.All.Select(difference => difference.Id).Distinct().Order(StringComparer.Ordinal), rows.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_row_has_a_reason() => Assert.All(
        Row().Matches(Repository.Read("docs/compatibility.md")), match => Assert.True(match.Groups[2].Value.Trim().Length > 3, $"{match.Groups[1].Value} has no reason"));

    [GeneratedRegex(@"^\| `([a-z0-9-]+)` \|(?:[^|\n]*\|){3}([^|\n]*)\|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
