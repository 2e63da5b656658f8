using System.Text;
using System.Text.RegularExpressions;

namespace Patroni.Raft.IntegrationTests.CommandLine;

/// <summary>A command of a document with the output that the document shows below it.</summary>
/// <param name="Line">Line of the document, from 1.</param>
/// <param name="Command">What a human types.</param>
/// <param name="Output">What the document shows; empty when it shows nothing. A line of three dots stands for any lines.</param>
internal sealed record RunbookStep(int Line, string Command, IReadOnlyList<string> Output);

/// <summary>The commands in the <c>console</c> blocks of a Markdown document: "$ " begins a command, "&gt; " goes on with it, the rest is output.</summary>
internal static partial class Runbook
{
    public static IReadOnlyList<RunbookStep> Read(string document)
    {
        var steps = new List<RunbookStep>();
        bool inside = false;
        string[] lines = document.ReplaceLineEndings("\n").Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].StartsWith("```", StringComparison.Ordinal)) inside = !inside && lines[i] == "```console";
            else if (inside && lines[i].StartsWith("$ ", StringComparison.Ordinal)) steps.Add(new(i + 1, lines[i][2..], []));
            else if (inside && lines[i].StartsWith("> ", StringComparison.Ordinal)) steps[^1] = steps[^1] with { Command = $"{steps[^1].Command}\n{lines[i][2..]}" };
            else if (inside) steps[^1] = steps[^1] with { Output = [.. steps[^1].Output, lines[i]] };
        }
        return steps;
    }

    /// <summary>The first line in which an output differs from what a document shows, or null. Numbers that no two runs share do not count.</summary>
    public static string? Difference(IReadOnlyList<string> shown, string output)
    {
        string[] real = [.. output.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n').Select(Normal)];
        int at = 0;
        for (int i = 0; i < shown.Count; i++)
        {
            if (shown[i].Trim() == "...")
            {
                if (i == shown.Count - 1) return null;
                string next = Normal(shown[i + 1]);
                int found = Array.FindIndex(real, at, line => line == next);
                if (found < 0) return $"after '...' nothing reads: {next}";
                at = found;
                continue;
            }
            string line = at < real.Length ? real[at] : "(nothing)";
            if (line != Normal(shown[i])) return $"shown: {Normal(shown[i])}\n  real: {line}";
            at++;
        }
        return at < real.Length && real[at].Length > 0 ? $"there is more: {real[at]}" : null;
    }

    /// <summary>A line without what differs between two runs of the same commands: positions, times, ids, ports, timelines, and the widths that follow from them.</summary>
    private static string Normal(string line)
    {
        string text = SystemIdentifier().Replace(line, "ID");
        text = Timestamp().Replace(text, "TIME");
        text = Clock().Replace(text, "TIME");
        text = Duration().Replace(text, "DURATION");
        text = Position().Replace(text, "LSN");
        text = Port().Replace(text, "HOST:PORT");
        text = Numbered().Replace(text, "$1 N");
        text = Cell().Replace(text, "| N ");
        text = Percent().Replace(text, "N%");
        text = Dashes().Replace(text, "-");
        text = Blanks().Replace(text, " ").TrimEnd();
        // A replica connects anew for seconds after its primary was restarted, and reports it a moment later: both are what the page shows.
        return text.Replace("| Replica | running |", "| Replica | streaming |", StringComparison.Ordinal);
    }

    /// <summary>The document with real outputs in place of those it shows; outputs with dots, and commands without output, stay as they are.</summary>
    public static string Rewrite(string document, IReadOnlyDictionary<int, string> outputs)
    {
        var text = new StringBuilder();
        string[] lines = document.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        var steps = Read(document).ToDictionary(static step => step.Line);
        for (int i = 0; i < lines.Length; i++)
        {
            text.Append(lines[i]).Append('\n');
            if (!steps.TryGetValue(i + 1, out RunbookStep? step)) continue;
            for (int more = step.Command.Count(static c => c == '\n'); more > 0; more--) text.Append(lines[++i]).Append('\n');
            if (step.Output.Count == 0 || step.Output.Any(static line => line.Trim() == "...") || !outputs.TryGetValue(step.Line, out string? real)) continue;
            text.Append(real.TrimEnd('\n')).Append('\n');
            i += step.Output.Count;
        }
        return text.ToString();
    }

    [GeneratedRegex(@"\b\d{19}\b")]
    private static partial Regex SystemIdentifier();

    [GeneratedRegex(@"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?[+-]\d\d:\d\d)?")]
    private static partial Regex Timestamp();

    [GeneratedRegex(@"\b\d\d:\d\d:\d\d\.\d+")]
    private static partial Regex Clock();

    [GeneratedRegex(@"[+-]?[\d,]+\.\d+ s\b")]
    private static partial Regex Duration();

    [GeneratedRegex(@"\b[0-9A-F]{1,8}/[0-9A-F]{1,8}\b")]
    private static partial Regex Position();

    [GeneratedRegex(@"127\.0\.0\.1:\d+")]
    private static partial Regex Port();

    [GeneratedRegex(@"\b(timeline|epoch|vacancy|version|term) \d+(\.\d+)?")]
    private static partial Regex Numbered();

    [GeneratedRegex(@"\| +\d+ (?=\|)")]
    private static partial Regex Cell();

    [GeneratedRegex(@"\d+ ?%")]
    private static partial Regex Percent();

    [GeneratedRegex(@"-{2,}")]
    private static partial Regex Dashes();

    [GeneratedRegex(@" {2,}")]
    private static partial Regex Blanks();
}
