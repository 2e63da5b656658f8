using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Api;

namespace Patroni.Raft.Cli.Node;

/// <summary>The <c>restapi</c> section in the terms of the API.</summary>
internal static class ApiSettings
{
    public static ApiOptions Of(NodeConfiguration node)
    {
        RestApiSettings rest = node.RestApi;
        return new()
        {
            Host = rest.Listen.Host,
            Port = rest.Listen.Port,
            Authentication = rest.Authentication is { } user ? new(user.Username, user.Password) : null,
            Tls = rest.CertFile is { } certificate
                ? new(certificate, rest.KeyFile, rest.KeyFilePassword, rest.CaFile, rest.VerifyClient switch
                {
                    VerifyClient.Optional => ClientVerification.Optional,
                    VerifyClient.Required => ClientVerification.Required,
                    _ => ClientVerification.None,
                })
                : null,
            Allowlist = rest.Allowlist,
            AllowlistIncludeMembers = rest.AllowlistIncludeMembers,
            ExtraHeaders = rest.CertFile is null ? rest.HttpExtraHeaders : [.. rest.HttpExtraHeaders, .. rest.HttpsExtraHeaders],
            ServerTokens = rest.ServerTokens,
            HasClusterSecret = node.Raft.Password is not null,
        };
    }
}
