using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Patroni.Raft.Api.Http;

namespace Patroni.Raft.Api.Hosting;

/// <summary>Who may do what: unsafe requests as in Patroni (api.py, check_access), node-to-node requests by the cluster's secret.</summary>
internal sealed class AccessControl
{
    private const string Realm = "Basic realm=\"Patroni\"";
    private const string RaftNeedsSecret =
        "the Raft group is open to holders of the cluster's secret (raft.password; the command line takes it from the file given with -c), of a client certificate, or of the user of restapi.authentication";
    private const string NodeRealm = "Bearer realm=\"Patroni.Raft node\"";

    private readonly ApiContext api;
    private volatile Rules rules;

    /// <exception cref="ApiStartException">A network of the allowlist cannot be read.</exception>
    public AccessControl(ApiContext api)
    {
        this.api = api;
        rules = Rules.Of(api.Options);
    }

    /// <summary>Goes on with the rules of other options.</summary>
    /// <exception cref="ApiStartException">A network of the allowlist cannot be read; the old rules stay.</exception>
    public void Use(ApiOptions options) => rules = Rules.Of(options);

    /// <summary>Lets only entitled operators through.</summary>
    public RequestDelegate ForOperators(RequestDelegate next) => async context =>
    {
        Rules now = rules;
        if (!await now.Allowlist.AllowsAsync(context.Connection.RemoteIpAddress, api.View.State)) await Reply.Text(context, 403, "Access is denied");
        else if (now.WantsCertificate && context.Connection.ClientCertificate is null) await Reply.Text(context, 403, "client certificate required");
        else if (RefuseCredentials(context, now.ExpectedDigest) is { } refusal) await Unauthorized(context, refusal, Realm);
        else await next(context);
    };

    /// <summary>Lets only nodes of this cluster through.</summary>
    public RequestDelegate ForNodes(RequestDelegate next) => context => RefuseNode(context) is { } refusal
        ? Unauthorized(context, refusal, NodeRealm)
        : next(context);

    /// <summary>Lets nodes that know the cluster's secret through, and operators.</summary>
    public RequestDelegate ForNodesAndOperators(RequestDelegate next)
    {
        RequestDelegate operators = ForOperators(next);
        return context => HasNodeToken(context) ? next(context) : operators(context);
    }

    /// <summary>
    /// Lets holders of the cluster's secret see and change the Raft group, and operators who prove themselves with a certificate or the configured user.
    /// An API that asks its operators for neither is open to whoever reaches it, and a group of voters must not be: then only the secret counts or,
    /// where there is none, only this machine.
    /// </summary>
    public RequestDelegate ForRaft(RequestDelegate next)
    {
        RequestDelegate operators = ForOperators(next);
        return context =>
        {
            if (HasNodeToken(context)) return next(context);
            if (rules.ExpectedDigest is not null || RefuseNode(context) is null) return operators(context);
            return Unauthorized(context, context.Request.Headers.Authorization.Count == 0 ? RaftNeedsSecret : "not authenticated", NodeRealm);
        };
    }

    private static Task Unauthorized(HttpContext context, string refusal, string scheme)
    {
        context.Response.Headers.WWWAuthenticate = scheme;
        return Reply.Text(context, 401, refusal);
    }

    private static string? RefuseCredentials(HttpContext context, byte[]? expectedDigest)
    {
        if (expectedDigest is null) return null;
        string? header = context.Request.Headers.Authorization;
        if (header is null) return "no auth header received";
        // Digests of equal length make the comparison constant in time whatever was sent.
        return header.StartsWith("Basic ", StringComparison.Ordinal) && CryptographicOperations.FixedTimeEquals(Digest(header[6..]), expectedDigest)
            ? null
            : "not authenticated";
    }

    private string? RefuseNode(HttpContext context)
    {
        if (rules.WantsCertificate && context.Connection.ClientCertificate is not null) return null;
        if (!api.Options.HasClusterSecret)
        {
            return context.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address)
                ? null
                : "node requests from other machines need raft.password on all nodes, or client certificates (restapi.verify_client)";
        }
        if (context.Request.Headers.Authorization.Count == 0) return "no auth header received";
        return HasNodeToken(context) ? null : "not authenticated";
    }

    private bool HasNodeToken(HttpContext context)
    {
        string? header = context.Request.Headers.Authorization;
        return api.Options.HasClusterSecret && header is not null
            && header.StartsWith("Bearer ", StringComparison.Ordinal) && api.Node.IsNodeToken(header.AsSpan(7));
    }

    private static byte[] Digest(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    /// <summary>What the options demand, replaced as a whole: no request is judged by half of the old and half of the new rules.</summary>
    private sealed record Rules(Allowlist Allowlist, byte[]? ExpectedDigest, bool WantsCertificate)
    {
        public static Rules Of(ApiOptions options) => new(
            new(options.Allowlist, options.AllowlistIncludeMembers),
            options.Authentication is { } user ? Digest(Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user.UserName}:{user.Password}"))) : null,
            options.Tls is { VerifyClient: not ClientVerification.None });
    }
}

/// <summary>Maps handlers behind <see cref="AccessControl"/>.</summary>
internal static class AccessControlRoutes
{
    /// <summary>An operator's request that changes something.</summary>
    public static void MapUnsafe(this IEndpointRouteBuilder routes, AccessControl access, string method, string path, RequestDelegate handler) =>
        routes.MapMethods(path, [method], access.ForOperators(handler));

    /// <summary>A request of a node of this cluster, or of an operator.</summary>
    public static void MapNodeOrUnsafe(this IEndpointRouteBuilder routes, AccessControl access, string method, string path, RequestDelegate handler) =>
        routes.MapMethods(path, [method], access.ForNodesAndOperators(handler));

    /// <summary>A request about the Raft group.</summary>
    public static void MapRaftGroup(this IEndpointRouteBuilder routes, AccessControl access, string method, string path, RequestDelegate handler) =>
        routes.MapMethods(path, [method], access.ForRaft(handler));

    /// <summary>A request of another node of this cluster.</summary>
    public static void MapNode(this IEndpointRouteBuilder routes, AccessControl access, string method, string path, RequestDelegate handler) =>
        routes.MapMethods(path, [method], access.ForNodes(handler));
}
