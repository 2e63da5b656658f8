using System.Collections.Immutable;
using Patroni.Raft.Consensus;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Client;

/// <summary>The cluster as a client sees it.</summary>
public sealed class ClusterClient : IDisposable
{
    private readonly Action<string> _warn;

    /// <summary>A client for the nodes that were found.</summary>
    /// <param name="found">Where they are.</param>
    /// <param name="insecure">Whether certificates of nodes are not verified.</param>
    /// <param name="warn">Gets what the user must know about an answer.</param>
    public ClusterClient(FoundCluster found, bool insecure, Action<string> warn)
    {
        Api = new ApiClient(found.Urls, found.Ctl, insecure, found.Origin) { NodeToken = Token(found) };
        Scope = found.Scope;
        _warn = warn;
    }

    /// <summary>The nodes.</summary>
    public ApiClient Api { get; }

    /// <summary>Name of the cluster in the configuration; <c>null</c> when only addresses were given.</summary>
    public string? Scope { get; }

    /// <summary>Reads the cluster from the first node that answers and is in touch with the others.</summary>
    /// <exception cref="CliException">No node answers, or the answer is none of this product.</exception>
    public async Task<ClusterView> ReadAsync(CancellationToken stop)
    {
        var status = (await Api.GetAsync("/patroni", stop).ConfigureAwait(false)).Json as SettingMap;
        if (IsCutOff(status) && !await Api.PreferAsync("/patroni", answer => answer.Json is SettingMap other && !IsCutOff(other), stop).ConfigureAwait(false))
        {
            _warn("no node that answers has contact with a majority of the group; this is what they knew last");
        }

        var answer = await Api.GetAsync("/cluster", stop).ConfigureAwait(false);
        if (answer.Json is not SettingMap cluster || !answer.IsSuccess)
        {
            throw new CliException($"the node answered GET /cluster with {answer.Status}: {answer.Body.Trim()}");
        }

        var view = ClusterView.From(cluster, null);
        Api.Learn(view.Members.Select(ClusterView.Api).OfType<Uri>());
        view = ClusterView.From(cluster, Identifier(status) ?? await LeadersIdentifierAsync(view, stop).ConfigureAwait(false));
        return view with { Scope = view.Scope.Length > 0 ? view.Scope : Scope ?? "" };
    }

    /// <summary>The dynamic configuration.</summary>
    /// <exception cref="CliException">There is none yet.</exception>
    public async Task<SettingMap> ConfigAsync(CancellationToken stop) => (await VersionedConfigAsync(stop).ConfigureAwait(false)).Document;

    /// <summary>The dynamic configuration and its version.</summary>
    /// <exception cref="CliException">There is none yet.</exception>
    public async Task<(SettingMap Document, string? Version)> VersionedConfigAsync(CancellationToken stop)
    {
        var answer = await Api.GetAsync("/config", stop).ConfigureAwait(false);
        return answer.IsSuccess && answer.Json is SettingMap document
            ? (document, answer.ETag)
            : throw new CliException($"The config key does not exist in the cluster{(Scope is null ? "" : " " + Scope)} (GET /config answered {answer.Status})");
    }

    /// <summary>The interval of the nodes' loops.</summary>
    public async Task<long> LoopWaitMsAsync(CancellationToken stop) =>
        DynamicConfiguration.ReadAccepted(SettingJson.Write(await ConfigAsync(stop).ConfigureAwait(false))).LoopWaitMs;

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

    // Derived when the first request below /raft/ is sent: it takes a noticeable part of a second.
    private static Lazy<string?> Token(FoundCluster found) => new(() => found is { RaftPassword: { Length: > 0 } password, Scope: { } scope }
        ? NodeToken.Of(RaftSecurity.Password(password, scope))?.Value : null);

    // A node that knows no leader of the group tells the past. One that says nothing about it is another product, and is believed.
    private static bool IsCutOff(SettingMap? status) => status?["raft"] is SettingMap raft && raft.Entries.Any(e => e.Key == "leader") && raft["leader"] is SettingNull or null;

    private static string? Identifier(SettingMap? status) => SettingReader.Text(status?["database_system_identifier"]);

    // The first node may have no PostgreSQL (yet); the leader surely has one.
    private async Task<string?> LeadersIdentifierAsync(ClusterView view, CancellationToken stop) => view.Leader is { } leader && ClusterView.Api(leader) is { } api
        ? Identifier((await Api.TryGetAsync(api, "/patroni", stop).ConfigureAwait(false))?.Json as SettingMap) : null;
}
