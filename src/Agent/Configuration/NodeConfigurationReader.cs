using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>Makes the typed configuration of a document that passed every check; never fails on one that did.</summary>
internal static class NodeConfigurationReader
{
    public static NodeConfiguration Read(SettingMap d, bool witness, string source, string baseDirectory, ImmutableArray<string> notices)
    {
        var restApi = RestApi(d.Section("restapi"), baseDirectory);
        return new NodeConfiguration
        {
            Name = new NodeName(Text(d, "name")!),
            Scope = Text(d, "scope")!,
            Namespace = Text(d, "namespace") ?? "/service",
            IsWitness = witness,
            Log = Log(d.Section("log"), baseDirectory),
            RestApi = restApi,
            Ctl = Ctl(d.Section("ctl"), restApi, baseDirectory),
            Raft = Raft(d.Section("raft"), baseDirectory),
            Tags = TagSettings.From(d.Section("tags")),
            Watchdog = Watchdog(d.Section("watchdog")),
            Bootstrap = PostgresSectionReader.Bootstrap(d.Section("bootstrap")),
            Postgresql = witness ? null : PostgresSectionReader.Local(d.Section("postgresql"), baseDirectory),
            Source = source,
            Notices = notices,
            Document = d,
        };
    }

    internal static string? Text(SettingMap map, string key) => SettingReader.Text(map[key]) is { Length: > 0 } text ? text : null;

    internal static string? FilePath(SettingMap map, string key, string baseDirectory) =>
        Text(map, key) is { } path ? Absolute(path, baseDirectory) : null;

    internal static string Absolute(string path, string baseDirectory)
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var expanded = path is "~" || path.StartsWith("~/", StringComparison.Ordinal) ? home + path[1..] : path;
        return Path.GetFullPath(expanded, baseDirectory);
    }

    internal static HostPort? Address(SettingMap map, string key) =>
        Endpoint.TryParse(Text(map, key), out var host, out var port) && port is { } number ? new HostPort(host, number) : null;

    internal static bool Flag(SettingMap map, string key, bool fallback = false) => SettingReader.Boolean(map[key]) ?? fallback;

    internal static ImmutableSortedDictionary<string, string> Texts(SettingMap map, StringComparer? comparer = null)
    {
        var result = ImmutableSortedDictionary.CreateBuilder<string, string>(comparer ?? StringComparer.Ordinal);
        foreach (var entry in map.Entries)
        {
            if (entry.Value is SettingScalar scalar)
            {
                result[entry.Key] = scalar.Text;
            }
        }

        return result.ToImmutable();
    }

    private static LogSettings Log(SettingMap log, string baseDirectory) => new()
    {
        Json = string.Equals(Text(log, "type"), "json", StringComparison.OrdinalIgnoreCase),
        Level = Text(log, "level")?.ToUpperInvariant() switch
        {
            "DEBUG" => LogLevel.Debug,
            "WARN" or "WARNING" => LogLevel.Warning,
            "ERROR" => LogLevel.Error,
            "FATAL" or "CRITICAL" => LogLevel.Critical,
            _ => LogLevel.Information,
        },
        Directory = FilePath(log, "dir", baseDirectory),
        FileCount = (int)(SettingReader.Integer(log["file_num"]) ?? 4),
        FileSizeBytes = SettingReader.Bytes(log["file_size"]) ?? 25_000_000,
        QueueSize = (int)(SettingReader.Integer(log["max_queue_size"]) ?? 1000),
        Loggers = Texts(log.Section("loggers")),
    };

    private static BasicCredentials? Credentials(SettingMap section) =>
        section["authentication"] is SettingMap a ? new BasicCredentials(Text(a, "username") ?? "", Text(a, "password") ?? "") : null;

    private static RestApiSettings RestApi(SettingMap r, string baseDirectory)
    {
        var listen = Address(r, "listen")!;
        return new RestApiSettings
        {
            Listen = listen,
            ConnectAddress = Address(r, "connect_address") ?? listen,
            Authentication = Credentials(r),
            CertFile = FilePath(r, "certfile", baseDirectory),
            KeyFile = FilePath(r, "keyfile", baseDirectory),
            KeyFilePassword = Text(r, "keyfile_password"),
            CaFile = FilePath(r, "cafile", baseDirectory),
            Ciphers = Text(r, "ciphers"),
            VerifyClient = Enum.TryParse<VerifyClient>(Text(r, "verify_client"), true, out var verify) ? verify : VerifyClient.None,
            Allowlist = [.. SettingReader.Texts(r["allowlist"]) ?? []],
            AllowlistIncludeMembers = Flag(r, "allowlist_include_members"),
            HttpExtraHeaders = [.. Texts(r.Section("http_extra_headers"))],
            HttpsExtraHeaders = [.. Texts(r.Section("https_extra_headers"))],
            ServerTokens = (Text(r, "server_tokens") ?? "original").ToLowerInvariant(),
            RequestQueueSize = (int)(SettingReader.Integer(r["request_queue_size"]) ?? 5),
        };
    }

    private static CtlSettings Ctl(SettingMap c, RestApiSettings restApi, string baseDirectory) => new()
    {
        Authentication = Credentials(c) ?? restApi.Authentication,
        Insecure = Flag(c, "insecure"),
        CaCert = FilePath(c, "cacert", baseDirectory) ?? restApi.CaFile,
        CertFile = FilePath(c, "certfile", baseDirectory),
        KeyFile = FilePath(c, "keyfile", baseDirectory),
        KeyFilePassword = Text(c, "keyfile_password"),
    };

    private static RaftSettings Raft(SettingMap r, string baseDirectory)
    {
        var self = Address(r, "self_addr")!;
        var tls = r["tls"] as SettingMap;
        return new RaftSettings
        {
            SelfAddress = self,
            BindAddress = Address(r, "bind_addr") ?? self,
            Partners = [.. Partners(r).Where(p => p != self).Distinct()],
            DataDirectory = FilePath(r, "data_dir", baseDirectory)!,
            Password = Text(r, "password"),
            Tls = tls is null ? null : new RaftTlsFiles(FilePath(tls, "certfile", baseDirectory)!, FilePath(tls, "keyfile", baseDirectory)!, FilePath(tls, "cafile", baseDirectory)!),
            Join = [.. (SettingReader.Texts(r["join"]) ?? []).Select(u => new Uri(u))],
            ElectionTimeoutLower = TimeSpan.FromMilliseconds(SettingReader.Milliseconds(r["election_timeout"]) ?? 500),
        };
    }

    /// <summary>The partners; Patroni allows one text with commas too.</summary>
    internal static IEnumerable<HostPort> Partners(SettingMap raft) =>
        (SettingReader.Texts(raft["partner_addrs"]) ?? []).SelectMany(t => t.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            .Select(t => Endpoint.TryParse(t, out var host, out var port) && port is { } number ? new HostPort(host, number) : null)
            .OfType<HostPort>();

    private static WatchdogSettings Watchdog(SettingMap w) => new(
        Text(w, "mode")?.ToLowerInvariant() switch
        {
            "required" or "require" => WatchdogMode.Required,
            "off" or "false" or "no" or "0" => WatchdogMode.Off,
            _ => WatchdogMode.Automatic,
        },
        Text(w, "device") ?? "/dev/watchdog",
        (int)(SettingReader.Integer(w["safety_margin"]) ?? 5));
}
