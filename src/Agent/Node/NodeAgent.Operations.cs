using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Agent.Consensus;
using Patroni.Raft.Agent.Instance;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Node;

public sealed partial class NodeAgent
{
    private readonly RaftOperations raftOperations;
    private TaskCompletionSource<OperationResult>? restart;

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
        var done = new TaskCompletionSource<OperationResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Interlocked.CompareExchange(ref restart, done, null) is not null) return new(false, "restart already in progress");
        request = NodeRequest.Restart;
        Wake();
        try
        {
            return await done.Task.WaitAsync(timeout ?? TimeSpan.FromMinutes(10), cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return new(false, "restart did not end in time");
        }
        finally
        {
            Interlocked.CompareExchange(ref restart, null, done);
        }
    }

    /// <inheritdoc/>
    public Task<OperationResult> ReinitializeAsync(bool force, bool fromLeader, CancellationToken cancellation)
    {
        ClusterState state = cluster.Current.State;
        if (state.Leader == Self) return Task.FromResult(new OperationResult(false, "I am the leader, can not reinitialize"));
        if (state.Leadership is not Led) return Task.FromResult(new OperationResult(false, "Cluster has no leader, can not reinitialize"));
        if (Volatile.Read(ref running) is { } action)
        {
            if (!force) return Task.FromResult(new OperationResult(false, $"{action.Kind} already in progress"));
            action.Cancellation.Cancel();
        }
        request = NodeRequest.Reinitialize;
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

    private void CompleteRequests(ActionKind kind, ActionOutcome outcome)
    {
        if (kind == ActionKind.Restart)
            Volatile.Read(ref restart)?.TrySetResult(outcome.Failure is null ? new(true, "restarted successfully") : new(false, $"restart failed: {outcome.Failure}"));
    }
}
