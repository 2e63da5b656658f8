using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Patroni.Raft.StateMachine;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>
/// YAML to <see cref="SettingValue"/> with line numbers. Plain scalars resolve as PyYAML does (YAML 1.1: on/off and
/// yes/no are booleans), because that is how existing patroni.yml files were read until now.
/// </summary>
internal static partial class YamlDocumentReader
{
    private const int MaxDepth = 64;

    /// <summary>Reads one document that must be a map; problems carry the line.</summary>
    public static SettingMap? Read(string text, string source, ICollection<ConfigurationProblem> problems)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(text));
            if (stream.Documents.Count > 1)
            {
                problems.Add(new("", "holds more than one YAML document", ConfigurationProblemKind.Syntax,
                    Line(stream.Documents[1].RootNode), source));
                return null;
            }

            var root = stream.Documents.Count == 0 ? new SettingNull(0, source) : Convert(stream.Documents[0].RootNode, source, 0);
            if (root is SettingMap map)
            {
                return map;
            }

            problems.Add(new("", root is SettingNull ? "is empty" : $"must be a map of settings, not {root.Describe()}",
                ConfigurationProblemKind.WrongType, root.Line, source));
        }
        catch (YamlException e)
        {
            problems.Add(new("", "is not valid YAML: " + e.Message.TrimEnd('.').ReplaceLineEndings(" "), ConfigurationProblemKind.Syntax, (int)e.Start.Line, source));
        }

        return null;
    }

    private static SettingValue Convert(YamlNode node, string source, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new YamlException(node.Start, node.End, $"values are nested deeper than {MaxDepth} levels");
        }

        return node switch
        {
            YamlMappingNode map => ConvertMap(map, source, depth),
            YamlSequenceNode list => new SettingList([.. list.Children.Select(c => Convert(c, source, depth + 1))], Line(node), source),
            YamlScalarNode scalar => ConvertScalar(scalar, source),
            _ => throw new YamlException(node.Start, node.End, "unsupported YAML construct"),
        };
    }

    private static SettingMap ConvertMap(YamlMappingNode map, string source, int depth)
    {
        var own = ImmutableArray.CreateBuilder<SettingEntry>();
        var merged = new SettingMap([], Line(map), source);
        foreach (var (key, value) in map.Children)
        {
            if (key is not YamlScalarNode { Value: { } name } scalar)
            {
                throw new YamlException(key.Start, key.End, "a key must be a single text");
            }

            if (name == "<<" && scalar.Style == ScalarStyle.Plain)
            {
                merged = MergeKey(merged, Convert(value, source, depth + 1), key);
            }
            else
            {
                own.Add(new(name, Convert(value, source, depth + 1), Line(key)));
            }
        }

        // YAML merge keys are shallow and never override the map's own keys.
        return own.Aggregate(merged, (result, entry) => result.Without(entry.Key) with { Entries = result.Without(entry.Key).Entries.Add(entry) });
    }

    private static SettingMap MergeKey(SettingMap into, SettingValue value, YamlNode at)
    {
        var maps = value switch
        {
            SettingMap one => [one],
            SettingList list when list.Items.All(i => i is SettingMap) => list.Items.Cast<SettingMap>(),
            _ => throw new YamlException(at.Start, at.End, "'<<' needs a map or a list of maps"),
        };
        foreach (var entry in maps.SelectMany(m => m.Entries))
        {
            into = into.Entries.Any(e => e.Key == entry.Key) ? into : into with { Entries = into.Entries.Add(entry) };
        }

        return into;
    }

    private static SettingValue ConvertScalar(YamlScalarNode node, string source)
    {
        var text = node.Value ?? "";
        if (node.Style != ScalarStyle.Plain)
        {
            return new SettingScalar(text, SettingScalarKind.Text, Line(node), source);
        }

        return Plain(text, Line(node), source);
    }

    /// <summary>What an unquoted scalar means.</summary>
    public static SettingValue Plain(string text, int line, string source) => text switch
    {
        "" or "~" or "null" or "Null" or "NULL" => new SettingNull(line, source),
        _ when Boolean().IsMatch(text) => new SettingScalar(text, SettingScalarKind.Boolean, line, source),
        _ when Number().IsMatch(text) => new SettingScalar(text, SettingScalarKind.Number, line, source),
        _ => new SettingScalar(text, SettingScalarKind.Text, line, source),
    };

    private static int Line(YamlNode node) => (int)node.Start.Line;

    [GeneratedRegex("^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$", RegexOptions.CultureInvariant)]
    private static partial Regex Boolean();

    [GeneratedRegex(@"^[-+]?(?:0x[0-9a-fA-F]+|[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+)$", RegexOptions.CultureInvariant)]
    private static partial Regex Number();
}
