using Patroni.Raft.Consensus;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>Rules of the local file that see more than one key.</summary>
internal static class LocalConfigurationRules
{
    // Patroni writes this name into synchronous_standby_names when strict mode has nobody.
    private const string ReservedName = "__patroni_strict_sync_replica_placeholder__";

    public static void Check(SettingMap d, bool witness, ICollection<ConfigurationProblem> problems, ICollection<string> notices)
    {
        Name(d, problems);
        var raft = d.Section("raft");
        Raft(raft, problems);
        RaftSecurity(raft, problems);
        Addresses(d, witness, problems);
        Tls(d, problems);
        BootstrapMethod(d, problems);
        Dynamic(d, raft, problems, notices);
        foreach (var sentence in TagSettings.Contradictions(d.Section("tags")))
        {
            notices.Add(sentence);
        }
    }

    private static void Conflict(ICollection<ConfigurationProblem> problems, string path, SettingValue? at, string message,
        ConfigurationProblemKind kind = ConfigurationProblemKind.Conflict) =>
        problems.Add(new(path, message, kind, at?.Line ?? 0, at?.Source));

    private static void Name(SettingMap d, ICollection<ConfigurationProblem> problems)
    {
        foreach (var key in new[] { "name", "scope" })
        {
            if (SettingReader.Text(d[key]) is { } text && (text.Trim() != text || text.Length is 0 or > 200 || text.Any(char.IsControl) || text.Contains('/')))
            {
                Conflict(problems, key, d[key], "must be 1 to 200 characters without '/', control characters and blanks at its ends", ConfigurationProblemKind.OutOfRange);
            }
        }

        if (SettingReader.Text(d["name"]) == ReservedName)
        {
            Conflict(problems, "name", d["name"], $"'{ReservedName}' is reserved", ConfigurationProblemKind.OutOfRange);
        }
    }

    private static void Raft(SettingMap raft, ICollection<ConfigurationProblem> problems)
    {
        foreach (var text in (SettingReader.Texts(raft["partner_addrs"]) ?? []).SelectMany(t => t.Split(',', StringSplitOptions.TrimEntries)))
        {
            if (!RaftAddress.TryParse(text, out _))
            {
                Conflict(problems, "raft.partner_addrs", raft["partner_addrs"], $"'{text}' must be host:port", ConfigurationProblemKind.WrongType);
            }
        }

        var join = SettingReader.Texts(raft["join"]) ?? [];
        foreach (var text in join)
        {
            if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            {
                Conflict(problems, "raft.join", raft["join"], $"'{text}' must be the API address of a running node, http://host:8008", ConfigurationProblemKind.WrongType);
            }
        }

        if (join.Count > 0 && (SettingReader.Texts(raft["partner_addrs"]) ?? []).Count > 0)
        {
            Conflict(problems, "raft.join", raft["join"], "cannot go with raft.partner_addrs: the first members name each other as partners, later nodes only join");
        }

        if (NodeConfigurationReader.Address(raft, "self_addr") is { IsWildcard: true } self)
        {
            Conflict(problems, "raft.self_addr", raft["self_addr"], $"{self} is no address that others can reach; listen on it with raft.bind_addr", ConfigurationProblemKind.OutOfRange);
        }
    }

    /// <summary>Whoever reaches an unprotected Raft port can make itself a voter: beyond loopback it needs a password or TLS.</summary>
    private static void RaftSecurity(SettingMap raft, ICollection<ConfigurationProblem> problems)
    {
        var protectedPort = SettingReader.Text(raft["password"]) is { Length: > 0 } || raft["tls"] is SettingMap;
        if (protectedPort)
        {
            if (raft["tls"] is SettingMap && SettingReader.Text(raft["password"]) is { Length: > 0 })
            {
                Conflict(problems, "raft.tls", raft["tls"], "cannot go with raft.password: choose one of them");
            }

            return;
        }

        var key = raft["bind_addr"] is null ? "self_addr" : "bind_addr";
        if (NodeConfigurationReader.Address(raft, key) is { IsLoopback: false } address)
        {
            Conflict(problems, "raft." + key, raft[key],
                $"{address} can be reached from other machines: set raft.password (make one with 'patroni-raft raft password') or raft.tls on all nodes");
        }
    }

    private static void Addresses(SettingMap d, bool witness, ICollection<ConfigurationProblem> problems)
    {
        foreach (var (section, key, listen) in new[] { ("restapi", "connect_address", "listen"), ("postgresql", "connect_address", "listen") })
        {
            var map = d.Section(section);
            if (Endpoint.TryParse(SettingReader.Text(map[map[key] is null ? listen : key]), out var host, out var port)
                && host.Split(',').Any(h => new HostPort(h, port ?? 0).IsWildcard))
            {
                Conflict(problems, $"{section}.{key}", map[key] ?? map[listen], map[key] is null
                    ? $"is missing: {section}.{listen} {host} is no address that others can reach"
                    : $"{host} is no address that others can reach", map[key] is null ? ConfigurationProblemKind.Missing : ConfigurationProblemKind.OutOfRange);
            }
        }

        var ports = new List<(string Path, string Host, int Port, SettingValue At)>();
        foreach (var path in new[] { "restapi.listen", d.Find("raft.bind_addr") is null ? "raft.self_addr" : "raft.bind_addr", "postgresql.listen" })
        {
            if ((!witness || path != "postgresql.listen") && d.Find(path) is { } at && Endpoint.TryParse(SettingReader.Text(at), out var host, out var port)
                && (port ?? (path == "postgresql.listen" ? 5432 : null)) is { } number)
            {
                ports.Add((path, host, number, at));
            }
        }

        for (var i = 1; i < ports.Count; i++)
        {
            if (ports.Take(i).FirstOrDefault(p => p.Port == ports[i].Port && Overlap(p.Host, ports[i].Host)) is { Path: { } other })
            {
                Conflict(problems, ports[i].Path, ports[i].At, $"uses port {ports[i].Port} that {other} uses too");
            }
        }
    }

    private static bool Overlap(string a, string b) =>
        a.Split(',').Any(x => b.Split(',').Any(y => x == y || new HostPort(x, 0).IsWildcard || new HostPort(y, 0).IsWildcard));

    private static void Tls(SettingMap d, ICollection<ConfigurationProblem> problems)
    {
        var api = d.Section("restapi");
        if (SettingReader.Text(api["verify_client"])?.ToLowerInvariant() is "optional" or "required")
        {
            foreach (var key in new[] { "certfile", "cafile" }.Where(k => SettingReader.Text(api[k]) is not { Length: > 0 }))
            {
                Conflict(problems, "restapi.verify_client", api["verify_client"], $"needs restapi.{key}");
            }
        }

        foreach (var section in new[] { "restapi", "ctl" })
        {
            var map = d.Section(section);
            if (map["keyfile"] is { } key && map["certfile"] is null)
            {
                Conflict(problems, section + ".keyfile", key, $"needs {section}.certfile");
            }
        }
    }

    private static void BootstrapMethod(SettingMap d, ICollection<ConfigurationProblem> problems)
    {
        var bootstrap = d.Section("bootstrap");
        if (SettingReader.Text(bootstrap["method"]) is { } method && method != "initdb" && bootstrap[method] is not SettingMap)
        {
            Conflict(problems, "bootstrap.method", bootstrap["method"], $"names '{method}', and there is no section bootstrap.{method} with a command", ConfigurationProblemKind.Missing);
        }

        var postgres = d.Section("postgresql");
        foreach (var name in SettingReader.Texts(postgres["create_replica_methods"] ?? postgres["create_replica_method"]) ?? [])
        {
            if (name != "basebackup" && postgres[name] is null && d.Find("bootstrap.dcs.postgresql." + name) is null)
            {
                Conflict(problems, "postgresql.create_replica_methods", postgres["create_replica_methods"],
                    $"names '{name}', and there is no section postgresql.{name} with a command", ConfigurationProblemKind.Missing);
            }
        }
    }

    private static void Dynamic(SettingMap d, SettingMap raft, ICollection<ConfigurationProblem> problems, ICollection<string> notices)
    {
        var dcs = d.Section("bootstrap.dcs");
        var below = new List<ConfigurationProblem>();
        DynamicConfigurationRules.Check(dcs, below, ElectionUpperMs(raft));
        var wrong = problems.Any(p => p.Path.StartsWith("bootstrap.dcs.", StringComparison.Ordinal));
        foreach (var problem in below)
        {
            if (!wrong || problem.Kind != ConfigurationProblemKind.Conflict)
            {
                problems.Add(problem with { Path = "bootstrap.dcs." + problem.Path });
            }
        }

        if (DynamicConfiguration.Parse(dcs).Configuration is { } read)
        {
            foreach (var notice in read.Notices)
            {
                notices.Add("bootstrap.dcs: " + notice);
            }
        }
    }

    private static long ElectionUpperMs(SettingMap raft) =>
        2 * (SettingReader.Milliseconds(raft["election_timeout"]) ?? LeaseTimings.DefaultElectionUpperMs / 2);
}
