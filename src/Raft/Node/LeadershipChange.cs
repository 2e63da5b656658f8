using System.Net;

namespace Patroni.Raft.Consensus;

/// <summary>Who leads, as this node sees it now.</summary>
/// <param name="IsLeader">Whether this node leads and its log is whole: everything committed before is applied or on its way.</param>
/// <param name="Leader">The leader; null while there is none.</param>
/// <param name="Term">Raft term.</param>
public sealed record LeadershipChange(bool IsLeader, EndPoint? Leader, long Term);
