using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Documents;

namespace Patroni.Raft.Api.Hosting;

/// <summary>
/// A reload of the <c>restapi</c> section, as in Patroni: access rules, credentials, headers and certificates change without a restart and without
/// dropping a connection. Everything is read and checked before the first part changes.
/// </summary>
internal sealed class SectionReload(ApiContext api, Func<ApiOptions> section, AccessControl access, RequestGuard guard, Certificates? certificates)
{
    private readonly Lock gate = new();

    /// <summary>Takes the section again.</summary>
    /// <returns>Null, or the sentence that says what is wrong.</returns>
    public string? Run()
    {
        lock (gate)
        {
            ApiOptions next = section(), now = api.Options;
            try
            {
                // The rules cannot fail once the list is readable, so that the certificates are the last thing that may.
                _ = new Allowlist(next.Allowlist, next.AllowlistIncludeMembers);
                if (certificates is not null && next.Tls is { } tls) certificates.Reload(tls);
            }
            catch (ApiStartException error)
            {
                return error.Message;
            }
            bool tlsMoved = (next.Tls is null) != (now.Tls is null), listenMoved = (next.Host, next.Port) != (now.Host, now.Port);
            ApiOptions used = next with { Host = now.Host, Port = now.Port, Tls = tlsMoved ? now.Tls : next.Tls };
            access.Use(used);
            guard.Use(Headers(used, api.Node));
            api.Use(used);
            return tlsMoved ? "restapi.certfile: changing between HTTP and HTTPS needs a restart of the agent; the rest of the section was reloaded."
                : listenMoved ? $"restapi.listen: listening on {next.Host}:{next.Port} needs a restart of the agent; the rest of the section was reloaded."
                : null;
        }
    }

    /// <summary>The headers of every answer.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Headers(ApiOptions options, INode node) =>
    [
        new("Server", options.ServerTokens.ToLowerInvariant() switch
        {
            "productonly" => "Patroni",
            "minimal" => $"Patroni/{StatusDocument.Version(node.Snapshot.Report)}",
            _ => $"Patroni.Raft/{StatusDocument.ProductVersion}",
        }),
        .. options.ExtraHeaders,
    ];
}
