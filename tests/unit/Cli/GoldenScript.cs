using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Patroni.Raft.Cli;
using Patroni.Raft.Cli.Parsing;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>
/// A text file with command lines and everything they print. What drives stays as it stands, what is printed is produced:
/// <code>
/// # A comment.
/// state NAME                                   the cluster of Golden/states/NAME.json from here on
/// answer METHOD /path STATUS TEXT              what the API answers from here on
/// file NAME                                    a file in $DIR with the lines below that begin with |
/// env NAME VALUE                               a variable of the environment
/// colors on
/// $ patronictl list -e                         a command
/// &lt; text                                       a line of its input
/// ...                                          produced: its output, then its errors, each behind "! "
/// => 0                                         produced: its exit code
/// > POST /path {...}                           produced: what it changed
/// </code>
/// </summary>
internal sealed partial class GoldenScript(FakeApi api, string directory)
{
    private readonly StringBuilder _result = new();
    private bool _colors;

    /// <summary>Runs a script and returns it with its produced lines made new.</summary>
    public async Task<string> RunAsync(string script)
    {
        var lines = script.TrimEnd('\n').Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            if (lines[i].StartsWith("$ ", StringComparison.Ordinal))
            {
                i = await CommandAsync(lines, i);
                continue;
            }

            _result.Append(lines[i]).Append('\n');
            i = await DirectiveAsync(lines, i);
        }

        return _result.ToString();
    }

    private async Task<int> DirectiveAsync(string[] lines, int at)
    {
        var words = lines[at].Split(' ', 5);
        switch (words[0])
        {
            case "state":
                api.Answers["GET /cluster"] = (200, await File.ReadAllTextAsync(Path.Combine(RepositoryFiles.Root, "tests/unit/Cli/Golden/states", words[1] + ".json")));
                break;
            case "answer":
                api.Answers[$"{words[1]} {words[2]}"] = (int.Parse(words[3], CultureInfo.InvariantCulture), words.ElementAtOrDefault(4) ?? "");
                break;
            case "env":
                Environment.SetEnvironmentVariable(words[1], words.Length > 2 ? string.Join(' ', words[2..]).Replace("$DIR", directory) : null);
                break;
            case "colors":
                _colors = words[1] == "on";
                break;
            case "file":
                var text = new StringBuilder();
                for (; at + 1 < lines.Length && lines[at + 1].StartsWith('|'); at++)
                {
                    text.Append(lines[at + 1].Length > 2 ? lines[at + 1][2..] : "").Append('\n');
                    _result.Append(lines[at + 1]).Append('\n');
                }

                var file = Path.Combine(directory, words[1]);
                await File.WriteAllTextAsync(file, text.ToString());
                File.SetUnixFileMode(file, (UnixFileMode)0b111_101_101);
                break;
            case "" or "#":
                break;
            default:
                throw new InvalidDataException($"'{lines[at]}' is no line of a script");
        }

        return at;
    }

    private async Task<int> CommandAsync(string[] lines, int at)
    {
        _result.Append(lines[at]).Append('\n');
        var words = CommandLineParser.SplitCommandLine(lines[at][2..].Replace("$DIR", directory)).ToList();
        var input = new StringBuilder();
        while (at + 1 < lines.Length && lines[at + 1].StartsWith('<'))
        {
            at++;
            _result.Append(lines[at]).Append('\n');
            input.Append(lines[at].Length > 2 ? lines[at][2..] : "").Append('\n');
        }

        api.Requests.Clear();
        using var output = new StringWriter();
        using var error = new StringWriter();
        var address = words.Contains("-d") || words.Contains("--help") || words.ElementAtOrDefault(1) is null or "query" ? [] : new[] { "-d", api.Url };
        var terminal = new Terminal(new StringReader(input.ToString()), output, error, interactive: false, _colors);
        var code = await CommandLine.RunAsync([.. words[1..], .. address], terminal, ProgramName.Of(words[0]));
        Append(output.ToString(), "");
        Append(error.ToString(), "! ");
        _result.Append(CultureInfo.InvariantCulture, $"=> {code}\n");
        foreach (var request in api.Requests)
        {
            _result.Append("> ").Append(Stable(request)).Append('\n');
        }

        return EndOfProduced(lines, at);
    }

    // What was produced the last time ends with its exit code and requests; a new command has nothing behind it yet.
    private static int EndOfProduced(string[] lines, int at)
    {
        var code = Array.FindIndex(lines, at + 1, l => l.StartsWith("=> ", StringComparison.Ordinal) || l.StartsWith("$ ", StringComparison.Ordinal));
        if (code < 0 || lines[code].StartsWith("$ ", StringComparison.Ordinal))
        {
            return at;
        }

        while (code + 1 < lines.Length && lines[code + 1].StartsWith("> ", StringComparison.Ordinal))
        {
            code++;
        }

        return code;
    }

    private void Append(string text, string prefix)
    {
        if (text.Length == 0)
        {
            return;
        }

        foreach (var line in (text.EndsWith('\n') ? text[..^1] : text + "(no line break)").Split('\n'))
        {
            _result.Append(prefix).Append(Stable(line).TrimEnd('\r')).Append('\n');
        }
    }

    // Moments, ports and directories are other ones in every run.
    private string Stable(string text)
    {
        text = text.Replace(api.Url, "http://api", StringComparison.Ordinal).Replace(api.Url["http://".Length..], "api", StringComparison.Ordinal)
            .Replace(directory, "$DIR", StringComparison.Ordinal).Replace("\u001b", "\\e", StringComparison.Ordinal);
        text = KeptText().Replace(text, "/tmp/patroni-raft-XXXXXX/");
        return Moment().Replace(text, match =>
            DateTime.TryParse(match.Value, CultureInfo.InvariantCulture, DateTimeStyles.None, out var at) && Math.Abs((at - DateTime.Now).TotalHours) < 2
                ? match.Value.Contains('T') ? "(in an hour)" : match.Value.Contains('.') ? "(now, 5 digits)" : "(now)" : match.Value);
    }

    [GeneratedRegex(@"\d{4}-\d\d-\d\d(T\d\d:\d\d(?![\d:])| \d\d:\d\d:\d\d(\.\d{5}(?!\d))?)", RegexOptions.CultureInvariant)]
    private static partial Regex Moment();

    [GeneratedRegex(@"/[^ ]*patroni-raft-[A-Za-z0-9]{6}/", RegexOptions.CultureInvariant)]
    private static partial Regex KeptText();
}
