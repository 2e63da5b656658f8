using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Node;

/// <summary>Everything the REST API serves, as of the last turn of the HA loop; replaced as a whole.</summary>
public sealed record NodeSnapshot
{
    /// <summary>This node.</summary>
    public required NodeName Self { get; init; }
    /// <summary>The cluster's scope.</summary>
    public required string Scope { get; init; }
    /// <summary>The replicated state applied here.</summary>
    public required ClusterState State { get; init; }
    /// <summary>What this node reports of itself (also when the report is not committed yet).</summary>
    public required MemberReport Report { get; init; }
    /// <summary>The last answer of PostgreSQL; null when it does not run or does not answer.</summary>
    public InstanceStatus? Postgres { get; init; }
    /// <summary>server_version_num of the last answer, kept while PostgreSQL is down; 0 before the first.</summary>
    public int ServerVersion { get; init; }
    /// <summary>When the fence of this node's lease starts, CLOCK_BOOTTIME milliseconds; null when it holds no lease it renewed itself.</summary>
    public long? LeaseDeadlineMs { get; init; }
    /// <summary>Whether failsafe mode carries the primary: here by the promises of the others, on a replica by its own.</summary>
    public bool FailsafeIsActive { get; init; }
    /// <summary>The epoch of that lease.</summary>
    public Epoch LeaseEpoch { get; init; }
    /// <summary>CLOCK_BOOTTIME milliseconds of the last turn of the HA loop.</summary>
    public required long LastTurnMs { get; init; }
    /// <summary>Wall clock (Unix seconds) when the Raft group last answered this node: a leader's heartbeat or a commit.</summary>
    public long DcsLastSeenUnixSeconds { get; init; }
    /// <summary>Rule id of the last decision.</summary>
    public string Rule { get; init; } = "";
    /// <summary>Reason of the last decision, in words.</summary>
    public string Reason { get; init; } = "";
    /// <summary>Running long job with progress (for example <c>cloning from node1: 45 %</c>), or empty.</summary>
    public string Job { get; init; } = "";
    /// <summary>The Raft group as seen here.</summary>
    public required RaftView Raft { get; init; }
    /// <summary>The standby's upstream by name, when known.</summary>
    public NodeName? Upstream { get; init; }
    /// <summary>Whether this process is a witness (no PostgreSQL).</summary>
    public bool IsWitness { get; init; }
    /// <summary>What the log's target has not taken yet.</summary>
    public LogBacklog Log { get; init; }

    /// <summary>
    /// Whether this node may answer as leader: it holds the lease in force, renewed it itself, and the deadline is not reached.
    /// </summary>
    /// <param name="nowMs">CLOCK_BOOTTIME milliseconds at the request.</param>
    public bool HoldsLease(long nowMs) =>
        LeaseDeadlineMs is { } deadline && HeldLease.AnswersAsLeader(State, Self, LeaseEpoch, deadline, nowMs);

    /// <summary>Whether this node is the primary with an unexpired lease and a recorded promotion: what <c>/primary</c> answers.</summary>
    /// <param name="nowMs">CLOCK_BOOTTIME milliseconds at the request.</param>
    public bool IsPrimary(long nowMs) =>
        HoldsLease(nowMs) && State.Leadership is Led && Report is { Role: PostgresRole.Primary, State: PostgresState.Running };
}

/// <summary>Lines of the log on their way.</summary>
/// <param name="Queued">Lines that wait for the target.</param>
/// <param name="Lost">Lines that did not fit and are lost, since the start of this process.</param>
public readonly record struct LogBacklog(int Queued, long Lost)
{
    /// <summary>From more than this on the target is slow (Patroni's log.py, NORMAL_LOG_QUEUE_SIZE).</summary>
    public const int Normal = 2;
}

/// <summary>Figures of the Raft group.</summary>
/// <param name="Role">leader, follower, candidate, or stopped.</param>
/// <param name="Term">Current term.</param>
/// <param name="CommitIndex">Highest committed index known.</param>
/// <param name="AppliedIndex">Highest applied index.</param>
/// <param name="LeaderAddress">Raft address of the leader, or empty when there is none.</param>
/// <param name="Peers">Number of voters.</param>
/// <param name="Elections">Elections seen since the start of this process.</param>
public sealed record RaftView(string Role, long Term, long CommitIndex, long AppliedIndex, string LeaderAddress, int Peers, long Elections);
