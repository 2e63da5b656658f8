using System.Collections.Immutable;
using Patroni.Raft.Agent.Configuration;

namespace Patroni.Raft.Cli.Client;

/// <summary>What the command line and the environment say about where the cluster is.</summary>
/// <param name="ConfigFile"><c>-c</c>.</param>
/// <param name="Addresses"><c>-d</c>.</param>
/// <param name="Insecure"><c>-k</c>.</param>
public sealed record ClientOptions(string? ConfigFile, string? Addresses, bool Insecure);

/// <summary>Where the nodes of a cluster are.</summary>
/// <param name="Scope">Name of the cluster; <c>null</c> when it is not known.</param>
/// <param name="Urls">Base addresses of APIs, most likely first.</param>
/// <param name="Ctl">Credentials and certificates.</param>
/// <param name="Origin">Who says so: a file, or words for the user when there are no addresses.</param>
public sealed record FoundCluster(string? Scope, ImmutableArray<Uri> Urls, CtlSettings Ctl, string Origin)
{
    /// <summary>The cluster's secret (<c>raft.password</c>), which entitles to see and change the Raft group; <c>null</c> when it is not known.</summary>
    public string? RaftPassword { get; init; }
}

/// <summary>
/// Finds the cluster. In this order: <c>-d</c> or DCS_URL (with the credentials of a file, if there is one); <c>-c</c> or
/// PATRONICTL_CONFIG_FILE; ~/.config/patroni/patronictl.yaml; the PATRONI_* variables; and on a node the files in /etc/patroni-raft, or
/// the agent that runs there. What was asked for and is not there is refused; nothing is guessed between two clusters.
/// </summary>
/// <param name="environment">Variables.</param>
/// <param name="local">What this machine has.</param>
public sealed class ClusterDiscovery(IReadOnlyDictionary<string, string> environment, LocalNodes local)
{
    private const int DefaultPort = 8008;

    /// <summary>For this process.</summary>
    public static ClusterDiscovery OfProcess() => new(ConfigurationRequest.ProcessEnvironment(), new LocalNodes("/etc/patroni-raft", "/proc"));

    /// <summary>Finds it.</summary>
    /// <exception cref="CliException">The file is missing or wrong, an address is none, or there are several clusters.</exception>
    public FoundCluster Find(ClientOptions options)
    {
        var file = FromFile(options);
        var given = options.Addresses ?? environment.GetValueOrDefault("DCS_URL");
        if (!string.IsNullOrWhiteSpace(given))
        {
            var ctl = file.Ctl;
            var isTls = options.Insecure || ctl.Insecure || ctl.CaCert is not null || ctl.CertFile is not null;
            return file with { Urls = [.. given.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(a => Address(a, isTls))], Origin = "" };
        }

        return file.Urls.IsEmpty && !IsNamed(options) ? Local(file) : file;
    }

    private bool IsNamed(ClientOptions options) => options.ConfigFile is not null || environment.ContainsKey("PATRONICTL_CONFIG_FILE");

    private FoundCluster FromFile(ClientOptions options)
    {
        var path = options.ConfigFile ?? environment.GetValueOrDefault("PATRONICTL_CONFIG_FILE");
        if (path is not null && !File.Exists(path) && !Directory.Exists(path))
        {
            throw new CliException($"Provided config file {path} not existing or no read rights. Check the -c/--config-file parameter");
        }

        path ??= File.Exists(UserFile) ? UserFile : null;
        var found = Read(path, environment, Environment.CurrentDirectory);
        return found.Urls.IsEmpty && path is not null
            ? found with { Origin = $"{path} names no restapi.connect_address or restapi.listen; give addresses with -d http://host:{DefaultPort}" } : found;
    }

    private string UserFile => Path.Combine(
        environment.GetValueOrDefault("XDG_CONFIG_HOME") is { Length: > 0 } xdg ? xdg : Path.Combine(environment.GetValueOrDefault("HOME") ?? "/", ".config"),
        "patroni", "patronictl.yaml");

    private FoundCluster Local(FoundCluster nothing)
    {
        var tried = new List<string> { $"{UserFile} does not exist", "no PATRONI_RESTAPI_* variable is set" };
        var candidates = local.Files().Select(f => Read(f, ImmutableDictionary<string, string>.Empty, Path.GetDirectoryName(f)!)).ToList();
        tried.Add(candidates.Count == 0 ? $"{local.Directory} has no configuration file" : $"{local.Directory} has no file with the address of an API");
        if (candidates.TrueForAll(c => c.Urls.IsEmpty))
        {
            candidates = [.. local.Agents().Select(a => Read(a.ConfigFile, a.Environment, a.Directory))];
            tried.Add("no agent of this user runs here");
        }

        candidates.RemoveAll(c => c.Urls.IsEmpty);
        var scopes = candidates.Select(c => c.Scope ?? "").Distinct().ToList();
        return scopes.Count switch
        {
            0 => nothing with { Origin = string.Join("; ", tried) + $"; give a configuration file with -c, or addresses with -d http://host:{DefaultPort}" },
            1 => candidates[0] with
            {
                Urls = [.. candidates.SelectMany(c => c.Urls).Distinct()],
                Origin = string.Join(", ", candidates.Select(c => c.Origin).Distinct()),
            },
            _ => throw new CliException($"several clusters have nodes here: {string.Join(", ", candidates.Select(c => $"{c.Scope} ({c.Origin})"))}; choose one with -c"),
        };
    }

    private static FoundCluster Read(string? path, IReadOnlyDictionary<string, string> variables, string directory)
    {
        var (configuration, problems) = ClientConfiguration.Load(path, variables, directory);
        return configuration is null
            ? throw new CliException(string.Join('\n', problems))
            : new(configuration.Scope, configuration.Urls, configuration.Ctl, path ?? "the environment") { RaftPassword = configuration.RaftPassword };
    }

    private static Uri Address(string text, bool isTls)
    {
        var full = text.Contains("://", StringComparison.Ordinal) ? text : (isTls ? "https://" : "http://") + text;
        if (!Uri.TryCreate(full, UriKind.Absolute, out var uri) || uri.Host.Length == 0)
        {
            throw new CliException($"'{text}' is no address of a REST API; write http://host:{DefaultPort}", 2);
        }

        if (uri.Scheme is not ("http" or "https"))
        {
            throw new CliException($"'{text}' is no address of a REST API: this cluster has no {uri.Scheme} to ask; write http://host:{DefaultPort}", 2);
        }

        // Without a port an API's own port is meant, not the one of web servers.
        var hasPort = uri.Authority.EndsWith($":{uri.Port}", StringComparison.Ordinal) || full.EndsWith($":{uri.Port}", StringComparison.Ordinal) || full.Contains($":{uri.Port}/", StringComparison.Ordinal);
        return new UriBuilder(uri.Scheme, uri.Host, hasPort ? uri.Port : DefaultPort).Uri;
    }
}
