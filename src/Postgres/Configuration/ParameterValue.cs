using System.Globalization;

namespace Patroni.Raft.Postgres.Configuration;

/// <summary>Compares parameter values as PostgreSQL reads them: units, spellings of booleans (manual, "Parameter Names and Values").</summary>
internal static class ParameterValue
{
    private static readonly (string Unit, decimal Factor)[] Bytes =
        [("kB", 1024m), ("MB", 1048576m), ("GB", 1073741824m), ("TB", 1099511627776m), ("B", 1m)];
    private static readonly (string Unit, decimal Factor)[] Microseconds =
        [("us", 1m), ("ms", 1000m), ("min", 60000000m), ("s", 1000000m), ("h", 3600000000m), ("d", 86400000000m)];

    /// <summary>Whether a configured value means what pg_settings shows.</summary>
    /// <param name="type">pg_settings.vartype.</param>
    /// <param name="unit">pg_settings.unit, for example 8kB.</param>
    /// <param name="setting">pg_settings.setting, in that unit.</param>
    /// <param name="configured">As written by a user.</param>
    internal static bool Same(string type, string? unit, string setting, string configured)
    {
        switch (type)
        {
            case "bool":
                return ParseBool(setting) is { } a && ParseBool(configured) is { } b ? a == b : setting == configured;
            case "integer" or "real":
                return Number(setting, unit, unit) is { } x && Number(configured, unit, unit) is { } y ? x == y : setting == configured;
            case "enum":
                return string.Equals(setting, configured, StringComparison.OrdinalIgnoreCase);
            default:
                return setting == configured;
        }
    }

    /// <summary>PostgreSQL's spellings of a boolean, unique prefixes included; null when it is none.</summary>
    internal static bool? ParseBool(string text) => text.Trim().ToLowerInvariant() switch
    {
        "on" or "true" or "tru" or "tr" or "t" or "yes" or "ye" or "y" or "1" => true,
        "off" or "of" or "false" or "fals" or "fal" or "fa" or "f" or "no" or "n" or "0" => false,
        _ => null,
    };

    // In the smallest unit of its kind; a plain number is in the parameter's own unit.
    private static decimal? Number(string text, string? ownUnit, string? defaultUnit)
    {
        text = text.Trim();
        int end = 0;
        while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] is '.' or '-' or '+')) end++;
        if (!decimal.TryParse(text.AsSpan(0, end), NumberStyles.Float, CultureInfo.InvariantCulture, out decimal number)) return null;
        string unit = text[end..].Trim();
        if (unit.Length == 0) return number * (Factor(ownUnit) ?? 1);
        return defaultUnit is null ? null : number * Factor(unit);
    }

    private static decimal? Factor(string? unit)
    {
        if (unit is null) return 1;
        int digits = unit.TakeWhile(char.IsAsciiDigit).Count();
        decimal blocks = digits == 0 ? 1 : decimal.Parse(unit.AsSpan(0, digits), CultureInfo.InvariantCulture);
        foreach ((string name, decimal factor) in Bytes.Concat(Microseconds))
            if (unit.AsSpan(digits).SequenceEqual(name)) return blocks * factor;
        return null;
    }
}
