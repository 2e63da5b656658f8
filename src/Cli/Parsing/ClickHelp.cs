using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Text;

namespace Patroni.Raft.Cli.Parsing;

/// <summary>
/// <c>--help</c> in the layout of Click, the library behind patronictl: 78 columns, names of options up to column 30, the
/// description beside or below them. Documentation and completion scripts of others read this form.
/// </summary>
internal sealed class ClickHelp(string program) : SynchronousCommandLineAction
{
    private const int Width = 78;
    private const int FirstColumn = 30;
    private const int Gap = 2;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        parseResult.InvocationConfiguration.Output.Write(Render(parseResult.CommandResult.Command));
        return 0;
    }

    /// <summary>The words that call a command: program, verb, verb below it.</summary>
    public string Path(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? Path(parent) + " " + command.Name : program;

    /// <summary>The help text of a command.</summary>
    public string Render(Command command)
    {
        var text = new StringBuilder();
        var prefix = $"Usage: {Path(command)} ";
        var words = command.Arguments.Select(Metavar).Prepend("[OPTIONS]").Concat(command.Subcommands.Count > 0 ? ["COMMAND", "[ARGS]..."] : []);
        Append(text, prefix, new string(' ', prefix.Length), Wrap(string.Join(' ', words), Width - prefix.Length));
        Append(text.Append('\n'), "  ", "  ", Wrap(command.Description ?? "", Width - 2));

        var options = command.Options.Where(o => !o.Hidden && o is not HelpOption).Select(o => (Names(o), o.Description ?? ""))
            .Append(("--help", "Show this message and exit.")).ToList();
        Definitions(text.Append("\nOptions:\n"), options);
        var commands = command.Subcommands.Where(c => !c.Hidden).OrderBy(c => c.Name, StringComparer.Ordinal).ToList();
        if (commands.Count > 0)
        {
            var limit = Width - 6 - commands.Max(c => c.Name.Length);
            Definitions(text.Append("\nCommands:\n"), [.. commands.Select(c => (c.Name, Shortened(c.Description ?? "", limit)))]);
        }

        return text.ToString();
    }

    private static string Metavar(Argument argument)
    {
        var name = argument.HelpName ?? argument.Name;
        return (argument.Arity.MinimumNumberOfValues, argument.Arity.MaximumNumberOfValues) switch
        {
            _ when argument.HelpName is not null => name, // Already in this notation.
            (0, > 1) => $"[{name}]...",
            (0, _) => $"[{name}]",
            (_, > 1) => name + "...",
            _ => name,
        };
    }

    private static string Names(Option option)
    {
        var names = option.Aliases.Append(option.Name).Distinct().ToList();
        // Short before long ones; else in the order of their declaration, where the first is the option's name.
        var ordered = names.OrderBy(n => n.StartsWith("--", StringComparison.Ordinal) ? 1 : 0).ThenBy(n => n == option.Name ? 0 : 1);
        return string.Join(", ", ordered) + (option.Arity.MaximumNumberOfValues > 0 && option.ValueType != typeof(bool) ? " " + (option.HelpName ?? "TEXT") : "");
    }

    private static void Definitions(StringBuilder text, List<(string Name, string Description)> rows)
    {
        var first = Math.Min(rows.Max(r => r.Name.Length), FirstColumn) + Gap;
        var indent = new string(' ', first + 2);
        foreach (var (name, description) in rows)
        {
            var lines = Wrap(description, Math.Max(Width - first - 2, 10));
            if (lines.Count == 0)
            {
                text.Append("  ").Append(name).Append('\n');
                continue;
            }

            var beside = name.Length <= first - Gap;
            text.Append("  ").Append(beside ? name.PadRight(first) : name + "\n" + indent);
            Append(text, "", indent, lines);
        }
    }

    private static void Append(StringBuilder text, string first, string others, List<string> lines)
    {
        for (var i = 0; i < lines.Count; i++)
        {
            text.Append(i == 0 ? first : others).Append(lines[i]).Append('\n');
        }
    }

    private static List<string> Wrap(string text, int width)
    {
        var lines = new List<string>();
        var line = "";
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                lines.Add(line);
                line = "";
            }

            line += line.Length > 0 ? " " + word : word;
        }

        return line.Length > 0 ? [.. lines, line] : lines;
    }

    // The first sentence; words that do not fit are replaced by dots.
    private static string Shortened(string text, int limit)
    {
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var shown = "";
        for (var i = 0; i < words.Length; i++)
        {
            var longer = i == 0 ? words[i] : shown + " " + words[i];
            if (longer.Length > limit || (longer.Length == limit && i < words.Length - 1))
            {
                while (shown.Length + 3 > limit && shown.Contains(' '))
                {
                    shown = shown[..shown.LastIndexOf(' ')];
                }

                return shown + "...";
            }

            shown = longer;
            if (words[i].EndsWith('.'))
            {
                break;
            }
        }

        return shown;
    }
}
