using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>One line of <c>show-config --effective</c>; secrets are masked.</summary>
public sealed record EffectiveSetting(string Path, string Value, SettingOrigin Origin);

/// <summary>Every value that holds on a node and who decided it.</summary>
public static class EffectiveSettings
{
    private const string EnvironmentSource = "environment variable ";

    /// <summary>The node's own sections, the dynamic settings, then the postgresql section, then its parameters.</summary>
    public static IReadOnlyList<EffectiveSetting> List(NodeConfiguration node, DynamicConfiguration dynamic)
    {
        var result = new List<EffectiveSetting>();
        foreach (var setting in LocalConfigurationSchema.Root.Children.Where(c => c.Key is not ("postgresql" or "bootstrap")))
        {
            Local(setting.Key, setting, node.Document[setting.Key], result);
        }

        foreach (var setting in DynamicConfigurationSchema.Root.Children.Where(c => c.Key != "postgresql"))
        {
            var written = dynamic.Document[setting.Key];
            if (written is not null || setting.Default.Length > 0)
            {
                result.Add(new(setting.Key, written is null ? setting.Default : Show(written), written is null ? SettingOrigin.Default : SettingOrigin.Dynamic));
            }
        }

        if (node.Postgresql is { } local)
        {
            Postgres(node, local, dynamic, result);
        }

        return result;
    }

    private static void Postgres(NodeConfiguration node, LocalPostgres local, DynamicConfiguration dynamic, List<EffectiveSetting> result)
    {
        var effective = EffectivePostgres.Merge(node.Scope, local, dynamic.Postgresql);
        foreach (var entry in effective.Document.Entries)
        {
            var origin = local.Document[entry.Key] is not null && entry.Key != "use_slots" ? SettingOrigin.Local : SettingOrigin.Dynamic;
            Flatten("postgresql." + entry.Key, PostgresqlSchema.Section.Known(entry.Key), entry.Value, origin, result);
        }

        foreach (var setting in PostgresqlSchema.Section.Children.Where(c => c.Default.Length > 0 && c.Type != SettingType.Map && effective.Document[c.Key] is null))
        {
            result.Add(new("postgresql." + setting.Key, setting.Default, SettingOrigin.Default));
        }

        result.AddRange(effective.Parameters.Values.Select(p => new EffectiveSetting("postgresql.parameters." + p.Name, p.Value, p.Origin)));
    }

    /// <summary>A setting that only the node's file and environment decide: what was written, else its default.</summary>
    private static void Local(string path, SettingSchema schema, SettingValue? written, List<EffectiveSetting> result)
    {
        if (schema.Type != SettingType.Map)
        {
            if (written is not null)
            {
                Flatten(path, schema, written, SettingOrigin.Local, result);
            }
            else if (schema.Default.Length > 0)
            {
                result.Add(new(path, schema.Default, SettingOrigin.Default));
            }

            return;
        }

        var map = written as SettingMap;
        foreach (var child in schema.Children.Where(c => map?[c.Key] is not null || (c.Type != SettingType.Map && c.Default.Length > 0)))
        {
            Local($"{path}.{child.Key}", child, map?[child.Key], result);
        }

        foreach (var own in map?.Entries.Where(e => schema.Known(e.Key) is null && e.Value is not SettingNull) ?? [])
        {
            Flatten($"{path}.{own.Key}", null, own.Value, SettingOrigin.Local, result);
        }
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
            var from = origin == SettingOrigin.Local && value.Source?.StartsWith(EnvironmentSource, StringComparison.Ordinal) == true ? SettingOrigin.Environment : origin;
            result.Add(new(path, schema?.Type == SettingType.Secret ? "***" : Show(value), from));
        }
    }

    private static string Show(SettingValue value) => value is SettingScalar scalar ? scalar.Text : SettingJson.Write(value);
}
