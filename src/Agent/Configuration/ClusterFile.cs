using System.Collections.Immutable;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>
/// One file for the whole cluster: shared settings and <c>nodes: {name: {...}}</c>. A node's section is merged deeply over the
/// shared ones; the other nodes' <c>raft.self_addr</c> become its partners unless it names them or joins.
/// </summary>
internal static class ClusterFile
{
    public const string NodesKey = "nodes";

    public static SettingMap? Select(SettingMap document, string? name, ICollection<ConfigurationProblem> problems)
    {
        if (document[NodesKey] is not { } nodes)
        {
            return document;
        }

        if (nodes is not SettingMap map || map.Entries.Any(e => e.Value is not SettingMap))
        {
            problems.Add(new(NodesKey, "must be a map from node name to that node's settings", ConfigurationProblemKind.WrongType, nodes.Line, nodes.Source));
            return null;
        }

        var names = string.Join(", ", map.Entries.Select(e => e.Key));
        if (name is null)
        {
            problems.Add(new(NodesKey, $"describes several nodes; say which one this is with --name (one of {names})", ConfigurationProblemKind.Missing, nodes.Line, nodes.Source));
            return null;
        }

        if (map[name] is not SettingMap own)
        {
            problems.Add(new(NodesKey, $"has no node '{name}' (--name must be one of {names})", ConfigurationProblemKind.Missing, nodes.Line, nodes.Source));
            return null;
        }

        var shared = document.Without(NodesKey);
        var merged = shared.Merge(own).With("name", new SettingScalar(name, SettingScalarKind.Text, own.Line, own.Source));
        return merged.Section("raft")["partner_addrs"] is null && merged.Section("raft")["join"] is null
            ? WithPartners(merged, shared, map, name)
            : merged;
    }

    private static SettingMap WithPartners(SettingMap merged, SettingMap shared, SettingMap nodes, string name)
    {
        if (merged["raft"] is not SettingMap raft)
        {
            return merged;
        }

        // A node that joins later is not one of the first members.
        var others = nodes.Entries.Where(e => e.Key != name)
            .Select(e => shared.Merge((SettingMap)e.Value).Section("raft"))
            .Where(r => r["join"] is null)
            .Select(r => r["self_addr"]).OfType<SettingValue>();
        return merged.With("raft", raft.With("partner_addrs", new SettingList([.. others], raft.Line, raft.Source)));
    }
}

/// <summary><c>--set path=value</c>: the path is dotted, the value a plain one or a list or map in YAML's flow form.</summary>
internal static class ConfigurationOverrides
{
    public static IReadOnlyList<(ImmutableArray<string> Path, SettingValue Value)> Parse(IEnumerable<string> overrides, ICollection<ConfigurationProblem> problems)
    {
        var result = new List<(ImmutableArray<string>, SettingValue)>();
        foreach (var text in overrides)
        {
            var equals = text.IndexOf('=');
            var path = equals < 1 ? [] : text[..equals].Trim().Split('.');
            if (path.Length == 0 || path.Any(p => p.Length == 0))
            {
                problems.Add(new("", $"'{text}' must be PATH=VALUE, for example restapi.listen=127.0.0.1:8008", ConfigurationProblemKind.Syntax, 0, "--set"));
                continue;
            }

            var value = ConfigurationFiles.ParseValue(text[(equals + 1)..], "--set " + text[..equals], problems);
            if (value is not null)
            {
                result.Add(([.. path], value));
            }
        }

        return result;
    }

    public static SettingMap Apply(SettingMap document, IEnumerable<(ImmutableArray<string> Path, SettingValue Value)> overrides) =>
        overrides.Aggregate(document, (d, o) => EnvironmentVariables.Set(d, o.Path.AsSpan(), o.Value));
}
