namespace Patroni.Raft.Api.HealthChecks;

/// <summary>The questions that health-check paths ask.</summary>
internal enum HealthCheck
{
    /// <summary>A path we do not know: 503 with the status document, as Patroni answers.</summary>
    Unknown,
    Primary,
    Leader,
    StandbyLeader,
    Replica,
    ReadOnly,
    Synchronous,
    ReadOnlySynchronous,
    Quorum,
    ReadOnlyQuorum,
    Asynchronous,
    Health,
    Liveness,
    Readiness,
}

/// <summary>Which path asks which question.</summary>
internal static class HealthPaths
{
    /// <summary>The documented paths.</summary>
    public static IReadOnlyList<KeyValuePair<string, HealthCheck>> All { get; } =
    [
        new("/", HealthCheck.Primary),
        new("/primary", HealthCheck.Primary),
        new("/master", HealthCheck.Primary),
        new("/read-write", HealthCheck.Primary),
        new("/leader", HealthCheck.Leader),
        new("/standby-leader", HealthCheck.StandbyLeader),
        new("/standby_leader", HealthCheck.StandbyLeader),
        new("/replica", HealthCheck.Replica),
        new("/read-only", HealthCheck.ReadOnly),
        new("/synchronous", HealthCheck.Synchronous),
        new("/sync", HealthCheck.Synchronous),
        new("/read-only-sync", HealthCheck.ReadOnlySynchronous),
        new("/read-only-synchronous", HealthCheck.ReadOnlySynchronous),
        new("/quorum", HealthCheck.Quorum),
        new("/read-only-quorum", HealthCheck.ReadOnlyQuorum),
        new("/asynchronous", HealthCheck.Asynchronous),
        new("/async", HealthCheck.Asynchronous),
        new("/health", HealthCheck.Health),
        new("/liveness", HealthCheck.Liveness),
        new("/readiness", HealthCheck.Readiness),
    ];

    /// <summary>
    /// Any other path: Patroni looks for words in it (api.py, do_GET), and checks such as <c>/replica/haproxy</c> rely on that.
    /// </summary>
    public static HealthCheck OfAnyPath(string path)
    {
        bool Has(string word) => path.Contains(word, StringComparison.Ordinal);
        if (Has("standby_leader") || Has("standby-leader")) return HealthCheck.StandbyLeader;
        if (Has("leader")) return HealthCheck.Leader;
        if (Has("master") || Has("primary") || Has("read-write")) return HealthCheck.Primary;
        if (Has("replica")) return HealthCheck.Replica;
        if (Has("read-only") && !Has("sync") && !Has("quorum")) return HealthCheck.ReadOnly;
        return Has("health") ? HealthCheck.Health : HealthCheck.Unknown;
    }
}
