using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>One line of <c>show-config --effective</c>; secrets are masked.</summary>
public sealed record EffectiveSetting(string Path, string Value, SettingOrigin Origin);

/// <summary>Every value that holds on a node and who decided it.</summary>
public static class EffectiveSettings
{
    /// <summary>The dynamic settings, then the postgresql section, then its parameters.</summary>
    public static IReadOnlyList<EffectiveSetting> List(NodeConfiguration node, DynamicConfiguration dynamic)
    {
        var result = new List<EffectiveSetting>();
        foreach (var setting in DynamicConfigurationSchema.Root.Children.Where(c => c.Key != "postgresql"))
        {
            var written = dynamic.Document[setting.Key];
            if (written is not null || setting.Default.Length > 0)
            {
                result.Add(new(setting.Key, written is null ? setting.Default : Show(written), written is null ? SettingOrigin.Default : SettingOrigin.Dynamic));
            }
        }

        if (node.Postgresql is not { } local)
        {
            return result;
        }

        var effective = EffectivePostgres.Merge(node.Scope, local, dynamic.Postgresql);
        foreach (var entry in effective.Document.Entries)
        {
            var origin = local.Document[entry.Key] is not null && entry.Key != "use_slots" ? SettingOrigin.Local : SettingOrigin.Dynamic;
            Flatten("postgresql." + entry.Key, PostgresqlSchema.Section.Known(entry.Key), entry.Value, origin, result);
        }

        result.AddRange(effective.Parameters.Values.Select(p => new EffectiveSetting("postgresql.parameters." + p.Name, p.Value, p.Origin)));
        return result;
    }

    private static void Flatten(string path, SettingSchema? schema, SettingValue value, SettingOrigin origin, List<EffectiveSetting> result)
    {
        if (value is SettingMap map)
        {
            foreach (var entry in map.Entries)
            {
                Flatten(path + "." + entry.Key, schema?.Child(entry.Key, entry.Value), entry.Value, origin, result);
            }
        }
        else
        {
            result.Add(new(path, schema?.Type == SettingType.Secret ? "***" : Show(value), origin));
        }
    }

    private static string Show(SettingValue value) => value is SettingScalar scalar ? scalar.Text : SettingJson.Write(value);
}
