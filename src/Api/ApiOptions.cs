using System.Collections.Immutable;

namespace Patroni.Raft.Api;

/// <summary>The <c>restapi</c> section as plain values.</summary>
public sealed record ApiOptions
{
    /// <summary>Host of <c>restapi.listen</c>: an address, a name, or <c>*</c> (also <c>0.0.0.0</c>, <c>::</c>) for every address.</summary>
    public required string Host { get; init; }
    /// <summary>Port of <c>restapi.listen</c>; 0 picks a free one.</summary>
    public required int Port { get; init; }
    /// <summary><c>restapi.authentication</c>, wanted from senders of unsafe requests; null asks for none.</summary>
    public ApiCredentials? Authentication { get; init; }
    /// <summary>HTTPS; null for plain HTTP.</summary>
    public ApiTls? Tls { get; init; }
    /// <summary><c>restapi.allowlist</c>: addresses, names and networks that may send unsafe requests; empty allows all unless members are listed.</summary>
    public ImmutableArray<string> Allowlist { get; init; } = [];
    /// <summary><c>restapi.allowlist_include_members</c>: the members' API addresses may too, and with an empty list only they.</summary>
    public bool AllowlistIncludeMembers { get; init; }
    /// <summary><c>restapi.http_extra_headers</c>, and over HTTPS <c>https_extra_headers</c> after them.</summary>
    public ImmutableArray<KeyValuePair<string, string>> ExtraHeaders { get; init; } = [];
    /// <summary><c>restapi.server_tokens</c>: minimal, productonly or original.</summary>
    public string ServerTokens { get; init; } = "original";
    /// <summary>
    /// Whether the cluster has a secret (<c>raft.password</c>) from which node tokens are derived. Without it, node-to-node requests are
    /// taken from this machine or from holders of a verified client certificate only.
    /// </summary>
    public bool HasClusterSecret { get; init; }
    /// <summary>How long a request may wait for the replicated log.</summary>
    public TimeSpan LogTimeout { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>The wall clock; only schedules are compared with it.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

/// <summary>User name and password of basic authentication.</summary>
/// <param name="UserName">The user.</param>
/// <param name="Password">The password.</param>
public sealed record ApiCredentials(string UserName, string Password)
{
    /// <summary>Without the password.</summary>
    public override string ToString() => $"credentials of {UserName}";
}

/// <summary>HTTPS.</summary>
/// <param name="CertFile"><c>restapi.certfile</c>: PEM certificate, with its chain.</param>
/// <param name="KeyFile"><c>restapi.keyfile</c>; null when the key is in <paramref name="CertFile"/>.</param>
/// <param name="KeyFilePassword"><c>restapi.keyfile_password</c>.</param>
/// <param name="CaFile"><c>restapi.cafile</c>: authorities of client certificates.</param>
/// <param name="VerifyClient"><c>restapi.verify_client</c>.</param>
public sealed record ApiTls(string CertFile, string? KeyFile, string? KeyFilePassword, string? CaFile, ClientVerification VerifyClient)
{
    /// <summary>Without the password.</summary>
    public override string ToString() => $"TLS with {CertFile}";
}

/// <summary>Whether clients must show certificates.</summary>
public enum ClientVerification
{
    /// <summary>They are not asked for.</summary>
    None,
    /// <summary>Unsafe requests need one.</summary>
    Optional,
    /// <summary>Every connection needs one.</summary>
    Required,
}

/// <summary>Why the API could not start.</summary>
public enum ApiStartFailure
{
    /// <summary>Another process uses the port.</summary>
    AddressInUse,
    /// <summary>This machine does not have the address, or may not use the port.</summary>
    AddressUnusable,
    /// <summary>A certificate, key or CA file cannot be used.</summary>
    CertificateUnusable,
    /// <summary>A setting cannot be used.</summary>
    Configuration,
}

/// <summary>A refusal to start, in one sentence for the operator that names the key.</summary>
public sealed class ApiStartException(ApiStartFailure failure, string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>The kind of refusal.</summary>
    public ApiStartFailure Failure { get; } = failure;
}
