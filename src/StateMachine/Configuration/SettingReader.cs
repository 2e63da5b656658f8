using System.Globalization;
using System.Text.RegularExpressions;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// Reads scalars the way Patroni does (<c>parse_bool</c>, <c>parse_int</c> with units): quoted or not, 'on', 'yes',
/// '16MB', '1500ms'. Every method answers <c>null</c> for what it cannot read; none throws.
/// </summary>
public static partial class SettingReader
{
    /// <summary>on/off, true/false, yes/no, 1/0 in any case.</summary>
    public static bool? Boolean(SettingValue? value)
    {
        if (value is not SettingScalar scalar)
        {
            return null;
        }

        return scalar.Text.ToLowerInvariant() switch
        {
            "on" or "true" or "yes" or "1" => true,
            "off" or "false" or "no" or "0" => false,
            _ => null,
        };
    }

    /// <summary>A whole number (decimal, or 0x hexadecimal); fractions are refused instead of rounded.</summary>
    public static long? Integer(SettingValue? value)
    {
        if (value is not SettingScalar { Kind: not SettingScalarKind.Boolean } scalar)
        {
            return null;
        }

        var text = scalar.Text.Trim();
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            return long.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var hex) ? hex : null;
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? whole : null;
    }

    /// <summary>A number, whole or not.</summary>
    public static decimal? Number(SettingValue? value) =>
        value is SettingScalar { Kind: not SettingScalarKind.Boolean } scalar
        && decimal.TryParse(scalar.Text.Trim(), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
            CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    /// <summary>A duration in whole milliseconds; a bare number means seconds. Units: us, ms, s, min, h, d.</summary>
    public static long? Milliseconds(SettingValue? value) => WithUnit(value, static unit => unit switch
    {
        "us" => 0.001m,
        "ms" => 1m,
        "" or "s" => 1_000m,
        "min" => 60_000m,
        "h" => 3_600_000m,
        "d" => 86_400_000m,
        _ => null,
    });

    /// <summary>A size in bytes; a bare number means bytes. Units: B, kB, MB, GB, TB (powers of 1024).</summary>
    public static long? Bytes(SettingValue? value) => WithUnit(value, static unit => unit switch
    {
        "" or "B" => 1m,
        "kB" => 1024m,
        "MB" => 1024m * 1024,
        "GB" => 1024m * 1024 * 1024,
        "TB" => 1024m * 1024 * 1024 * 1024,
        _ => null,
    });

    /// <summary>The text of any scalar, exactly as written.</summary>
    public static string? Text(SettingValue? value) => (value as SettingScalar)?.Text;

    /// <summary>A list of texts; one scalar counts as a list of one, as Patroni treats it.</summary>
    public static IReadOnlyList<string>? Texts(SettingValue? value) => value switch
    {
        SettingScalar scalar => [scalar.Text],
        SettingList list when list.Items.All(i => i is SettingScalar) => [.. list.Items.Select(i => ((SettingScalar)i).Text)],
        _ => null,
    };

    /// <summary>Whether the text can stand as a number in JSON as it is.</summary>
    public static bool IsJsonNumber(string text) => JsonNumber().IsMatch(text);

    private static long? WithUnit(SettingValue? value, Func<string, decimal?> factorOf)
    {
        if (value is not SettingScalar { Kind: not SettingScalarKind.Boolean } scalar)
        {
            return null;
        }

        var match = NumberWithUnit().Match(scalar.Text);
        if (!match.Success
            || factorOf(match.Groups[2].Value) is not { } factor
            || !decimal.TryParse(match.Groups[1].Value, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
                CultureInfo.InvariantCulture, out var number))
        {
            return null;
        }

        // Out of long means nonsense for a duration or a size; the schema's range speaks about the rest.
        return number is > 1_000_000_000_000_000m or < -1_000_000_000_000_000m || number * factor is > long.MaxValue or < long.MinValue
            ? null
            : (long)decimal.Round(number * factor, MidpointRounding.AwayFromZero);
    }

    [GeneratedRegex(@"^\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?)\s*([A-Za-z]*)\s*$", RegexOptions.CultureInvariant)]
    private static partial Regex NumberWithUnit();

    [GeneratedRegex(@"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$", RegexOptions.CultureInvariant)]
    private static partial Regex JsonNumber();
}
