using System.Collections.Immutable;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>
/// Everything a node's own file and environment say, checked and typed. Immutable; a reload makes a new one.
/// </summary>
public sealed record NodeConfiguration
{
    /// <summary>Name of the node.</summary>
    public required NodeName Name { get; init; }

    /// <summary>Name of the cluster.</summary>
    public required string Scope { get; init; }

    /// <summary>Path prefix shown in /state, without meaning otherwise.</summary>
    public required string Namespace { get; init; }

    /// <summary>A voter without PostgreSQL; then <see cref="Postgresql"/> is <c>null</c>.</summary>
    public required bool IsWitness { get; init; }

    /// <summary>Logging.</summary>
    public required LogSettings Log { get; init; }

    /// <summary>The REST API.</summary>
    public required RestApiSettings RestApi { get; init; }

    /// <summary>How APIs of others are called.</summary>
    public required CtlSettings Ctl { get; init; }

    /// <summary>The consensus group.</summary>
    public required RaftSettings Raft { get; init; }

    /// <summary>Properties of the node.</summary>
    public required TagSettings Tags { get; init; }

    /// <summary>The kernel's watchdog.</summary>
    public required WatchdogSettings Watchdog { get; init; }

    /// <summary>How a new cluster begins.</summary>
    public required BootstrapSettings Bootstrap { get; init; }

    /// <summary>The instance; <c>null</c> for a witness.</summary>
    public required LocalPostgres? Postgresql { get; init; }

    /// <summary>File or variable it came from.</summary>
    public required string Source { get; init; }

    /// <summary>Accepted things that deserve a word: ignored keys, settings without effect yet.</summary>
    public required ImmutableArray<string> Notices { get; init; }

    /// <summary>The merged document it was read from; contains passwords.</summary>
    public required SettingMap Document { get; init; }
}

/// <summary>host and port; IPv6 hosts without brackets.</summary>
public sealed record HostPort(string Host, int Port)
{
    /// <summary>host:port, with brackets where IPv6 needs them.</summary>
    public override string ToString() => Host.Contains(':') ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    /// <summary>Only this machine can reach it: 127.0.0.0/8, ::1 or localhost. Names are not resolved.</summary>
    public bool IsLoopback => Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (System.Net.IPAddress.TryParse(Host, out var address) && System.Net.IPAddress.IsLoopback(address));

    /// <summary>It stands for every address of the machine, so nobody can connect to it by that name.</summary>
    public bool IsWildcard => Host is "0.0.0.0" or "::" or "*";
}

/// <summary>Form and level of the log.</summary>
public sealed record LogSettings
{
    /// <summary>JSON lines instead of plain ones.</summary>
    public required bool Json { get; init; }

    /// <summary>Least level that is written.</summary>
    public required Microsoft.Extensions.Logging.LogLevel Level { get; init; }

    /// <summary>Directory for files; <c>null</c> writes to standard error.</summary>
    public required string? Directory { get; init; }

    /// <summary>Log files kept.</summary>
    public required int FileCount { get; init; }

    /// <summary>Size at which a new file begins.</summary>
    public required long FileSizeBytes { get; init; }

    /// <summary>Lines kept while the target is slow; more are lost.</summary>
    public required int QueueSize { get; init; }

    /// <summary>Levels of single loggers as written.</summary>
    public required ImmutableSortedDictionary<string, string> Loggers { get; init; }
}

/// <summary>User and password of HTTP basic authentication.</summary>
public sealed record BasicCredentials(string Username, string Password)
{
    /// <summary>Never shows the password.</summary>
    public override string ToString() => Username + ":***";
}

/// <summary>For which requests a client certificate is wanted.</summary>
public enum VerifyClient
{
    /// <summary>None.</summary>
    None,

    /// <summary>Unsafe methods.</summary>
    Optional,

    /// <summary>All requests.</summary>
    Required,
}

/// <summary>The REST API.</summary>
public sealed record RestApiSettings
{
    /// <summary>Where it listens.</summary>
    public required HostPort Listen { get; init; }

    /// <summary>Where others reach it.</summary>
    public required HostPort ConnectAddress { get; init; }

    /// <summary>Wanted from senders of unsafe requests.</summary>
    public required BasicCredentials? Authentication { get; init; }

    /// <summary>Certificate (PEM); the API speaks HTTPS when set.</summary>
    public required string? CertFile { get; init; }

    /// <summary>Key of the certificate; <c>null</c> when it is in <see cref="CertFile"/>.</summary>
    public required string? KeyFile { get; init; }

    /// <summary>Password of the key.</summary>
    public required string? KeyFilePassword { get; init; }

    /// <summary>CAs of client certificates.</summary>
    public required string? CaFile { get; init; }

    /// <summary>Cipher suites as written.</summary>
    public required string? Ciphers { get; init; }

    /// <summary>Client certificates.</summary>
    public required VerifyClient VerifyClient { get; init; }

    /// <summary>Hosts and networks that may send unsafe requests; empty allows all unless members are listed.</summary>
    public required ImmutableArray<string> Allowlist { get; init; }

    /// <summary>Members are allowed too.</summary>
    public required bool AllowlistIncludeMembers { get; init; }

    /// <summary>Headers of every answer.</summary>
    public required ImmutableArray<KeyValuePair<string, string>> HttpExtraHeaders { get; init; }

    /// <summary>Headers of every answer over HTTPS.</summary>
    public required ImmutableArray<KeyValuePair<string, string>> HttpsExtraHeaders { get; init; }

    /// <summary>Content of the Server header: minimal, productonly, original.</summary>
    public required string ServerTokens { get; init; }

    /// <summary>Connections waiting to be accepted.</summary>
    public required int RequestQueueSize { get; init; }

    /// <summary>Base address for others, without a slash at the end.</summary>
    public string Url => $"{(CertFile is null ? "http" : "https")}://{ConnectAddress}";
}

/// <summary>How APIs of other nodes are called; values of restapi already filled in where ctl has none.</summary>
public sealed record CtlSettings
{
    /// <summary>Sent with unsafe requests.</summary>
    public required BasicCredentials? Authentication { get; init; }

    /// <summary>Do not verify servers.</summary>
    public required bool Insecure { get; init; }

    /// <summary>CAs of servers.</summary>
    public required string? CaCert { get; init; }

    /// <summary>Client certificate.</summary>
    public required string? CertFile { get; init; }

    /// <summary>Its key.</summary>
    public required string? KeyFile { get; init; }

    /// <summary>Password of the key.</summary>
    public required string? KeyFilePassword { get; init; }
}

/// <summary>Certificate files of the Raft port.</summary>
public sealed record RaftTlsFiles(string CertFile, string KeyFile, string CaFile);

/// <summary>The consensus group.</summary>
public sealed record RaftSettings
{
    /// <summary>Where others reach this node.</summary>
    public required HostPort SelfAddress { get; init; }

    /// <summary>Where it listens.</summary>
    public required HostPort BindAddress { get; init; }

    /// <summary>The other first members, without this node.</summary>
    public required ImmutableArray<HostPort> Partners { get; init; }

    /// <summary>Absolute path of the log's directory.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>The common secret.</summary>
    public required string? Password { get; init; }

    /// <summary>Certificate files instead of the password.</summary>
    public required RaftTlsFiles? Tls { get; init; }

    /// <summary>API addresses of a running group to be added to; empty for a first member.</summary>
    public required ImmutableArray<Uri> Join { get; init; }

    /// <summary>Shortest silence before an election.</summary>
    public required TimeSpan ElectionTimeoutLower { get; init; }

    /// <summary>Longest silence before an election: twice the shortest.</summary>
    public TimeSpan ElectionTimeoutUpper => 2 * ElectionTimeoutLower;
}

/// <summary>Use of the watchdog.</summary>
public enum WatchdogMode
{
    /// <summary>Not used.</summary>
    Off,

    /// <summary>Used where there is one.</summary>
    Automatic,

    /// <summary>No leadership without it.</summary>
    Required,
}

/// <summary>The kernel's watchdog; a safety margin of -1 s is half of ttl.</summary>
public sealed record WatchdogSettings(WatchdogMode Mode, string Device, int SafetyMarginSeconds);
