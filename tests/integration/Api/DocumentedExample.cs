using System.Text.RegularExpressions;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>An example of docs/rest-api.md: a curl command and what it printed. Port 8008 is the primary's, 8009 a replica's.</summary>
/// <param name="Command">The line after the prompt.</param>
/// <param name="ToReplica">Whom it asks.</param>
/// <param name="Method">HTTP method.</param>
/// <param name="Path">Path with its query.</param>
/// <param name="Body">The body; null for none.</param>
/// <param name="Lines">Only so many lines are shown; null for all.</param>
/// <param name="StatusShown">Whether the command prints the status code after the answer.</param>
/// <param name="WithToken">Whether it proves the cluster's secret.</param>
/// <param name="Output">What was printed.</param>
internal sealed partial record DocumentedExample(string Command, bool ToReplica, string Method, string Path, string? Body, int? Lines, bool StatusShown, bool WithToken, string Output)
{
    /// <summary>The examples in the order of the page; every later one finds what the earlier ones left.</summary>
    public static IReadOnlyList<DocumentedExample> All { get; } =
        [.. Block().Matches(Repository.Read("docs/rest-api.md")).SelectMany(static block => Prompt().Split(block.Groups[1].Value).Skip(1)).Select(Read)];

    private static DocumentedExample Read(string text)
    {
        string[] parts = text.Split('\n', 2);
        Match match = Curl().Match(parts[0]);
        if (!match.Success) throw new InvalidDataException($"docs/rest-api.md: this example cannot be tried: {parts[0]}");
        string? Group(string name) => match.Groups[name].Success ? match.Groups[name].Value : null;
        return new(parts[0], match.Groups["port"].Value == "8009", match.Groups["head"].Success ? "HEAD" : Group("method") ?? "GET", match.Groups["path"].Value, Group("body"),
            Group("lines") is { } lines ? int.Parse(lines) : null, match.Groups["status"].Success, match.Groups["token"].Success, parts.ElementAtOrDefault(1)?.TrimEnd('\n') ?? "");
    }

    [GeneratedRegex(@"^```console\n(.*?)^```$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Block();

    [GeneratedRegex(@"^\$ ", RegexOptions.Multiline)]
    private static partial Regex Prompt();

    [GeneratedRegex("""^curl -s(?<head>I)?(?: -X ?(?<method>[A-Z]+))?(?<token> -H "Authorization: Bearer \$TOKEN")?(?<status> -w ' \[%\{http_code\}\]\\n')?(?: -d '(?<body>[^']*)')? '?http://localhost:(?<port>800[89])(?<path>/[^' ]*)'?(?: \| head -n (?<lines>\d+))?$""")]
    private static partial Regex Curl();
}
