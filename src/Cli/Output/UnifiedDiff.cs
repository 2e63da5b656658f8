namespace Patroni.Raft.Cli.Output;

/// <summary>A unified diff with three lines of context and empty file names, as Python's difflib writes it.</summary>
public static class UnifiedDiff
{
    private const int Context = 3;

    private enum Kind
    {
        Same,
        Removed,
        Added,
    }

    private readonly record struct Edit(Kind Kind, string Line, int Old, int New);

    /// <summary>The lines of the diff; none when the texts are equal.</summary>
    public static IEnumerable<string> Lines(string before, string after)
    {
        var edits = Edits(before.TrimEnd('\n').Split('\n'), after.TrimEnd('\n').Split('\n'));
        var changed = Enumerable.Range(0, edits.Count).Where(i => edits[i].Kind != Kind.Same).ToList();
        if (changed.Count == 0)
        {
            yield break;
        }

        yield return "--- ";
        yield return "+++ ";
        for (var i = 0; i < changed.Count;)
        {
            var first = i;
            while (i + 1 < changed.Count && changed[i + 1] - changed[i] <= 2 * Context)
            {
                i++;
            }

            var hunk = edits.GetRange(Math.Max(0, changed[first] - Context), Math.Min(edits.Count - 1, changed[i] + Context) - Math.Max(0, changed[first] - Context) + 1);
            i++;
            yield return $"@@ -{Range(hunk[0].Old, hunk.Count(e => e.Kind != Kind.Added))} +{Range(hunk[0].New, hunk.Count(e => e.Kind != Kind.Removed))} @@";
            foreach (var edit in hunk)
            {
                yield return edit.Kind switch { Kind.Removed => "-", Kind.Added => "+", _ => " " } + edit.Line;
            }
        }
    }

    /// <summary>The color of a line of a diff on a terminal.</summary>
    public static Paint ColorOf(string line) => line switch
    {
        ['-', '-', '-', ..] or ['+', '+', '+', ..] => Paint.Strong,
        ['-', ..] => Paint.Bad,
        ['+', ..] => Paint.Good,
        ['@', ..] => Paint.Place,
        _ => Paint.None,
    };

    // Line numbers start at 1; a single line has no length, an empty range names the line before it.
    private static string Range(int start, int length) => length switch
    {
        1 => $"{start + 1}",
        0 => $"{start},0",
        _ => $"{start + 1},{length}",
    };

    private static List<Edit> Edits(string[] a, string[] b)
    {
        var common = new int[a.Length + 1, b.Length + 1]; // Longest common subsequence of the tails.
        for (var i = a.Length - 1; i >= 0; i--)
        {
            for (var j = b.Length - 1; j >= 0; j--)
            {
                common[i, j] = a[i] == b[j] ? common[i + 1, j + 1] + 1 : Math.Max(common[i + 1, j], common[i, j + 1]);
            }
        }

        var edits = new List<Edit>();
        for (int i = 0, j = 0; i < a.Length || j < b.Length;)
        {
            if (i < a.Length && j < b.Length && a[i] == b[j])
            {
                edits.Add(new(Kind.Same, a[i], i++, j++));
            }
            else if (i < a.Length && (j == b.Length || common[i + 1, j] >= common[i, j + 1]))
            {
                edits.Add(new(Kind.Removed, a[i], i++, j));
            }
            else
            {
                edits.Add(new(Kind.Added, b[j], i, j++));
            }
        }

        return edits;
    }
}
