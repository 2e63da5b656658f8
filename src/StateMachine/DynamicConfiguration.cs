using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>Whether commits wait for standbys chosen by the cluster.</summary>
public enum SynchronousMode
{
    /// <summary>Asynchronous replication.</summary>
    Off,

    /// <summary>Named synchronous standbys.</summary>
    On,

    /// <summary>Any k of the synchronous standbys (ANY k).</summary>
    Quorum,
}

/// <summary>
/// Typed view of the dynamic configuration with its defaults. Pure: equal JSON gives an equal view on every node.
/// Times are whole milliseconds, sizes bytes.
/// </summary>
public sealed record DynamicConfiguration
{
    private DynamicConfiguration(SettingMap document) => Document = document;

    /// <summary>A new cluster's configuration when nothing is set.</summary>
    public static DynamicConfiguration Default { get; } = From(SettingMap.Empty);

    /// <summary>What users wrote, in their order.</summary>
    public SettingMap Document { get; }

    /// <summary>Life of the leader lease.</summary>
    public long TtlMs { get; private init; } = 10_000;

    /// <summary>Longest time between two turns of the HA loop, as configured.</summary>
    public long LoopWaitMs { get; private init; } = 2_000;

    /// <summary>How long one operation is tried again.</summary>
    public long RetryTimeoutMs { get; private init; } = 3_000;

    /// <summary>How often the lease is renewed, see <see cref="LeaseTimings.RenewalIntervalMs"/>, for Raft's default election timeout.</summary>
    public long RenewalIntervalMs => LeaseTimings.RenewalIntervalMs(TtlMs, LoopWaitMs, RetryTimeoutMs);

    /// <summary>A replica further behind may not be elected.</summary>
    public long MaximumLagOnFailover { get; private init; } = DynamicConfigurationSchema.DefaultMaximumLagOnFailover;

    /// <summary>A synchronous replica further behind is exchanged; off at 0 and below.</summary>
    public long MaximumLagOnSyncnode { get; private init; } = -1;

    /// <summary>Entries of the timeline history kept; 0 keeps all.</summary>
    public int MaxTimelinesHistory { get; private init; }

    /// <summary>How long a crashed primary may recover; 0 fails over at once.</summary>
    public long PrimaryStartTimeoutMs { get; private init; } = 300_000;

    /// <summary>How long a stop may take with synchronous mode; 0 is without limit.</summary>
    public long PrimaryStopTimeoutMs { get; private init; }

    /// <summary>Postpones an election while WAL still arrives; 0 is off.</summary>
    public long PrimaryRaceBackoffMs { get; private init; }

    /// <summary>Synchronous replication as configured; a standby cluster counts as <see cref="SynchronousMode.Off"/>.</summary>
    public SynchronousMode SynchronousMode { get; private init; }

    /// <summary>Block writes rather than go on without a synchronous standby.</summary>
    public bool SynchronousModeStrict { get; private init; }

    /// <summary>Number of synchronous standbys wanted.</summary>
    public int SynchronousNodeCount { get; private init; } = 1;

    /// <summary>Without quorum stay primary while all members answer.</summary>
    public bool FailsafeMode { get; private init; }

    /// <summary>A candidate must have the latest timeline.</summary>
    public bool CheckTimeline { get; private init; }

    /// <summary>No automatic failover.</summary>
    public bool Pause { get; private init; }

    /// <summary>How long the slot of an absent member is kept.</summary>
    public long MemberSlotsTtlMs { get; private init; } = 1_800_000;

    /// <summary>The cluster follows a primary outside of it (host, port or restore_command of standby_cluster is set).</summary>
    public bool IsStandbyCluster { get; private init; }

    /// <summary>Permanent slots under the first of Patroni's three spellings that is present.</summary>
    public SettingMap PermanentSlots { get; private init; } = SettingMap.Empty;

    /// <summary>The <c>postgresql</c> section.</summary>
    public DynamicPostgres Postgresql { get; private init; } = DynamicPostgres.Default;

    /// <summary>What is accepted and deserves a word all the same; for logs and for the answer to a human.</summary>
    public ImmutableArray<string> Notices { get; private init; } = [];

    /// <summary>Reads and checks a configuration; the view is <c>null</c> when there is any problem.</summary>
    public static (DynamicConfiguration? Configuration, IReadOnlyList<ConfigurationProblem> Problems) Parse(string json)
    {
        var problems = new List<ConfigurationProblem>();
        var document = SettingJson.ParseObject(json, problems);
        return document is null ? (null, problems) : Parse(document, problems);
    }

    /// <summary>As <see cref="Parse(string)"/> for a tree that was read already (<c>bootstrap.dcs</c> with its lines).</summary>
    public static (DynamicConfiguration? Configuration, IReadOnlyList<ConfigurationProblem> Problems) Parse(SettingMap document) =>
        Parse(document, []);

    /// <summary>All problems of a configuration; empty when it may be used.</summary>
    public static IReadOnlyList<ConfigurationProblem> Validate(string json) => Parse(json).Problems;

    /// <summary>
    /// The view of a configuration that was accepted before, maybe by another version: total, what it cannot read has its default.
    /// </summary>
    public static DynamicConfiguration ReadAccepted(string json)
    {
        var document = SettingJson.ParseObject(json, new List<ConfigurationProblem>());
        return document is null ? Default : From(document);
    }

    /// <summary>
    /// The document after <c>PATCH /config</c>: maps merge, null removes. Both must be JSON objects; <c>null</c> when one is not.
    /// </summary>
    public static string? Patch(string current, string patch)
    {
        var ignored = new List<ConfigurationProblem>();
        return SettingJson.ParseObject(current, ignored) is { } old && SettingJson.ParseObject(patch, ignored) is { } change
            ? SettingJson.Write(old.Merge(change))
            : null;
    }

    private static (DynamicConfiguration?, IReadOnlyList<ConfigurationProblem>) Parse(SettingMap document, List<ConfigurationProblem> problems)
    {
        new SettingValidator(DynamicConfigurationSchema.Root, SettingPlaces.Dynamic, problems).Validate(document);
        DynamicConfigurationRules.Check(document, problems);
        return problems.Count == 0 ? (From(document), problems) : (null, problems);
    }

    private static DynamicConfiguration From(SettingMap d)
    {
        var standby = d.Section("standby_cluster");
        var isStandby = new[] { "host", "port", "restore_command" }.Any(k => SettingReader.Text(standby[k]) is { Length: > 0 });
        var read = new DynamicConfiguration(d)
        {
            TtlMs = SettingReader.Milliseconds(d["ttl"]) ?? 10_000,
            LoopWaitMs = SettingReader.Milliseconds(d["loop_wait"]) ?? 2_000,
            RetryTimeoutMs = SettingReader.Milliseconds(d["retry_timeout"]) ?? 3_000,
            MaximumLagOnFailover = SettingReader.Bytes(d["maximum_lag_on_failover"]) ?? DynamicConfigurationSchema.DefaultMaximumLagOnFailover,
            MaximumLagOnSyncnode = SettingReader.Bytes(d["maximum_lag_on_syncnode"]) ?? -1,
            MaxTimelinesHistory = Int(d["max_timelines_history"], 0),
            PrimaryStartTimeoutMs = SettingReader.Milliseconds(d["primary_start_timeout"] ?? d["master_start_timeout"]) ?? 300_000,
            PrimaryStopTimeoutMs = SettingReader.Milliseconds(d["primary_stop_timeout"] ?? d["master_stop_timeout"]) ?? 0,
            PrimaryRaceBackoffMs = SettingReader.Milliseconds(d["primary_race_backoff"]) ?? 0,
            SynchronousMode = isStandby ? SynchronousMode.Off : ReadSynchronousMode(d["synchronous_mode"]),
            SynchronousModeStrict = SettingReader.Boolean(d["synchronous_mode_strict"]) ?? false,
            SynchronousNodeCount = Math.Max(1, Int(d["synchronous_node_count"], 1)),
            FailsafeMode = SettingReader.Boolean(d["failsafe_mode"]) ?? false,
            CheckTimeline = SettingReader.Boolean(d["check_timeline"]) ?? false,
            Pause = SettingReader.Boolean(d["pause"]) ?? false,
            MemberSlotsTtlMs = SettingReader.Milliseconds(d["member_slots_ttl"]) ?? 1_800_000,
            IsStandbyCluster = isStandby,
            PermanentSlots = (d["permanent_replication_slots"] ?? d["permanent_slots"] ?? d["slots"]) as SettingMap ?? SettingMap.Empty,
            Postgresql = DynamicPostgres.From(d.Section("postgresql")),
        };
        return read with { Notices = DynamicConfigurationRules.Notices(read) };
    }

    private static int Int(SettingValue? value, int fallback) =>
        SettingReader.Integer(value) is { } n ? (int)Math.Clamp(n, 0, int.MaxValue) : fallback;

    private static SynchronousMode ReadSynchronousMode(SettingValue? value) =>
        string.Equals(SettingReader.Text(value), "quorum", StringComparison.OrdinalIgnoreCase) ? SynchronousMode.Quorum
        : SettingReader.Boolean(value) == true ? SynchronousMode.On : SynchronousMode.Off;
}
