using Patroni.Raft.Agent.Node;
using Patroni.Raft.StateMachine;
using Patroni.Raft.UnitTests.StateMachine;

namespace Patroni.Raft.UnitTests.Api;

/// <summary>A node without PostgreSQL and network: the real state machine behind the interface that the API consumes.</summary>
internal sealed class InMemoryNode : INode
{
    private readonly Lock gate = new();
    private readonly List<(Func<ClusterState, bool> Condition, TaskCompletionSource<ClusterState?> Done)> waiters = [];
    private volatile NodeSnapshot snapshot;

    public InMemoryNode(TestCluster cluster, NodeSnapshot first)
    {
        Cluster = cluster;
        snapshot = first;
    }

    public TestCluster Cluster { get; }

    public NodeSnapshot Snapshot => snapshot;

    public event Action<TimeSpan>? Committed;

    public long NowMs { get; set; } = 1_000_000;

    public bool HasQuorum { get; set; } = true;

    /// <summary>Whether the HA loop turns, so that snapshots follow the state.</summary>
    public bool Turns { get; set; } = true;

    public string NodeSecret { get; set; } = "node-token";

    /// <summary>What the rest of the cluster does when a command was applied.</summary>
    public Action<Command>? Reaction { get; set; }

    public List<string> Operations { get; } = [];

    public OperationResult NextResult { get; set; } = new(true, "restarted successfully");

    public IReadOnlyList<RaftMemberView> RaftMembers { get; set; } =
    [
        new("node0", "127.0.0.1:7400", true, "http://127.0.0.1:8400", true, 0),
        new("node1", "127.0.0.1:7401", false, "http://127.0.0.1:8401", true, 12),
        new("", "127.0.0.1:7402", false, "", false, null),
    ];

    public RaftIdentity RaftIdentity { get; } = new("c1", 1, "127.0.0.1:7400", "node0", "lab");

    public Outcome Do(Command command)
    {
        lock (gate)
        {
            Outcome outcome = Cluster.Do(command);
            Publish();
            return outcome;
        }
    }

    public void Change(Func<NodeSnapshot, NodeSnapshot> change)
    {
        lock (gate) snapshot = change(snapshot);
    }

    private void Publish()
    {
        if (Turns) snapshot = snapshot with { State = Cluster.State };
        foreach ((Func<ClusterState, bool> condition, TaskCompletionSource<ClusterState?> done) in waiters.ToArray())
            if (condition(Cluster.State)) done.TrySetResult(Cluster.State);
    }

    public Task<Outcome> ProposeAsync(Command command, TimeSpan timeout, CancellationToken cancellation)
    {
        if (!HasQuorum) throw new ClusterUnavailableException("The Raft group has no quorum.");
        Outcome outcome = Do(command);
        Committed?.Invoke(TimeSpan.FromMilliseconds(3));
        if (outcome.IsAccepted && Reaction is { } reaction) _ = Task.Run(() => reaction(command), CancellationToken.None);
        return Task.FromResult(outcome);
    }

    public Task<ClusterState> ReadAsync(TimeSpan timeout, CancellationToken cancellation) =>
        HasQuorum ? Task.FromResult(Cluster.State) : throw new ClusterUnavailableException("The Raft group has no quorum.");

    public async Task<ClusterState?> WaitForAsync(Func<ClusterState, bool> condition, TimeSpan timeout, CancellationToken cancellation)
    {
        var done = new TaskCompletionSource<ClusterState?>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            if (condition(Cluster.State)) return Cluster.State;
            waiters.Add((condition, done));
        }
        try
        {
            return await done.Task.WaitAsync(timeout, cancellation);
        }
        catch (TimeoutException)
        {
            return null;
        }
        finally
        {
            lock (gate) waiters.RemoveAll(waiter => waiter.Done == done);
        }
    }

    public Task<OperationResult> RestartAsync(TimeSpan? timeout, CancellationToken cancellation) => Note($"restart {timeout?.TotalSeconds}");

    public Task<OperationResult> ReinitializeAsync(bool force, bool fromLeader, CancellationToken cancellation) => Note($"reinitialize {force} {fromLeader}");

    public FailsafePromise? Promise { get; private set; }

    public Task<FailsafeAnswer> AnswerFailsafeAsync(FailsafeQuestion question, CancellationToken cancellation)
    {
        FailsafeAnswer answer = FailsafePromises.Answer(new(Snapshot.Self, Cluster.State, Snapshot.Report.Role == PostgresRole.Primary, null, Promise), question, NowMs);
        Promise = answer.Promise ?? Promise;
        return Task.FromResult(answer);
    }

    public OperationResult Reload() => Note("reload").Result;

    public Task<OperationResult> AddRaftMemberAsync(string address, CancellationToken cancellation) => Note($"add {address}");

    public Task<OperationResult> RemoveRaftMemberAsync(string nameOrAddress, CancellationToken cancellation) => Note($"remove {nameOrAddress}");

    public Task<OperationResult> TransferRaftLeadershipAsync(string nameOrAddress, CancellationToken cancellation) => Note($"transfer {nameOrAddress}");

    public bool IsNodeToken(ReadOnlySpan<char> token) => token.SequenceEqual(NodeSecret);

    private Task<OperationResult> Note(string what)
    {
        lock (gate) Operations.Add(what);
        return Task.FromResult(NextResult);
    }
}
