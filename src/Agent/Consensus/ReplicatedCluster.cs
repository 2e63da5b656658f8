using Patroni.Raft.Consensus;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Consensus;

/// <summary>
/// Binds the pure state machine to the log. Called by the log's one applier; readers take <see cref="Current"/> without a lock.
/// The clock is noted at every apply, on every node (architecture, lease rule 3).
/// </summary>
public sealed class ReplicatedCluster : IReplicatedStateMachine
{
    private readonly List<Waiter> waiters = [];
    private readonly Lock gate = new();
    private volatile AppliedCluster current = new(ClusterState.Empty, ApplyClock.Empty);

    /// <summary>What is applied now.</summary>
    public AppliedCluster Current => current;

    /// <summary>Called after every apply, on the applier's thread; must not block.</summary>
    public event Action? Changed;

    /// <inheritdoc/>
    public AppliedEntry Apply(long index, long term, ReadOnlyMemory<byte> payload)
    {
        CommandEnvelope envelope = CommandCodec.Decode(payload.Span);
        ApplyResult result = ClusterStateMachine.Apply(current.State, envelope, index);
        Publish(result.State);
        return new(new(envelope.Id.Proposer, envelope.Id.Sequence), CommandCodec.EncodeOutcome(result.Outcome));
    }

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> CaptureSnapshot() => SnapshotCodec.Encode(current.State);

    /// <inheritdoc/>
    public void InstallSnapshot(long index, long term, ReadOnlyMemory<byte> snapshot) => Publish(SnapshotCodec.Decode(snapshot.Span));

    /// <inheritdoc/>
    public void GenerationChanged(long index, long generation)
    {
        if (generation <= current.State.Generation) return;
        // The id is made from the generation, so that it is the same on every node and never one of a proposer.
        var envelope = new CommandEnvelope(new(ulong.MaxValue, (ulong)generation), 0, new RaiseGeneration((uint)generation, "the group was formed anew by an operator"));
        Publish(ClusterStateMachine.Apply(current.State, envelope, index).State);
    }

    /// <summary>Completes with the first applied state that satisfies the condition, or null at the timeout.</summary>
    public async Task<ClusterState?> WaitForAsync(Func<ClusterState, bool> condition, TimeSpan timeout, CancellationToken cancellation)
    {
        var waiter = new Waiter(condition, new(TaskCreationOptions.RunContinuationsAsynchronously));
        lock (gate)
        {
            if (condition(current.State)) return current.State;
            waiters.Add(waiter);
        }
        try
        {
            return await waiter.Done.Task.WaitAsync(timeout, cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return null;
        }
        finally
        {
            lock (gate) waiters.Remove(waiter);
        }
    }

    private void Publish(ClusterState state)
    {
        lock (gate)
        {
            current = new(state, current.Clock.Observe(state, BootClock.NowMs));
            foreach (Waiter waiter in waiters)
                if (!waiter.Done.Task.IsCompleted && waiter.Condition(state)) waiter.Done.TrySetResult(state);
        }
        Changed?.Invoke();
    }

    private sealed record Waiter(Func<ClusterState, bool> Condition, TaskCompletionSource<ClusterState> Done);
}
