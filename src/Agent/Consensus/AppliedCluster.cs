using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Consensus;

/// <summary>The applied state together with this node's clock notes about it; replaced as a whole.</summary>
/// <param name="State">The replicated state.</param>
/// <param name="Clock">When this node applied what may expire.</param>
public sealed record AppliedCluster(ClusterState State, ApplyClock Clock);
