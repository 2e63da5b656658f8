using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>Sections of Patroni that have no place here; each gets a sentence that says what to do instead.</summary>
internal static class ForeignSections
{
    public static SettingMap TakeOut(SettingMap document, ICollection<ConfigurationProblem> problems)
    {
        foreach (var entry in document.Entries)
        {
            var message = LocalConfigurationSchema.ForeignStores.Contains(entry.Key, StringComparer.Ordinal)
                ? "there is no external store here: replace this section by 'raft' (self_addr, partner_addrs, data_dir, password)"
                : entry.Key == "citus" ? "Citus is not supported: remove this section" : null;
            if (message is not null)
            {
                problems.Add(new(entry.Key, message, ConfigurationProblemKind.NotAllowedHere, entry.KeyLine, entry.Value.Source));
                document = document.Without(entry.Key);
            }
        }

        return document;
    }
}

/// <summary>Words about settings that are accepted without effect.</summary>
internal static class LocalNotices
{
    public static void Add(SettingSchema schema, SettingMap document, ICollection<string> notices)
    {
        WithoutEffect(schema, document, "", notices);
        foreach (var entry in document.Section("postgresql.parameters").Entries)
        {
            var name = entry.Key.ToLowerInvariant();
            if (PostgresqlSchema.AgentParameters.Contains(name))
            {
                notices.Add($"postgresql.parameters.{entry.Key} is set by the agent; the local value is ignored");
            }
            else if (PostgresqlSchema.ControlledParameters.Any(p => p.Key == name))
            {
                notices.Add($"postgresql.parameters.{entry.Key} must be equal on all nodes: set it in the dynamic configuration; the local value is ignored");
            }
        }

        if (document.Find("postgresql.use_slots") is not null)
        {
            notices.Add("postgresql.use_slots must be equal on all nodes: set it in the dynamic configuration; the local value is ignored");
        }
    }

    private static void WithoutEffect(SettingSchema schema, SettingMap map, string path, ICollection<string> notices)
    {
        foreach (var entry in map.Entries)
        {
            if (entry.Value is SettingNull || schema.Known(entry.Key) is not { } child)
            {
                continue;
            }

            var at = path.Length == 0 ? entry.Key : path + "." + entry.Key;
            if (child.ImplementedFrom is null)
            {
                notices.Add($"{at} is accepted and has no effect in this version");
            }
            else if (entry.Value is SettingMap below)
            {
                WithoutEffect(child, below, at, notices);
            }
        }
    }
}
