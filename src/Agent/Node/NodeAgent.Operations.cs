using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Agent.Consensus;
using Patroni.Raft.Agent.Instance;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Node;

public sealed partial class NodeAgent
{
    /// <summary>Beyond the time a start may take: for the stop before it, and for what runs before that.</summary>
    private static readonly TimeSpan RestartLimit = TimeSpan.FromMinutes(10);

    private readonly RaftOperations raftOperations;
    private readonly OperatorRequests requests = new();

    /// <inheritdoc/>
    public Task<Outcome> ProposeAsync(Command command, TimeSpan timeout, CancellationToken cancellation) =>
        proposer.ProposeAsync(proposer.NextId(), command, timeout, cancellation);

    /// <inheritdoc/>
    public Task<ClusterState> ReadAsync(TimeSpan timeout, CancellationToken cancellation) => raftOperations.ReadAsync(timeout, cancellation);

    /// <inheritdoc/>
    public Task<ClusterState?> WaitForAsync(Func<ClusterState, bool> condition, TimeSpan timeout, CancellationToken cancellation) =>
        cluster.WaitForAsync(condition, timeout, cancellation);

    /// <inheritdoc/>
    public async Task<OperationResult> RestartAsync(TimeSpan? timeout, CancellationToken cancellation)
    {
        if (Volatile.Read(ref running) is { Kind: not ActionKind.Follow } action) return InProgress(action.Kind);
        if (requests.AskRestart(timeout) is not { } pending) return InProgress(ActionKind.Restart);
        Wake();
        try
        {
            return await pending.Done.WaitAsync(RestartLimit + (timeout ?? TimeSpan.Zero), cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return new(false, pending.Begun ? "restart did not end in time" : $"restart was not begun: {snapshot.Reason}");
        }
        finally
        {
            requests.Forget(pending);
        }
    }

    /// <inheritdoc/>
    public Task<OperationResult> ReinitializeAsync(bool force, bool fromLeader, CancellationToken cancellation)
    {
        ClusterState state = cluster.Current.State;
        if (state.Leader == Self) return Task.FromResult(new OperationResult(false, "I am the leader, can not reinitialize"));
        if (state.Leadership is not Led) return Task.FromResult(new OperationResult(false, "Cluster has no leader, can not reinitialize"));
        if (!force && requests.IsCloning) return Task.FromResult(new OperationResult(false, "reinitialize already in progress"));
        if (Volatile.Read(ref running) is { } action)
        {
            if (!force && action.Kind != ActionKind.Follow) return Task.FromResult(InProgress(action.Kind));
            if (force) action.Cancellation.Cancel();
        }
        requests.AskClone(fromLeader);
        Wake();
        return Task.FromResult(new OperationResult(true, "reinitialize started"));
    }

    /// <inheritdoc/>
    public OperationResult Reload()
    {
        ConfigurationResult read = configuration.Reload();
        if (read.Configuration is null)
            return new(false, $"the configuration is left as it is: {string.Join("; ", read.Problems)}");
        Volatile.Write(ref appliedConfigVersion, -1);
        Wake();
        return new(true, "reload scheduled");
    }

    /// <inheritdoc/>
    public IReadOnlyList<RaftMemberView> RaftMembers => RaftViews.Members(raft.GetStatus(), cluster.Current.State);

    /// <inheritdoc/>
    public Task<OperationResult> AddRaftMemberAsync(string address, CancellationToken cancellation) => raftOperations.AddAsync(address, cancellation);

    /// <inheritdoc/>
    public Task<OperationResult> RemoveRaftMemberAsync(string nameOrAddress, CancellationToken cancellation) => raftOperations.RemoveAsync(nameOrAddress, cancellation);

    /// <inheritdoc/>
    public Task<OperationResult> TransferRaftLeadershipAsync(string nameOrAddress, CancellationToken cancellation) => raftOperations.TransferAsync(nameOrAddress, cancellation);

    /// <inheritdoc/>
    public RaftIdentity RaftIdentity => RaftViews.Identity(raft, configuration.Current);

    /// <inheritdoc/>
    public bool IsNodeToken(ReadOnlySpan<char> token) => raft.Token is { } expected && expected.Matches(token.ToString());

    private static OperationResult InProgress(ActionKind kind) => new(false, kind switch
    {
        ActionKind.StartPrimary or ActionKind.StartStandby => "start already in progress",
        ActionKind.RemoveData => "reinitialize already in progress",
        _ => $"{kind.ToString().ToLowerInvariant()} already in progress",
    });
}
