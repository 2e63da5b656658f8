using System.Globalization;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.UnitTests.Configuration;

/// <summary>Right and wrong JSON values for every type of setting, made from the schema.</summary>
internal static class SchemaSamples
{
    public static string Right(SettingSchema s) => s.Type switch
    {
        SettingType.Boolean => "\"on\"",
        SettingType.BooleanOrChoice or SettingType.Choice => $"\"{s.Values[0]}\"",
        SettingType.Integer => (s.Max ?? s.Min ?? 1).ToString(CultureInfo.InvariantCulture),
        SettingType.Duration => $"\"{(s.Min ?? s.Max ?? 1000).ToString(CultureInfo.InvariantCulture)}ms\"",
        SettingType.Bytes => (s.Min ?? s.Max ?? 1).ToString(CultureInfo.InvariantCulture),
        SettingType.Text when s.Key == "wal_keep_size" => "\"16MB\"",
        SettingType.Text or SettingType.Secret or SettingType.Scalar or SettingType.Any => "\"text\"",
        SettingType.HostPort => "\"[::1]:65000\"",
        SettingType.Listen => "\"a,b:65000\"",
        SettingType.TextList => "[\"text\"]",
        SettingType.OptionList => "[\"a\", {\"b\": \"c\"}]",
        SettingType.List => "[]",
        SettingType.Map => "{}",
        _ => throw new InvalidOperationException($"no sample for {s.Type}"),
    };

    public static IEnumerable<string> Wrong(SettingSchema s)
    {
        switch (s.Type)
        {
            case SettingType.Any:
                yield break;
            case SettingType.Map:
                yield return "[1]";
                yield return "\"text\"";
                yield break;
            case SettingType.List:
                yield return "[1]";
                yield return "{}";
                yield break;
            case SettingType.TextList or SettingType.OptionList:
                yield return "[{\"a\": 1, \"b\": 2}]";
                yield return s.Type == SettingType.TextList ? "{}" : "\"text\"";
                yield break;
        }

        yield return "{\"a\": 1}";
        yield return "[1]";
        if (s.Type is SettingType.Boolean or SettingType.BooleanOrChoice or SettingType.Choice or SettingType.Integer or SettingType.Duration or SettingType.Bytes)
        {
            yield return "\"nonsense\"";
        }

        if (s.Type is SettingType.Integer or SettingType.Duration or SettingType.Bytes or SettingType.Text or SettingType.Secret)
        {
            yield return "true";
        }

        if (s.Type is SettingType.HostPort)
        {
            yield return "\"host\"";
            yield return "\"host:0\"";
            yield return "\"host:70000\"";
        }

        if (s is { Type: SettingType.Integer or SettingType.Duration or SettingType.Bytes, Min: { } min } && min > long.MinValue + 1)
        {
            yield return s.Type == SettingType.Duration ? $"\"{min - 1}ms\"" : (min - 1).ToString(CultureInfo.InvariantCulture);
        }

        if (s is { Type: SettingType.Integer or SettingType.Duration or SettingType.Bytes, Max: { } max })
        {
            yield return s.Type == SettingType.Duration ? $"\"{max + 1}ms\"" : (max + 1).ToString(CultureInfo.InvariantCulture);
        }
    }

    /// <summary>A document with one value at a path of <see cref="SettingSchema.Walk"/> (<c>*</c> is a user's key, <c>[]</c> a list's item).</summary>
    public static string At(string path, string value)
    {
        var parts = path.Split('.');
        for (var i = parts.Length - 1; i >= 0; i--)
        {
            var key = parts[i].Replace("[]", "");
            value = parts[i].EndsWith("[]", StringComparison.Ordinal) ? $"[{value}]" : value;
            // A section named by the user is recognised by its command.
            var command = key == "*" && !value.Contains("\"command\"") && i + 1 < parts.Length && !path.Contains("slots") ? "\"command\": \"x\", " : "";
            value = command.Length > 0 ? value.Insert(1, command) : value;
            key = key == "*" ? "mine" : key;
            value = $"{{\"{key}\": {value}}}";
        }

        return value;
    }
}
