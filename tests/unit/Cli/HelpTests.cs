using Patroni.Raft.Cli;
using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>The help of patronictl's verbs, as a live patronictl printed it (Recorded/*.help.txt).</summary>
public sealed class HelpTests
{
    private const string Program = "patronictl.py";

    // What is ours beside the recorded lines.
    private static readonly Dictionary<string, string[]> Ours = new()
    {
        ["show-config"] = ["--effective", "--name"],
        ["demote-cluster"] = ["--timeout"],
        ["promote-cluster"] = ["--timeout"],
    };

    public static TheoryData<string> Verbs => [.. Directory.EnumerateFiles(Path.Combine(RepositoryFiles.Root, "tests/unit/Cli/Recorded"), "*.help.txt")
        .Select(f => Path.GetFileName(f).Replace(".help.txt", "", StringComparison.Ordinal)).Where(v => v != "patronictl").Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Of_a_verb(string verb)
    {
        var recorded = Recorded(verb);
        var shown = await HelpAsync([verb, "--help"]);
        if (!Ours.TryGetValue(verb, out var ours))
        {
            Assert.Equal(recorded, shown);
            return;
        }

        Assert.All(ours, o => Assert.Contains(o, shown));
        Assert.All(recorded.Split('\n'), line => Assert.Contains(Collapsed(line), Collapsed(shown)));
    }

    [Fact]
    public async Task Of_the_program_has_every_verb_of_patronictl_with_its_words()
    {
        var lines = await HelpAsync(["--help"]);
        Assert.All(Recorded("patronictl").Split('\n').Where(l => !l.Contains("--dcs-url")), line => Assert.Contains(Collapsed(line), Collapsed(lines)));
        Assert.DoesNotContain("witness", lines);
        Assert.Contains("witness", await HelpAsync(["--help"], "patroni-raft"));
        Assert.Contains("Usage: patroni-raft raft members [OPTIONS]", await HelpAsync(["raft", "members", "-h"], "patroni-raft"));
    }

    private static string Recorded(string verb) => File.ReadAllText(Path.Combine(RepositoryFiles.Root, $"tests/unit/Cli/Recorded/{verb}.help.txt"));

    private static string Collapsed(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static async Task<string> HelpAsync(string[] args, string program = Program)
    {
        using var output = new StringWriter();
        Assert.Equal(0, await CommandLine.RunAsync(args, new Terminal(TextReader.Null, output, TextWriter.Null, interactive: false), program));
        return output.ToString();
    }
}
