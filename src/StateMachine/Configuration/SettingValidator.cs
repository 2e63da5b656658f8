using System.Globalization;

namespace Patroni.Raft.StateMachine;

/// <summary>Checks a tree against a schema and collects every problem, each with its path and line.</summary>
public sealed class SettingValidator(SettingSchema root, SettingPlaces place, ICollection<ConfigurationProblem> problems)
{
    /// <summary>Checks a whole document.</summary>
    public void Validate(SettingMap document) => Map(root, document, "", place);

    private void Check(SettingSchema schema, SettingValue value, string path, SettingPlaces place)
    {
        if (value is SettingNull)
        {
            return; // An empty key counts as absent, as in Patroni; required keys are checked by their map.
        }

        switch (schema.Type)
        {
            case SettingType.Any:
                break;
            case SettingType.Map when value is SettingMap map:
                Map(schema, map, path, schema.PlacesBelow ?? place);
                break;
            case SettingType.Map when schema.ScalarToo && value is SettingScalar:
                break;
            case SettingType.List when value is SettingList list:
                for (var i = 0; i < list.Items.Length; i++)
                {
                    Check(schema.Item!, list.Items[i], $"{path}[{i}]", place);
                }

                break;
            case SettingType.TextList when SettingReader.Texts(value) is not null:
                break;
            case SettingType.OptionList when IsOptionList(value):
                break;
            default:
                Scalar(schema, value, path);
                break;
        }
    }

    private void Map(SettingSchema schema, SettingMap map, string path, SettingPlaces place)
    {
        foreach (var entry in map.Entries)
        {
            var at = path.Length == 0 ? entry.Key : path + "." + entry.Key;
            var child = schema.Child(entry.Key, entry.Value);
            if (child is null)
            {
                problems.Add(new(at, SettingHints.Unknown(root, schema, entry.Key), ConfigurationProblemKind.UnknownKey, entry.KeyLine, map.Source ?? entry.Value.Source));
            }
            else if ((child.Places & place) == 0)
            {
                var where = place == SettingPlaces.Dynamic ? "is a setting of each node's own file, not of the dynamic configuration" : "may stand only in the dynamic configuration (bootstrap.dcs)";
                problems.Add(new(at, where, ConfigurationProblemKind.NotAllowedHere, entry.KeyLine, entry.Value.Source));
            }
            else
            {
                Check(child, entry.Value, at, place);
            }
        }

        foreach (var child in schema.Children)
        {
            if (child.Required && (child.Places & place) != 0 && map[child.Key] is null)
            {
                problems.Add(new(path.Length == 0 ? child.Key : path + "." + child.Key, $"is missing: {child.Description}",
                    ConfigurationProblemKind.Missing, map.Line, map.Source));
            }
        }
    }

    private void Scalar(SettingSchema schema, SettingValue value, string path)
    {
        (bool readable, long? number) = schema.Type switch
        {
            SettingType.Boolean => (SettingReader.Boolean(value) is not null, null),
            SettingType.Integer => Readable(SettingReader.Integer(value)),
            SettingType.Duration => Readable(SettingReader.Milliseconds(value)),
            SettingType.Bytes => Readable(SettingReader.Bytes(value)),
            SettingType.BooleanOrChoice => (SettingReader.Boolean(value) is not null || IsChoice(schema, value), null),
            SettingType.Choice => (IsChoice(schema, value), null),
            SettingType.HostPort => (Endpoint.TryParse(SettingReader.Text(value), out var host, out var port) && port is not null && !host.Contains(','), null),
            SettingType.Listen => (Endpoint.TryParse(SettingReader.Text(value), out _, out _), null),
            SettingType.Text or SettingType.Secret => (value is SettingScalar { Kind: not SettingScalarKind.Boolean }, null),
            SettingType.Scalar => (value is SettingScalar, null),
            _ => (false, (long?)null),
        };
        if (!readable)
        {
            var seen = schema.Type == SettingType.Secret && value is SettingScalar ? "an unquoted boolean" : value.Describe();
            var hint = schema.Type is SettingType.Text or SettingType.Secret && value is SettingScalar ? "; put it in quotes" : "";
            problems.Add(new(path, $"must be {SettingHints.Expected(schema)}, not {seen}{hint}", ConfigurationProblemKind.WrongType, value.Line, value.Source));
        }
        else if (number < schema.Min || number > schema.Max)
        {
            problems.Add(new(path, $"must be {SettingHints.Expected(schema)}, not {SettingReader.Text(value)}", ConfigurationProblemKind.OutOfRange, value.Line, value.Source));
        }
    }

    private static (bool Readable, long? Number) Readable(long? number) => (number is not null, number);

    private static bool IsChoice(SettingSchema schema, SettingValue value) =>
        SettingReader.Text(value) is { } text && schema.Values.Contains(text, StringComparer.OrdinalIgnoreCase);

    private static bool IsOptionList(SettingValue value) => value switch
    {
        SettingMap map => map.Entries.All(e => e.Value is SettingScalar or SettingNull),
        SettingList list => list.Items.All(i => i is SettingScalar or SettingMap { Entries.Length: 1 } && IsOption(i)),
        _ => false,
    };

    private static bool IsOption(SettingValue item) =>
        item is not SettingMap map || map.Entries[0].Value is SettingScalar or SettingNull;
}
