using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Consensus;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Node;

/// <summary>The Raft group's figures in the terms of the API.</summary>
internal static class RaftViews
{
    public static RaftView Of(RaftStatus figures) => new(
        figures.IsLeader ? "leader" : figures.Leader is null ? "candidate" : "follower", figures.Term, figures.CommitIndex, figures.AppliedIndex,
        figures.Leader is { } leader ? RaftAddress.Format(leader) : "", figures.Members.Length, figures.LeadershipChanges);

    public static RaftIdentity Identity(RaftNode raft, NodeConfiguration node) => new(
        raft.ClusterId == Guid.Empty ? "" : raft.ClusterId.ToString(), raft.Generation, RaftAddress.Format(raft.SelfEndPoint), node.Name.Value, node.Scope);

    public static IReadOnlyList<RaftMemberView> Members(RaftStatus figures, ClusterState state) => [.. figures.Members.Select(member =>
    {
        string address = RaftAddress.Format(member.EndPoint);
        Peer? peer = state.Peers.Values.FirstOrDefault(p => p.RaftAddress == address);
        return new RaftMemberView(peer?.Name.Value ?? "", address, member.IsLeader, peer?.ApiUrl ?? "", peer?.Kind == PeerKind.Data,
            member.IsSelf ? 0 : (long?)member.LastHeard?.TotalMilliseconds);
    })];
}
