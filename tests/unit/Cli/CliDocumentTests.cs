using System.CommandLine;
using System.CommandLine.Help;
using System.Text;
using System.Text.RegularExpressions;
using Patroni.Raft.Cli;
using Patroni.Raft.Cli.Parsing;
using Xunit;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary><c>docs/cli.md</c> describes every verb with the options that are registered, and no other.</summary>
public sealed partial class CliDocumentTests
{
    private static readonly string Document = Path.Combine("docs", "cli.md");

    private static Dictionary<string, Command> Verbs()
    {
        var root = CommandLine.Build(new Terminal(TextReader.Null, TextWriter.Null, TextWriter.Null, interactive: false), ProgramName.Product);
        var verbs = new Dictionary<string, Command>();
        foreach (var command in root.Subcommands.Where(static c => !c.Hidden))
        {
            // The shells of 'completion' have no options of their own.
            if (command.Subcommands.Count == 0 || command.Name == "completion") verbs.Add(command.Name, command);
            else foreach (var below in command.Subcommands.Where(static c => !c.Hidden)) verbs.Add($"{command.Name} {below.Name}", below);
        }
        verbs.Add("patroni-raft", root);
        return verbs;
    }

    [Fact]
    public void Every_verb_has_a_section_and_every_section_a_verb() => Assert.Equal(
        Verbs().Keys.Order(StringComparer.Ordinal),
        Heading().Matches(Text()).Select(static m => m.Groups[1].Value).Order(StringComparer.Ordinal));

    [Fact]
    public void Every_section_lists_the_arguments_and_options_that_are_registered()
    {
        var verbs = Verbs();
        string text = Section().Replace(Text(), section => verbs.TryGetValue(section.Groups["verb"].Value, out var command)
            ? section.Groups["before"].Value + Table(command) + section.Groups["after"].Value
            : section.Value);
        RepositoryFiles.MustBe(Document, text);
    }

    [Fact]
    public void Every_section_shows_real_output() => Assert.All(
        Text().Split("\n## ")[1..].Where(static section => section.StartsWith('`')),
        static section => Assert.Contains("```", section));

    private static string Text() => File.ReadAllText(Path.Combine(RepositoryFiles.Root, Document));

    private static string Table(Command command)
    {
        var text = new StringBuilder();
        foreach (var argument in command.Arguments) Row(text, argument.HelpName ?? argument.Name, argument.Description);
        foreach (var option in command.Options.Where(static o => !o.Hidden && o is not HelpOption))
        {
            string names = string.Join(", ", option.Aliases.Append(option.Name).Distinct().OrderBy(static n => n.Length).Select(static n => $"`{n}`"));
            string value = option.Arity.MaximumNumberOfValues > 0 && option.ValueType != typeof(bool) ? $" {option.HelpName ?? "TEXT"}" : "";
            Row(text, names + value, option.Description);
        }
        return text.Length == 0 ? "" : $"| argument or option | |\n|---|---|\n{text}";
    }

    private static void Row(StringBuilder text, string name, string? description) =>
        text.Append($"| {name.Replace("|", "\\|", StringComparison.Ordinal)} | {description?.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal)} |\n");

    [GeneratedRegex("^## `([^`]+)`$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"(?<before>^## `(?<verb>[^`]+)`\n.*?^<!-- options -->\n).*?(?<after>^<!-- end -->$)", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Section();
}
