using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>Elections and requests as readable scripts (<c>scenarios/*.txt</c>) with the answers that were reviewed.</summary>
public sealed class ScenarioTests
{
    private static readonly string Folder = Path.Combine("tests", "unit", "StateMachine", "scenarios");

    public static TheoryData<string> Scenarios =>
        [.. Directory.GetFiles(Path.Combine(RepositoryFiles.Root, Folder), "*.txt").Select(static path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public void A_scenario_ends_as_reviewed(string file)
    {
        string text = File.ReadAllText(Path.Combine(RepositoryFiles.Root, Folder, file));
        string played = ScenarioRunner.Play(text);
        Assert.Equal(played, ScenarioRunner.Play(text));
        RepositoryFiles.MustBe(Path.Combine(Folder, file), played);
    }
}
