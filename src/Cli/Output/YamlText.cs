using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Output;

/// <summary>
/// YAML in the form of PyYAML's <c>safe_dump(width=200)</c>: keys sorted, lists not indented below their key, text quoted only
/// where YAML 1.1 would read something else. Scripts and diffs depend on this form.
/// </summary>
public static partial class YamlText
{
    private const int Width = 200;

    /// <summary>Block form; ends with a line break.</summary>
    public static string Block(SettingValue value)
    {
        var text = new StringBuilder();
        switch (value)
        {
            case SettingMap { Entries.Length: > 0 } map:
                Map(text, map, 0);
                break;
            case SettingList { Items.Length: > 0 } list:
                List(text, list, 0);
                break;
            default:
                text.Append(Flow(value)).Append('\n');
                if (value is SettingScalar)
                {
                    text.Append("...\n"); // PyYAML ends a document that is one open scalar.
                }

                break;
        }

        return text.ToString();
    }

    /// <summary>Flow form on one line: <c>{a: 1, b: [x]}</c>.</summary>
    public static string Flow(SettingValue value) => value switch
    {
        SettingMap map => "{" + string.Join(", ", Sorted(map).Select(e => $"{Scalar(e.Key, 0, true)}: {Flow(e.Value)}")) + "}",
        SettingList list => "[" + string.Join(", ", list.Items.Select(Flow)) + "]",
        SettingScalar { Kind: SettingScalarKind.Text } text => Scalar(text.Text, 0, true),
        SettingScalar scalar => scalar.Text,
        _ => "null",
    };

    private static IEnumerable<SettingEntry> Sorted(SettingMap map) => map.Entries.OrderBy(e => e.Key, StringComparer.Ordinal);

    private static void Map(StringBuilder text, SettingMap map, int indent, bool firstInline = false)
    {
        foreach (var entry in Sorted(map))
        {
            text.Append(' ', firstInline ? 0 : indent).Append(Scalar(entry.Key, indent, false)).Append(':');
            firstInline = false;
            switch (entry.Value)
            {
                case SettingMap { Entries.Length: > 0 } below:
                    Map(text.Append('\n'), below, indent + 2);
                    break;
                case SettingList { Items.Length: > 0 } list:
                    List(text.Append('\n'), list, indent);
                    break;
                default:
                    text.Append(' ').Append(Leaf(entry.Value, indent, entry.Key.Length + indent + 2)).Append('\n');
                    break;
            }
        }
    }

    private static void List(StringBuilder text, SettingList list, int indent)
    {
        foreach (var item in list.Items)
        {
            text.Append(' ', indent).Append("- ");
            switch (item)
            {
                case SettingMap { Entries.Length: > 0 } map:
                    Map(text, map, indent + 2, firstInline: true);
                    break;
                case SettingList { Items.Length: > 0 } below:
                    var inner = new StringBuilder();
                    List(inner, below, indent + 2);
                    text.Append(inner.ToString().AsSpan(indent + 2));
                    break;
                default:
                    text.Append(Leaf(item, indent, indent + 2)).Append('\n');
                    break;
            }
        }
    }

    private static string Leaf(SettingValue value, int indent, int column) =>
        value is SettingScalar { Kind: SettingScalarKind.Text } scalar ? Folded(scalar.Text, indent + 2, column) : Flow(value);

    private static string Folded(string value, int indent, int column)
    {
        var written = Scalar(value, indent, false);
        if (written[0] == '"' || column + written.Length <= Width)
        {
            return written;
        }

        // PyYAML breaks plain and single-quoted text at the first single blank beyond the width.
        var text = new StringBuilder();
        for (var i = 0; i < written.Length; i++)
        {
            var single = written[i] == ' ' && i > 0 && i < written.Length - 1 && written[i - 1] != ' ' && written[i + 1] != ' ';
            if (single && column > Width)
            {
                text.Append('\n').Append(' ', indent);
                column = indent;
            }
            else
            {
                text.Append(written[i]);
                column = written[i] == '\n' ? 0 : column + 1;
            }
        }

        return text.ToString();
    }

    private static string Scalar(string value, int indent, bool flow)
    {
        if (value.Length > 0 && !ReadsAsSomethingElse().IsMatch(value) && (flow ? PlainInFlow() : PlainInBlock()).IsMatch(value))
        {
            return value;
        }

        if (value.Any(c => c is (< ' ' and not '\n') or '\u007f' or '\u0085' or '\u2028' or '\u2029' or '\ufeff') || value.Contains(" \n", StringComparison.Ordinal) || value.StartsWith('\n') && flow)
        {
            return DoubleQuoted(value);
        }

        var quoted = value.Replace("'", "''", StringComparison.Ordinal);
        // In quotes one line break is written as an empty line, since a single one would fold into a blank.
        return "'" + quoted.Replace("\n", "\n\n" + new string(' ', indent), StringComparison.Ordinal) + "'";
    }

    private static string DoubleQuoted(string value)
    {
        var text = new StringBuilder("\"");
        foreach (var c in value)
        {
            text.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\t' => "\\t",
                '\r' => "\\r",
                '\u0085' => "\\N",
                '\u2028' => "\\L",
                '\u2029' => "\\P",
                < ' ' or '\u007f' => "\\x" + ((int)c).ToString("X2", CultureInfo.InvariantCulture),
                '\ufeff' => "\\uFEFF",
                _ => c.ToString(),
            });
        }

        return text.Append('"').ToString();
    }

    // What YAML 1.1 resolves to null, a boolean, a number, a timestamp, a merge key or a value key.
    [GeneratedRegex(@"^(?:~|null|Null|NULL|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF|<<|="
        + @"|[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)"
        + @"|[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        + @"|\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)$", RegexOptions.CultureInvariant)]
    private static partial Regex ReadsAsSomethingElse();

    // No indicator at the start, no ': ' or ' #' inside, no ':' at the end, no blanks at the ends, one line.
    [GeneratedRegex(@"^(?!---|\.\.\.)(?![-?:](?:\s|$))[^\s,\[\]{}#&*!|>'""%@`](?:(?!: | #|:$)[^\n\p{Cc}\ufeff\u2028\u2029])*(?<![ :])$", RegexOptions.CultureInvariant)]
    private static partial Regex PlainInBlock();

    [GeneratedRegex(@"^(?!---|\.\.\.)[^\s,\[\]{}#&*!|>'""%@`?:-](?:(?! #)[^\n\p{Cc}\ufeff\u2028\u2029,\[\]{}?:])*(?<! )$", RegexOptions.CultureInvariant)]
    private static partial Regex PlainInFlow();
}
