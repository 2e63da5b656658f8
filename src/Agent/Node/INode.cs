using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Node;

/// <summary>What the REST API may ask of the agent it runs in. Nothing here runs SQL; reads come from the last snapshot.</summary>
public interface INode
{
    /// <summary>The node as of the last turn of the HA loop; never null, never waits.</summary>
    NodeSnapshot Snapshot { get; }

    /// <summary>How long a proposal of this node took until its outcome was known; called on the proposer's thread, must not block.</summary>
    event Action<TimeSpan>? Committed;

    /// <summary>CLOCK_BOOTTIME now, in milliseconds: the clock of <see cref="NodeSnapshot.LeaseDeadlineMs"/>.</summary>
    long NowMs { get; }

    /// <summary>
    /// Proposes a command, from any node, and returns what became of it. The id stays the same over retries inside.
    /// </summary>
    /// <exception cref="ClusterUnavailableException">No quorum, or no answer, within the timeout; the outcome may be unknown.</exception>
    Task<Outcome> ProposeAsync(Command command, TimeSpan timeout, CancellationToken cancellation);

    /// <summary>The replicated state after a linearizable read barrier.</summary>
    /// <exception cref="ClusterUnavailableException">No quorum within the timeout.</exception>
    Task<ClusterState> ReadAsync(TimeSpan timeout, CancellationToken cancellation);

    /// <summary>Waits until the applied state satisfies the condition; returns that state, or null at the timeout.</summary>
    Task<ClusterState?> WaitForAsync(Func<ClusterState, bool> condition, TimeSpan timeout, CancellationToken cancellation);

    /// <summary>Restarts the local PostgreSQL; completes when it accepts connections again or failed.</summary>
    Task<OperationResult> RestartAsync(TimeSpan? timeout, CancellationToken cancellation);

    /// <summary>Throws the local data away and clones again; completes when it is accepted, not when it is done.</summary>
    Task<OperationResult> ReinitializeAsync(bool force, bool fromLeader, CancellationToken cancellation);

    /// <summary>Answers a primary that lost the quorum; a yes is a durable promise.</summary>
    Task<FailsafeAnswer> AnswerFailsafeAsync(FailsafeQuestion question, CancellationToken cancellation);

    /// <summary>Reads the configuration files again.</summary>
    OperationResult Reload();

    /// <summary>The Raft group as DotNext and the replicated state know it.</summary>
    IReadOnlyList<RaftMemberView> RaftMembers { get; }

    /// <summary>Adds a voter; to be called on any node, forwarded to the Raft leader.</summary>
    Task<OperationResult> AddRaftMemberAsync(string address, CancellationToken cancellation);

    /// <summary>Removes a voter by name or address.</summary>
    Task<OperationResult> RemoveRaftMemberAsync(string nameOrAddress, CancellationToken cancellation);

    /// <summary>Moves leadership of the Raft group (not of PostgreSQL).</summary>
    Task<OperationResult> TransferRaftLeadershipAsync(string nameOrAddress, CancellationToken cancellation);

    /// <summary>Who this node is in its Raft group.</summary>
    RaftIdentity RaftIdentity { get; }

    /// <summary>Whether a token presented by another node is the one derived from the cluster's secret.</summary>
    bool IsNodeToken(ReadOnlySpan<char> token);
}

/// <summary>The result of a local operation.</summary>
/// <param name="Succeeded">Whether it was done (or accepted).</param>
/// <param name="Message">One sentence for the operator.</param>
public sealed record OperationResult(bool Succeeded, string Message);

/// <summary>A voter of the Raft group.</summary>
/// <param name="Name">Its name, or empty when it has not registered.</param>
/// <param name="Address">host:port of its Raft endpoint.</param>
/// <param name="IsLeader">Whether it leads the Raft group.</param>
/// <param name="ApiUrl">Base URL of its REST API, or empty.</param>
/// <param name="HasData">Whether it has a PostgreSQL.</param>
/// <param name="LastSeenMs">Milliseconds since it was last heard of by this node; null when unknown.</param>
public sealed record RaftMemberView(string Name, string Address, bool IsLeader, string ApiUrl, bool HasData, long? LastSeenMs);

/// <summary>Identity of a node in its Raft group.</summary>
/// <param name="ClusterId">Id of the group; empty before the first formation.</param>
/// <param name="Generation">Generation of the group; 0 before.</param>
/// <param name="Address">Advertised Raft address.</param>
/// <param name="Name">Node name.</param>
/// <param name="Scope">Cluster scope.</param>
public sealed record RaftIdentity(string ClusterId, long Generation, string Address, string Name, string Scope);

/// <summary>The replicated log could not answer in time.</summary>
public sealed class ClusterUnavailableException(string message, Exception? cause = null) : Exception(message, cause);
