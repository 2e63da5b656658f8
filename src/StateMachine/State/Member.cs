using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>A node as the cluster knows it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Presence">Its place in <see cref="MemberLifecycle"/>.</param>
/// <param name="Report">What it last said of itself.</param>
/// <param name="LastTouchIndex">Log index of its last report.</param>
/// <param name="LastTouch">The proposal of its last report: an older one that was delayed no longer counts.</param>
public sealed record Member(NodeName Name, MemberPresence Presence, MemberReport Report, long LastTouchIndex, CommandId LastTouch = default)
{
    /// <summary>A restart that an operator asked for at a time; null when none is scheduled.</summary>
    public ScheduledRestart? ScheduledRestart { get; init; }
}

/// <summary>States of the member lifecycle.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<MemberPresence>))]
public enum MemberPresence
{
    /// <summary>The cluster does not know it.</summary>
    Unknown,
    /// <summary>It reports.</summary>
    Alive,
    /// <summary>It stopped reporting.</summary>
    Silent,
}

/// <summary>What a node says of itself.</summary>
public sealed record MemberReport
{
    /// <summary>URL of its REST API's status document, for example <c>http://10.0.0.1:8008/patroni</c>.</summary>
    public string ApiUrl { get; init; } = "";
    /// <summary>Host clients and standbys connect to.</summary>
    public string Host { get; init; } = "";
    /// <summary>Port clients and standbys connect to.</summary>
    public int Port { get; init; }
    /// <summary>Life of the data directory; none when there is no data.</summary>
    public Incarnation Incarnation { get; init; }
    /// <summary>Database system identifier of the data directory; 0 when there is no data.</summary>
    public ulong SystemIdentifier { get; init; }
    /// <summary>State of PostgreSQL.</summary>
    public PostgresState State { get; init; }
    /// <summary>Role of PostgreSQL.</summary>
    public PostgresRole Role { get; init; }
    /// <summary>Timeline it runs on; that of its control file when it does not run, and unknown without data.</summary>
    public TimelineId Timeline { get; init; }
    /// <summary>Write position of a primary.</summary>
    public Lsn WriteLsn { get; init; }
    /// <summary>Received position of a standby; 0/0 when nothing was received since its start.</summary>
    public Lsn ReceiveLsn { get; init; }
    /// <summary>Replayed position of a standby.</summary>
    public Lsn ReplayLsn { get; init; }
    /// <summary><c>streaming</c>, <c>in archive recovery</c>, or empty.</summary>
    public string ReplicationState { get; init; } = "";
    /// <summary>Version of the agent.</summary>
    public string AgentVersion { get; init; } = "";
    /// <summary>server_version_num of PostgreSQL, 0 when unknown.</summary>
    public int ServerVersion { get; init; }
    /// <summary>The <c>tags</c> section as one line of JSON, keys sorted; <c>{}</c> when empty.</summary>
    public string TagsJson { get; init; } = "{}";
    /// <summary>Reasons of a pending restart as one line of JSON (<c>{"max_connections":{"old_value":"50","new_value":"60"}}</c>); empty when none is pending.</summary>
    public string PendingRestartJson { get; init; } = "";
    /// <summary>What long work on the data runs and how far it is, for example <c>cloning from node1: 45 %</c>; empty when none does.</summary>
    public string Progress { get; init; } = "";
    /// <summary>What the node waits for or complains about, for operators; empty when all is well.</summary>
    public string Note { get; init; } = "";
    /// <summary>What is wrong with a disk of the node; empty when all is well. It takes no leadership meanwhile.</summary>
    public string DiskTrouble { get; init; } = "";
    /// <summary>Whether a watchdog is required and cannot be used: it will not be promoted.</summary>
    public bool WatchdogFailed { get; init; }
    /// <summary>Highest feature level this node supports.</summary>
    public int FeatureLevel { get; init; } = 1;
    /// <summary>How the running agent brought the present life of the data about; unknown when an earlier run of it did.</summary>
    public DataOrigin Origin { get; init; }
}

/// <summary>How a data directory came to hold what it holds.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DataOrigin>))]
public enum DataOrigin
{
    /// <summary>The agent found it there.</summary>
    Unknown,
    /// <summary>It created the database cluster.</summary>
    Initialized,
    /// <summary>It was cloned from another node.</summary>
    Cloned,
    /// <summary>pg_rewind brought it back into the leader's history.</summary>
    Rewound,
}

/// <summary>A voter of the Raft group.</summary>
/// <param name="Name">Its name.</param>
/// <param name="RaftAddress">host:port of its Raft endpoint.</param>
/// <param name="ApiUrl">Base URL of its REST API, for forwarding.</param>
/// <param name="Kind">Whether it has a PostgreSQL.</param>
public sealed record Peer(NodeName Name, string RaftAddress, string ApiUrl, PeerKind Kind);

/// <summary>Kinds of voters.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PeerKind>))]
public enum PeerKind
{
    /// <summary>A voter with a PostgreSQL.</summary>
    Data,
    /// <summary>A voter without PostgreSQL.</summary>
    Witness,
}

/// <summary>States of PostgreSQL, as Patroni names them.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PostgresState>))]
public enum PostgresState
{
    /// <summary>Not known yet, or no data directory.</summary>
    Uninitialized,
    /// <summary><c>initializing new cluster</c></summary>
    Initializing,
    /// <summary><c>initdb failed</c></summary>
    InitdbFailed,
    /// <summary><c>running custom bootstrap script</c></summary>
    CustomBootstrap,
    /// <summary><c>custom bootstrap failed</c></summary>
    CustomBootstrapFailed,
    /// <summary><c>creating replica</c></summary>
    CreatingReplica,
    /// <summary><c>running</c></summary>
    Running,
    /// <summary><c>starting</c></summary>
    Starting,
    /// <summary><c>starting after custom bootstrap</c></summary>
    BootstrapStarting,
    /// <summary><c>start failed</c></summary>
    StartFailed,
    /// <summary><c>restarting</c></summary>
    Restarting,
    /// <summary><c>restart failed</c></summary>
    RestartFailed,
    /// <summary><c>stopping</c></summary>
    Stopping,
    /// <summary><c>stopped</c></summary>
    Stopped,
    /// <summary><c>stop failed</c></summary>
    StopFailed,
    /// <summary><c>crashed</c></summary>
    Crashed,
}

/// <summary>Roles of PostgreSQL.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PostgresRole>))]
public enum PostgresRole
{
    /// <summary>Not known, or no data directory.</summary>
    Uninitialized,
    /// <summary>A standby.</summary>
    Replica,
    /// <summary>Writable.</summary>
    Primary,
    /// <summary>Leader of a standby cluster.</summary>
    StandbyLeader,
}
