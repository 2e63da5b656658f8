using System.Text;

namespace Patroni.Raft.Cli.Output;

/// <summary>How the values of a column are placed.</summary>
public enum Align
{
    /// <summary>At the left.</summary>
    Left,

    /// <summary>At the right.</summary>
    Right,
}

/// <summary>
/// The frame that patronictl draws: a title written into the first line, lines between rows only when a value has several lines.
/// </summary>
public static class PrettyTable
{
    /// <summary>Draws a table; ends without a line break.</summary>
    /// <param name="title">Written into the first line; empty for none.</param>
    /// <param name="columns">Names and places.</param>
    /// <param name="rows">One value for each column.</param>
    /// <param name="paint">Colors of a value by row and column; <c>null</c> for plain text.</param>
    public static string Draw(string title, IReadOnlyList<(string Name, Align Align)> columns, IReadOnlyList<IReadOnlyList<string>> rows, Func<int, int, Paint>? paint = null)
    {
        var widths = columns.Select((c, i) => rows.Select(r => Lines(r[i]).Max(l => l.Length)).Append(c.Name.Length).Max()).ToArray();
        var rule = "+" + string.Concat(widths.Select(w => new string('-', w + 2) + "+"));
        var between = rows.Any(r => r.Any(c => c.Contains('\n')));
        var text = new StringBuilder();
        text.Append(WithTitle(rule, title)).Append('\n');
        Append(text, columns, widths, [.. columns.Select(c => c.Name)]);
        text.Append(rule).Append('\n');
        for (var i = 0; i < rows.Count; i++)
        {
            var row = i;
            Append(text, columns, widths, rows[i], paint is null ? null : column => paint(row, column));
            if (between && i < rows.Count - 1)
            {
                text.Append(rule).Append('\n');
            }
        }

        return text.Append(rule).ToString();
    }

    private static void Append(StringBuilder text, IReadOnlyList<(string Name, Align Align)> columns, int[] widths, IReadOnlyList<string> row, Func<int, Paint>? paint = null)
    {
        var cells = row.Select(Lines).ToArray();
        for (var line = 0; line < cells.Max(c => c.Length); line++)
        {
            for (var i = 0; i < cells.Length; i++)
            {
                var value = line < cells[i].Length ? cells[i][line] : "";
                var placed = columns[i].Align == Align.Right ? value.PadLeft(widths[i]) : value.PadRight(widths[i]);
                text.Append("| ").Append(paint is null ? placed : paint(i).On(placed)).Append(' ');
            }

            text.Append("|\n");
        }
    }

    private static string WithTitle(string rule, string title)
    {
        var shown = title.Length > rule.Length - 2 ? title[..(rule.Length - 2)] : title;
        return rule[0] + shown + rule[(1 + shown.Length)..];
    }

    private static string[] Lines(string value) => value.Split('\n');
}
