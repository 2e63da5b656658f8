using System.Collections.Immutable;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Client;

/// <summary>Where the command line's options point to.</summary>
/// <param name="ConfigFile"><c>-c</c>.</param>
/// <param name="Addresses"><c>-d</c>.</param>
/// <param name="Insecure"><c>-k</c>.</param>
public sealed record ClientOptions(string? ConfigFile, string? Addresses, bool Insecure);

/// <summary>The cluster as a client sees it.</summary>
public sealed class ClusterClient : IDisposable
{
    private ClusterClient(ApiClient api, string? scope)
    {
        Api = api;
        Scope = scope;
    }

    /// <summary>The nodes.</summary>
    public ApiClient Api { get; }

    /// <summary>Name of the cluster in the configuration; <c>null</c> when only addresses were given.</summary>
    public string? Scope { get; }

    /// <summary>Finds the cluster: -d, else -c, else PATRONICTL_CONFIG_FILE, else ~/.config/patroni/patronictl.yaml, else the environment.</summary>
    /// <exception cref="CliException">The file is missing or wrong, or an address is none.</exception>
    public static ClusterClient Open(ClientOptions options)
    {
        var environment = ConfigurationRequest.ProcessEnvironment();
        var path = options.ConfigFile ?? environment.GetValueOrDefault("PATRONICTL_CONFIG_FILE");
        if (path is not null && !File.Exists(path) && !Directory.Exists(path))
        {
            throw new CliException($"Provided config file {path} not existing or no read rights. Check the -c/--config-file parameter");
        }

        var usual = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config", "patroni", "patronictl.yaml");
        path ??= File.Exists(usual) ? usual : null;
        var (configuration, problems) = ClientConfiguration.Load(path, environment, Environment.CurrentDirectory);
        if (configuration is null)
        {
            throw new CliException(string.Join('\n', problems));
        }

        var given = (options.Addresses ?? environment.GetValueOrDefault("DCS_URL") ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Address).ToImmutableArray();
        return new ClusterClient(new ApiClient(given.IsEmpty ? configuration.Urls : given, configuration.Ctl, options.Insecure), configuration.Scope);
    }

    /// <summary>Reads the cluster from the first node that answers.</summary>
    /// <exception cref="CliException">No node answers, or the answer is none of this product.</exception>
    public async Task<ClusterView> ReadAsync(CancellationToken stop)
    {
        var answer = await Api.GetAsync("/cluster", stop).ConfigureAwait(false);
        if (answer.Json is not SettingMap cluster || !answer.IsSuccess)
        {
            throw new CliException($"the node answered GET /cluster with {answer.Status}: {answer.Body.Trim()}");
        }

        var view = ClusterView.From(cluster, null);
        Api.Learn(view.Members.Select(ClusterView.Api).OfType<Uri>());
        view = ClusterView.From(cluster, await SystemIdentifierAsync(view, stop).ConfigureAwait(false));
        return view with { Scope = view.Scope.Length > 0 ? view.Scope : Scope ?? "" };
    }

    // The first node may have no PostgreSQL (yet); the leader surely has one.
    private async Task<string?> SystemIdentifierAsync(ClusterView view, CancellationToken stop)
    {
        static string? Of(ApiAnswer? answer) => SettingReader.Text((answer?.Json as SettingMap)?["database_system_identifier"]);
        var identifier = Of(await Api.GetAsync("/patroni", stop).ConfigureAwait(false));
        return identifier ?? (view.Leader is { } leader && ClusterView.Api(leader) is { } api
            ? Of(await Api.TryGetAsync(api, "/patroni", stop).ConfigureAwait(false)) : null);
    }

    /// <summary>Refuses a cluster name on the command line that is not this cluster's.</summary>
    /// <exception cref="CliException">The names differ.</exception>
    public static void CheckName(string? wanted, ClusterView view)
    {
        if (wanted is { Length: > 0 } && wanted != view.Scope)
        {
            throw new CliException($"these nodes are the cluster '{view.Scope}', not '{wanted}'");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Api.Dispose();

    private static Uri Address(string text)
    {
        var full = text.Contains("://", StringComparison.Ordinal) ? text : "http://" + text;
        return Uri.TryCreate(full, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? new Uri(uri!.GetLeftPart(UriPartial.Authority))
            : throw new CliException($"'{text}' is no address of a REST API; write http://host:8008", 2);
    }
}
