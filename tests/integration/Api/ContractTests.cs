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
