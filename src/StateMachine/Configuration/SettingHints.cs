using System.Globalization;

namespace Patroni.Raft.StateMachine;

/// <summary>The human side of validation: what was expected, and what a misspelt key probably meant.</summary>
public static class SettingHints
{
    /// <summary>"a whole number from 0 to 10", "a boolean (on/off, true/false, yes/no)" and so on.</summary>
    public static string Expected(SettingSchema schema) => schema.Type switch
    {
        SettingType.Boolean => "a boolean (true/false, on/off, yes/no)",
        SettingType.BooleanOrChoice => $"a boolean (true/false, on/off, yes/no) or {string.Join(", ", schema.Values)}",
        SettingType.Integer => "a whole number" + Range(schema, static n => n.ToString(CultureInfo.InvariantCulture)),
        SettingType.Duration => "a time in seconds, or with a unit (ms, s, min, h, d)" + Range(schema, static n => Seconds(n) + " s"),
        SettingType.Bytes => "a size in bytes, or with a unit (kB, MB, GB, TB)" + Range(schema, static n => n.ToString(CultureInfo.InvariantCulture)),
        SettingType.Choice => "one of " + string.Join(", ", schema.Values),
        SettingType.HostPort => "host:port",
        SettingType.Listen => "host:port (several hosts separated by commas)",
        SettingType.TextList => "a list of texts",
        SettingType.OptionList => "a list of options ('name' or 'name: value')",
        SettingType.List => "a list",
        SettingType.Map => "a map",
        SettingType.Scalar => "a single value",
        _ => "text",
    };

    /// <summary>Milliseconds as seconds without needless digits: 2500 is "2.5".</summary>
    public static string Seconds(long milliseconds) => (milliseconds / 1000m).ToString("0.###", CultureInfo.InvariantCulture);

    /// <summary>The sentence for an unknown key, with the nearest known one or the place where the key belongs.</summary>
    public static string Unknown(SettingSchema root, SettingSchema parent, string key)
    {
        // The very word at another place is a better guess than a similar one here: ttl is not a misspelt ctl.
        var elsewhere = root.Walk()
            .Where(s => string.Equals(s.Setting.Key, key, StringComparison.Ordinal))
            .Select(s => s.Path).FirstOrDefault();
        if (elsewhere is not null)
        {
            return $"is not a known key here; did you mean '{elsewhere}'?";
        }

        return Nearest(key, parent.Children.Select(c => c.Key)) is { } near
            ? $"is not a known key; did you mean '{near}'?"
            : "is not a known key";
    }

    /// <summary>The known word that a misspelt one probably meant; <c>null</c> when none is near enough.</summary>
    public static string? Nearest(string word, IEnumerable<string> known) => known
        .Select(k => (Key: k, Distance: Distance(k, word)))
        .Where(c => c.Distance <= Math.Max(1, Math.Min(3, word.Length / 3)))
        .OrderBy(c => c.Distance).ThenBy(c => c.Key, StringComparer.Ordinal)
        .Select(c => c.Key).FirstOrDefault();

    private static string Range(SettingSchema schema, Func<long, string> show) => (schema.Min, schema.Max) switch
    {
        ({ } min, { } max) => $" from {show(min)} to {show(max)}",
        ({ } min, null) => $" of at least {show(min)}",
        (null, { } max) => $" of at most {show(max)}",
        _ => "",
    };

    /// <summary>Edit distance with neighbouring letters swapped as one edit (optimal string alignment).</summary>
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            d[i, 0] = i;
        }

        for (var j = 0; j <= b.Length; j++)
        {
            d[0, j] = j;
        }

        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                d[i, j] = Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
                }
            }
        }

        return d[a.Length, b.Length];
    }
}
