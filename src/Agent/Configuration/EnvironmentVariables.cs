using System.Collections.Immutable;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary><c>PATRONI_*</c> variables as settings; they win over the file, as in Patroni.</summary>
public static class EnvironmentVariables
{
    /// <summary>The whole configuration in one variable; used when no file was given, and then no other variable counts.</summary>
    public const string WholeConfiguration = "PATRONI_CONFIGURATION";

    private const string Prefix = "PATRONI_";

    private static readonly string[] Credentials =
        ["username", "password", "sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslcrldir", "gssencmode", "channel_binding", "sslnegotiation"];

    // Read by the loader itself.
    private static readonly string[] NotSettings = [WholeConfiguration];

    /// <summary>Every variable with the path of its setting.</summary>
    public static ImmutableSortedDictionary<string, string> Known { get; } = BuildKnown();

    /// <summary>The settings in the environment as a tree; unknown variables are no problem, since platforms set such names too.</summary>
    public static SettingMap Read(IReadOnlyDictionary<string, string> environment, ICollection<ConfigurationProblem> problems, ICollection<string> notices)
    {
        var result = SettingMap.Empty;
        foreach (var (name, text) in environment.Where(v => v.Key.StartsWith(Prefix, StringComparison.Ordinal)).OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            if (NotSettings.Contains(name) || text.Length == 0)
            {
                continue; // An empty variable counts as absent, as in Patroni.
            }

            if (!Known.TryGetValue(name, out var path))
            {
                if (SettingHints.Nearest(name, Known.Keys) is { } meant)
                {
                    notices.Add($"environment variable {name} is not a setting and is ignored; did you mean {meant}?");
                }

                continue;
            }

            result = Set(result, path.Split('.'), Value(name, path, text, problems));
        }

        return result;
    }

    /// <summary>A copy of <paramref name="map"/> with one value set at a path, maps being made on the way.</summary>
    internal static SettingMap Set(SettingMap map, ReadOnlySpan<string> path, SettingValue value) => path.Length == 1
        ? map.With(path[0], value)
        : map.With(path[0], Set(map[path[0]] as SettingMap ?? new SettingMap([], value.Line, value.Source), path[1..], value));

    private static SettingValue Value(string name, string path, string text, ICollection<ConfigurationProblem> problems)
    {
        var source = "environment variable " + name;
        var schema = path.Split('.').Aggregate((SettingSchema?)LocalConfigurationSchema.Root, (at, key) => at?.Known(key));
        var wrapped = schema?.Type switch
        {
            SettingType.TextList or SettingType.List when !text.TrimStart().StartsWith('[') && !text.TrimStart().StartsWith('-') => $"v: [{text}]",
            SettingType.TextList or SettingType.List when text.TrimStart().StartsWith('-') => $"v:\n{text}",
            SettingType.TextList or SettingType.List => $"v: {text}",
            SettingType.Map => text.TrimStart().StartsWith('{') ? $"v: {text}" : $"v: {{{text}}}",
            _ => null,
        };
        if (wrapped is null)
        {
            return new SettingScalar(text, SettingScalarKind.Text, 0, source);
        }

        return WithoutLines(YamlDocumentReader.Read(wrapped, source, problems)?["v"] ?? new SettingNull(0, source));
    }

    private static SettingValue WithoutLines(SettingValue value) => value switch
    {
        SettingMap map => map with { Line = 0, Entries = [.. map.Entries.Select(e => new SettingEntry(e.Key, WithoutLines(e.Value), 0))] },
        SettingList list => list with { Line = 0, Items = [.. list.Items.Select(WithoutLines)] },
        _ => value with { Line = 0 },
    };

    private static ImmutableSortedDictionary<string, string> BuildKnown()
    {
        var known = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        void Add(string section, string environmentSection, params string[] keys)
        {
            foreach (var key in keys)
            {
                known[(Prefix + environmentSection + key).ToUpperInvariant()] = section + key;
            }
        }

        Add("", "", "name", "namespace", "scope", "thread_pool_size", "thread_stack_size");
        foreach (var section in new[] { "log", "restapi", "ctl" })
        {
            Add(section + ".", section + "_", [.. LocalConfigurationSchema.Root.Known(section)!.Children.Select(c => c.Key).Where(k => k != "authentication")]);
        }

        Add("restapi.authentication.", "restapi_", "username", "password");
        Add("ctl.authentication.", "ctl_", "username", "password");
        Add("raft.", "raft_", [.. LocalConfigurationSchema.Root.Known("raft")!.Children.Select(c => c.Key).Where(k => k != "tls")]);
        Add("raft.tls.", "raft_tls_", "certfile", "keyfile", "cafile");
        Add("postgresql.", "postgresql_", "listen", "connect_address", "proxy_address", "config_dir", "data_dir", "pgpass", "bin_dir");
        Add("postgresql.bin_name.", "postgresql_bin_", "pg_ctl", "initdb", "pg_controldata", "pg_basebackup", "postgres", "pg_isready", "pg_rewind");
        foreach (var user in new[] { "superuser", "replication", "rewind" })
        {
            Add($"postgresql.authentication.{user}.", user + "_", Credentials);
        }

        known["PATRONI_LOGLEVEL"] = "log.level";
        known["PATRONI_LOGFORMAT"] = "log.format";
        known["PATRONI_LOG_DATEFMT"] = "log.dateformat";
        return known.ToImmutable();
    }
}
