using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// Everything the cluster agreed on. Immutable; produced only by <see cref="ClusterStateMachine.Apply"/>, so that the same log
/// gives the same state, byte for byte, on every node.
/// </summary>
public sealed record ClusterState
{
    /// <summary>The state before the first command.</summary>
    public static ClusterState Empty { get; } = new();

    /// <summary>Feature level in force; commands above it are refused everywhere alike.</summary>
    public int FeatureLevel { get; init; } = 1;
    /// <summary>Generation of the Raft group; raised by <c>force-new-cluster</c>.</summary>
    public uint Generation { get; init; } = 1;
    /// <summary>Log index of the last applied command.</summary>
    public long AppliedIndex { get; init; }
    /// <summary>Where the cluster is in its lifecycle.</summary>
    public Leadership Leadership { get; init; } = new Uninitialized();
    /// <summary>Database system identifier of the cluster; 0 before initialization. The value of Patroni's <c>initialize</c> key.</summary>
    public ulong SystemIdentifier { get; init; }
    /// <summary>Dynamic configuration exactly as users wrote it.</summary>
    public ConfigDocument Config { get; init; } = new("{}", 0);
    /// <summary>Known nodes with PostgreSQL, by name.</summary>
    public ImmutableSortedDictionary<NodeName, Member> Members { get; init; } = ImmutableSortedDictionary<NodeName, Member>.Empty;
    /// <summary>Registered voters, by name.</summary>
    public ImmutableSortedDictionary<NodeName, Peer> Peers { get; init; } = ImmutableSortedDictionary<NodeName, Peer>.Empty;
    /// <summary>A requested switchover or failover; none when nothing is requested.</summary>
    public FailoverRequest? Failover { get; init; }
    /// <summary>The synchronous set.</summary>
    public SyncState Sync { get; init; } = SyncState.None;
    /// <summary>Topology of failsafe mode: member name to API URL.</summary>
    public ImmutableSortedDictionary<NodeName, string> FailsafeTopology { get; init; } = ImmutableSortedDictionary<NodeName, string>.Empty;
    /// <summary>Log index of the last change of <see cref="FailsafeTopology"/>; 0 before the first.</summary>
    public long FailsafeVersion { get; init; }
    /// <summary>Switches of timeline, oldest first, bounded by <c>max_timelines_history</c> when it is set.</summary>
    public ImmutableArray<HistoryEntry> History { get; init; } = [];
    /// <summary>Every promotion recorded, oldest first, the newest 1,000.</summary>
    public ImmutableArray<Promotion> Lineage { get; init; } = [];
    /// <summary>Significant events, oldest first, the newest 1,000.</summary>
    public ImmutableArray<EventRecord> Events { get; init; } = [];
    /// <summary>Number of significant events ever recorded; the id of the newest.</summary>
    public long EventCount { get; init; }
    /// <summary>Outcomes of recent proposals, by proposer, for deduplication.</summary>
    public ImmutableSortedDictionary<ulong, ProposerWindow> Proposers { get; init; } = ImmutableSortedDictionary<ulong, ProposerWindow>.Empty;

    /// <summary>The lease, when somebody holds leadership.</summary>
    [JsonIgnore] public LeaderLease? Lease => Leadership.HeldLease;

    /// <summary>The holder of leadership, or null.</summary>
    [JsonIgnore] public NodeName? Leader => Leadership.HeldLease?.Holder;

    /// <summary>The open election, or null.</summary>
    [JsonIgnore] public Vacancy? Vacancy => (Leadership as Vacant)?.Vacancy;

    /// <summary>The newest recorded promotion, or null.</summary>
    [JsonIgnore] public Promotion? LatestPromotion => Lineage.IsEmpty ? null : Lineage[^1];

    /// <summary>Typed view of <see cref="Config"/>; parsed once per version.</summary>
    [JsonIgnore] public DynamicConfiguration Settings => Config.Settings;

    /// <summary>Whether the history tells of the fence of that time.</summary>
    public bool RecordsFence(NodeName node, long atUnixMs)
    {
        for (int i = Events.Length - 1; i >= 0; i--)
            if (Events[i].Event is GuardFenced known && known.Node == node && known.Fence.AtUnixMs == atUnixMs) return true;
        return false;
    }
}

/// <summary>Dynamic configuration and its version.</summary>
/// <param name="Json">One line of JSON, exactly what users wrote after merging.</param>
/// <param name="Version">Log index of the last change; 0 before the first.</param>
public sealed record ConfigDocument(string Json, long Version)
{
    private DynamicConfiguration? settings;

    /// <summary>Typed view with defaults filled in.</summary>
    [JsonIgnore] public DynamicConfiguration Settings => settings ??= DynamicConfiguration.ReadAccepted(Json);
}

/// <summary>A requested switchover or failover; Patroni's <c>failover</c> key.</summary>
/// <param name="Kind">Which of the two.</param>
/// <param name="Leader">The leader that the request names, or null.</param>
/// <param name="Candidate">The node to promote, or null for the best.</param>
/// <param name="ScheduledAtUnixMs">When, in Unix milliseconds; null for at once.</param>
/// <param name="ScheduledAtText">The time as the operator wrote it (ISO 8601 with offset); null for at once.</param>
/// <param name="RequestIndex">Log index of the request; its identity.</param>
public sealed record FailoverRequest(
    FailoverKind Kind, NodeName? Leader, NodeName? Candidate, long? ScheduledAtUnixMs, string? ScheduledAtText, long RequestIndex)
{
    /// <summary>Whether the time has come.</summary>
    /// <param name="unixNowMs">Wall clock in Unix milliseconds.</param>
    public bool IsDue(long unixNowMs) => ScheduledAtUnixMs is not { } at || unixNowMs >= at;
}

/// <summary>Kinds of requests to move leadership.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FailoverKind>))]
public enum FailoverKind
{
    /// <summary>From a healthy leader.</summary>
    Switchover,
    /// <summary>To a named candidate, with or without a leader.</summary>
    Failover,
}

/// <summary>The synchronous set: who may hold every acknowledged commit.</summary>
/// <param name="Leader">The primary this set belongs to; null when synchronous mode is off.</param>
/// <param name="Standbys">Synchronous standbys with the life of their data directory, sorted by name.</param>
/// <param name="Quorum">How many further nodes an election needs in quorum mode; 0 otherwise.</param>
/// <param name="Version">Log index of the last change.</param>
public sealed record SyncState(NodeName? Leader, ImmutableArray<SyncMember> Standbys, int Quorum, long Version)
{
    /// <summary>Synchronous mode is off.</summary>
    public static SyncState None { get; } = new(null, [], 0, 0);

    /// <summary>The life of the leader's data directory: the leader's name with other data holds nothing.</summary>
    public Incarnation LeaderIncarnation { get; init; }

    /// <summary>Whether a node with this life of its data may hold every acknowledged commit: the leader, or a standby of the set.</summary>
    public bool Covers(NodeName node, Incarnation incarnation) =>
        (node == Leader && incarnation == LeaderIncarnation) || Contains(node, incarnation);

    /// <summary>Whether a node with this life of its data is a standby of the set.</summary>
    public bool Contains(NodeName node, Incarnation incarnation)
    {
        foreach (SyncMember member in Standbys)
            if (member.Node == node && member.Incarnation == incarnation) return true;
        return false;
    }
}

/// <summary>A member of the synchronous set.</summary>
/// <param name="Node">Its name.</param>
/// <param name="Incarnation">The life of its data directory that was synchronous.</param>
public sealed record SyncMember(NodeName Node, Incarnation Incarnation);

/// <summary>A switch of timeline; a row of <c>GET /history</c>.</summary>
/// <param name="Timeline">The timeline that was left.</param>
/// <param name="SwitchLsn">Where it was left.</param>
/// <param name="Reason">PostgreSQL's reason from the history file.</param>
/// <param name="UnixMs">When, in Unix milliseconds by the proposer's clock.</param>
/// <param name="NewLeader">Who was promoted.</param>
public sealed record HistoryEntry(TimelineId Timeline, Lsn SwitchLsn, string Reason, long UnixMs, NodeName NewLeader);

/// <summary>A proposer's recent outcomes.</summary>
/// <param name="LastIndex">Log index of its newest command; the longest unused proposer is dropped first.</param>
/// <param name="Highest">Its highest sequence seen.</param>
/// <param name="Outcomes">Outcomes by sequence, the newest ones.</param>
public sealed record ProposerWindow(long LastIndex, ulong Highest, ImmutableSortedDictionary<ulong, Outcome> Outcomes);
