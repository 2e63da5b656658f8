using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Patroni.Raft.Cli.Parsing;

/// <summary>Options with values of a kind, refused in the words that patronictl's users know.</summary>
internal static class Values
{
    /// <summary>Accepts only these values; shown in the help and offered by completion.</summary>
    public static Option<T> OneOf<T>(this Option<T> option, params string[] values)
    {
        option.HelpName = $"[{string.Join('|', values)}]";
        option.CompletionSources.Add(values);
        option.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(t => !values.Contains(t.Value)) is { } wrong)
            {
                result.AddError($"{Invalid(option)}: '{wrong.Value}' is not one of {string.Join(", ", values.Select(v => $"'{v}'"))}.");
            }
        });
        return option;
    }

    /// <summary>An option with a whole number.</summary>
    public static Option<int?> Integer(string name, string description)
    {
        var option = new Option<int?>(name) { Description = description, HelpName = "INTEGER" };
        option.CustomParser = result => int.TryParse(result.Tokens[0].Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number : Refuse<int?>(result, $"{Invalid(option)}: '{result.Tokens[0].Value}' is not a valid integer.");
        return option;
    }

    /// <summary>An option with seconds, above 0 and at most a day.</summary>
    public static Option<double?> Seconds(string description, string name, params string[] aliases)
    {
        var option = new Option<double?>(name, aliases) { Description = description, HelpName = "FLOAT" };
        option.CustomParser = result => double.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            ? number is > 0 and <= 86_400 ? number : Refuse<double?>(result, $"{Invalid(option)}: {result.Tokens[0].Value} is not above 0 and at most 86400 seconds.")
            : Refuse<double?>(result, $"{Invalid(option)}: '{result.Tokens[0].Value}' is not a valid float.");
        return option;
    }

    private static T? Refuse<T>(ArgumentResult result, string sentence)
    {
        result.AddError(sentence);
        return default;
    }

    private static string Invalid(Option option) =>
        $"Invalid value for {string.Join(" / ", option.Aliases.Append(option.Name).OrderBy(n => n.Length).Select(n => $"'{n}'"))}";
}
