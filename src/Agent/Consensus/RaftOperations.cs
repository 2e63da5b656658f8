using System.Net;
using Patroni.Raft.Agent.Node;
using Patroni.Raft.Consensus;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Consensus;

/// <summary>Operations on the Raft group, for data nodes and witnesses alike.</summary>
public sealed class RaftOperations(RaftNode raft, ReplicatedCluster cluster, Proposer proposer)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>The state after a linearizable barrier.</summary>
    /// <exception cref="ClusterUnavailableException">No quorum in time.</exception>
    public async Task<ClusterState> ReadAsync(TimeSpan timeout, CancellationToken cancellation)
    {
        try
        {
            await raft.ReadBarrierAsync(timeout, cancellation).ConfigureAwait(false);
            return cluster.Current.State;
        }
        catch (Exception error) when (error is NoLeaderException or ProposalOutcomeUnknownException or TimeoutException or RaftStoppedException)
        {
            throw new ClusterUnavailableException("The Raft group has no quorum that this node can reach.", error);
        }
    }

    /// <summary>Adds a voter; only the Raft leader can.</summary>
    public async Task<OperationResult> AddAsync(string address, CancellationToken cancellation)
    {
        if (!RaftAddress.TryParse(address, out EndPoint? endpoint)) return new(false, $"\"{address}\" is not a Raft address; expected host:port.");
        MembershipChange change = await raft.AddMemberAsync(endpoint, cancellation).ConfigureAwait(false);
        return new(change.Succeeded, Explain(change, $"{address} is a member of the Raft group now"));
    }

    /// <summary>Removes a voter and forgets its member record; only the Raft leader can.</summary>
    public async Task<OperationResult> RemoveAsync(string nameOrAddress, CancellationToken cancellation)
    {
        if (Find(nameOrAddress) is not { } endpoint) return new(false, $"{nameOrAddress} is neither a registered name nor a Raft address.");
        string text = RaftAddress.Format(endpoint);
        Peer? peer = cluster.Current.State.Peers.Values.FirstOrDefault(p => p.RaftAddress == text);
        if (peer is not null && cluster.Current.State.Leader == peer.Name)
            return new(false, $"{peer.Name} leads PostgreSQL; switch over before it is removed.");
        MembershipChange change = await raft.RemoveMemberAsync(endpoint, cancellation).ConfigureAwait(false);
        if (!change.Succeeded && change.Status != MembershipChangeStatus.NotMember) return new(false, Explain(change, ""));
        if (peer is not null)
        {
            Outcome outcome = await proposer.ProposeAsync(proposer.NextId(), new RemovePeer(peer.Name), Patience, cancellation).ConfigureAwait(false);
            if (!outcome.IsAccepted) return new(false, outcome.Reason);
        }
        return new(true, $"{nameOrAddress} is no longer a member of the Raft group");
    }

    /// <summary>Moves leadership of the group; only the Raft leader can.</summary>
    public async Task<OperationResult> TransferAsync(string nameOrAddress, CancellationToken cancellation)
    {
        if (Find(nameOrAddress) is not { } endpoint) return new(false, $"{nameOrAddress} is neither a registered name nor a Raft address.");
        bool moved = await raft.TransferAsync(endpoint, Patience, cancellation).ConfigureAwait(false);
        return moved ? new(true, $"{nameOrAddress} leads the Raft group now") : new(false, $"{nameOrAddress} did not become leader of the Raft group within {Patience.TotalSeconds:0} s");
    }

    private EndPoint? Find(string nameOrAddress)
    {
        if (cluster.Current.State.Peers.TryGetValue(new(nameOrAddress), out Peer? peer)) return RaftAddress.Parse(peer.RaftAddress);
        return RaftAddress.TryParse(nameOrAddress, out EndPoint? endpoint) ? endpoint : null;
    }

    private string Explain(MembershipChange change, string success)
    {
        if (change.Succeeded) return success;
        if (change.Status != MembershipChangeStatus.NotLeader || raft.LeaderEndPoint is not { } leader) return change.Reason;
        string address = RaftAddress.Format(leader);
        Peer? peer = cluster.Current.State.Peers.Values.FirstOrDefault(p => p.RaftAddress == address);
        return peer is null ? change.Reason : $"{change.Reason} Ask {peer.Name} at {peer.ApiUrl}.";
    }
}
