using System.Collections.Immutable;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>
/// What a client of the REST API needs: where the nodes are and how to speak to them. Read leniently, because a file for the
/// command line (patronictl.yaml) need not be a whole node's configuration.
/// </summary>
public sealed record ClientConfiguration
{
    /// <summary>Name of the cluster; <c>null</c> when the file does not say.</summary>
    public string? Scope { get; init; }

    /// <summary>Base addresses of APIs, most likely first.</summary>
    public ImmutableArray<Uri> Urls { get; init; } = [];

    /// <summary>Credentials and certificates.</summary>
    public CtlSettings Ctl { get; init; } = new()
    {
        Authentication = null, Insecure = false, CaCert = null, CertFile = null, KeyFile = null, KeyFilePassword = null,
    };

    /// <summary><c>raft.password</c>: the cluster's secret, which entitles to see and change the Raft group; <c>null</c> when the file has none.</summary>
    public string? RaftPassword { get; init; }

    /// <summary>
    /// Reads a file (<c>null</c>: only the environment). In a file with <c>nodes</c> every node counts; in a plain one the node itself
    /// and, as a guess for when it is down, the hosts of its Raft partners at the same API port.
    /// </summary>
    public static (ClientConfiguration? Configuration, IReadOnlyList<ConfigurationProblem> Problems) Load(
        string? path, IReadOnlyDictionary<string, string> environment, string baseDirectory)
    {
        var problems = new List<ConfigurationProblem>();
        var document = path is null ? SettingMap.Empty : ConfigurationFiles.Read(path, problems);
        var variables = EnvironmentVariables.Read(environment, problems, new List<string>());
        if (document is null || problems.Count > 0)
        {
            return (null, problems);
        }

        var nodes = document.Section(ClusterFile.NodesKey).Entries.Select(e => e.Value).OfType<SettingMap>().ToList();
        var shared = document.Without(ClusterFile.NodesKey);
        var documents = nodes.Count == 0 ? [shared.Merge(variables)] : nodes.Select(n => shared.Merge(n)).ToList();
        var first = documents[0];
        var own = documents.Select(ApiUrl).OfType<Uri>().ToList();
        return (new ClientConfiguration
        {
            Scope = NodeConfigurationReader.Text(first, "scope"),
            Urls = [.. own.Concat(nodes.Count == 0 ? PartnerGuesses(first) : []).Distinct()],
            Ctl = Credentials(first, baseDirectory),
            RaftPassword = NodeConfigurationReader.Text(first.Section("raft"), "password"),
        }, problems);
    }

    private static Uri? ApiUrl(SettingMap d)
    {
        var api = d.Section("restapi");
        var address = NodeConfigurationReader.Address(api, "connect_address") ?? NodeConfigurationReader.Address(api, "listen");
        return address is null ? null : new Uri($"{Scheme(api)}://{(address.IsWildcard ? address with { Host = "127.0.0.1" } : address)}");
    }

    private static string Scheme(SettingMap api) => NodeConfigurationReader.Text(api, "certfile") is null ? "http" : "https";

    private static IEnumerable<Uri> PartnerGuesses(SettingMap d)
    {
        if (ApiUrl(d) is not { } own)
        {
            return [];
        }

        return NodeConfigurationReader.Partners(d.Section("raft")).Where(p => !p.IsLoopback)
            .Select(p => new Uri($"{own.Scheme}://{p with { Port = own.Port }}"));
    }

    private static CtlSettings Credentials(SettingMap d, string baseDirectory)
    {
        var ctl = d.Section("ctl");
        var api = d.Section("restapi");
        var authentication = (ctl["authentication"] ?? api["authentication"]) as SettingMap;
        return new CtlSettings
        {
            Authentication = authentication is null ? null : new BasicCredentials(
                NodeConfigurationReader.Text(authentication, "username") ?? "", NodeConfigurationReader.Text(authentication, "password") ?? ""),
            Insecure = NodeConfigurationReader.Flag(ctl, "insecure"),
            CaCert = NodeConfigurationReader.FilePath(ctl, "cacert", baseDirectory) ?? NodeConfigurationReader.FilePath(api, "cafile", baseDirectory),
            CertFile = NodeConfigurationReader.FilePath(ctl, "certfile", baseDirectory),
            KeyFile = NodeConfigurationReader.FilePath(ctl, "keyfile", baseDirectory),
            KeyFilePassword = NodeConfigurationReader.Text(ctl, "keyfile_password"),
        };
    }
}
