using System.Collections.Immutable;
using System.Net;

namespace Patroni.Raft.Consensus;

/// <summary>A member as this node sees it.</summary>
/// <param name="EndPoint">Raft address.</param>
/// <param name="IsSelf">Whether it is this node.</param>
/// <param name="IsLeader">Whether this node believes that it leads.</param>
/// <param name="LastHeard">Time since the last exchange with it in either direction; null if there was none since start.</param>
public sealed record RaftMember(EndPoint EndPoint, bool IsSelf, bool IsLeader, TimeSpan? LastHeard);

/// <summary>Facts about a node that answered on its Raft port.</summary>
/// <param name="EndPoint">Its advertised Raft address.</param>
/// <param name="ClusterId">The group's id; empty before the first leader fixed it.</param>
/// <param name="Generation">Generation of the group; 0 before.</param>
/// <param name="Members">The members in its stored configuration.</param>
/// <param name="Leader">The leader that it knows.</param>
/// <param name="Metadata">What it tells about itself (<see cref="RaftOptions.Metadata"/>).</param>
public sealed record RaftPeer(
    EndPoint EndPoint,
    Guid ClusterId,
    long Generation,
    ImmutableArray<EndPoint> Members,
    EndPoint? Leader,
    ImmutableDictionary<string, string> Metadata);

/// <summary>Figures of one moment, for status pages and metrics.</summary>
/// <param name="ClusterId">The group's id; empty before the first leader fixed it.</param>
/// <param name="Generation">Generation of the group.</param>
/// <param name="IsLeader">Whether this node leads.</param>
/// <param name="Leader">Address of the leader, if known.</param>
/// <param name="Term">Raft term.</param>
/// <param name="LastIndex">Last durable index here.</param>
/// <param name="CommitIndex">Last index known to be committed.</param>
/// <param name="AppliedIndex">Last index applied to the state machine.</param>
/// <param name="SnapshotIndex">Index of the latest snapshot; 0 if none.</param>
/// <param name="LogBytes">Bytes of the current log file.</param>
/// <param name="LeadershipChanges">How often the known leader changed since start.</param>
/// <param name="CommitLatencyMean">Mean time from append to applied of this leader's proposals, over the last 1,000.</param>
/// <param name="CommitLatencyMax">The largest of them.</param>
/// <param name="FsyncMean">Mean time of the last 1,000 fsyncs of the log.</param>
/// <param name="Members">The members.</param>
public sealed record RaftStatus(
    Guid ClusterId,
    long Generation,
    bool IsLeader,
    EndPoint? Leader,
    long Term,
    long LastIndex,
    long CommitIndex,
    long AppliedIndex,
    long SnapshotIndex,
    long LogBytes,
    long LeadershipChanges,
    TimeSpan CommitLatencyMean,
    TimeSpan CommitLatencyMax,
    TimeSpan FsyncMean,
    ImmutableArray<RaftMember> Members);
