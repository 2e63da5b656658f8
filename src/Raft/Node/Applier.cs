using Patroni.Raft.Consensus.Log;

namespace Patroni.Raft.Consensus.Node;

/// <summary>
/// Applies committed entries to the state machine in index order, on one thread, and takes snapshots between entries. An entry that
/// cannot be applied stops the node: to skip it would let replicas diverge.
/// </summary>
internal sealed class Applier : IAsyncDisposable
{
    private readonly LogStore store;
    private readonly IReplicatedStateMachine machine;
    private readonly ProposalWaiters waiters;
    private readonly Func<GroupIdentity, bool> identityChanged;
    private readonly ApplierOptions options;
    private readonly SemaphoreSlim wakeup = new(0, int.MaxValue);
    private readonly Lock sync = new();
    private readonly PriorityQueue<TaskCompletionSource, long> waiting = new();
    private readonly TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread thread;
    private readonly TaskCompletionSource threadEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task snapshotting = Task.CompletedTask;
    private GroupIdentity identity;
    private long lengthAfterSnapshot;
    private long appliedIndex;
    private int signalled;
    private volatile bool closing;

    /// <param name="store">The log.</param>
    /// <param name="machine">What entries are applied to.</param>
    /// <param name="waiters">Who waits for outcomes.</param>
    /// <param name="identityChanged">Told the group's identity as the log has it, before anything later is applied; false if this node belongs elsewhere.</param>
    /// <param name="options">When to take snapshots.</param>
    public Applier(
        LogStore store, IReplicatedStateMachine machine, ProposalWaiters waiters, Func<GroupIdentity, bool> identityChanged, ApplierOptions options)
    {
        this.store = store;
        this.machine = machine;
        this.waiters = waiters;
        this.identityChanged = identityChanged;
        this.options = options;
        thread = new Thread(Run) { IsBackground = true, Name = "raft-apply" };
    }

    public long AppliedIndex => Volatile.Read(ref appliedIndex);

    /// <summary>Faults when an entry could not be applied.</summary>
    public Task Stopped => stopped.Task;

    /// <summary>Raised on the applier's thread with the new applied index, after each run of entries.</summary>
    public event Action<long>? Applied;

    public void Start()
    {
        thread.Start();
        Signal();
    }

    public void Signal()
    {
        if (Interlocked.Exchange(ref signalled, 1) == 0)
        {
            wakeup.Release();
        }
    }

    public Task WaitAsync(long index, CancellationToken token)
    {
        if (AppliedIndex >= index)
        {
            return Task.CompletedTask;
        }

        var completion = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (sync)
        {
            if (AppliedIndex >= index)
            {
                return Task.CompletedTask;
            }

            if (closing)
            {
                return Task.FromException(new RaftStoppedException("The node has stopped."));
            }

            waiting.Enqueue(completion, index);
        }

        return completion.Task.WaitAsync(token);
    }

    public async ValueTask DisposeAsync()
    {
        closing = true;
        if (thread.IsAlive)
        {
            wakeup.Release();
            await threadEnded.Task.ConfigureAwait(false);
        }

        await snapshotting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        FailWaiting(new RaftStoppedException("The node has stopped."));
        stopped.TrySetResult();
    }

    private void Run()
    {
        try
        {
            InstallSnapshotIfBehind();
            while (!closing)
            {
                wakeup.Wait();
                Volatile.Write(ref signalled, 0);
                ApplyCommitted();
            }
        }
        catch (Exception e)
        {
            closing = true;
            var error = new RaftStoppedException(
                $"Log entry {AppliedIndex + 1} cannot be applied on this node: {e.Message}. It stopped rather than skip it; upgrade it if the others run a later version.", e);
            stopped.TrySetException(error);
            _ = stopped.Task.Exception;
            FailWaiting(error);
        }
        finally
        {
            threadEnded.TrySetResult();
        }
    }

    private void ApplyCommitted()
    {
        var before = appliedIndex;
        while (!closing && appliedIndex < store.CommitIndex)
        {
            if (store.EntryAt(appliedIndex + 1) is { } entry)
            {
                Apply(appliedIndex + 1, entry);
                Advance(appliedIndex + 1);
                TakeSnapshotIfDue();
            }
            else
            {
                InstallSnapshotIfBehind();
            }
        }

        if (appliedIndex != before)
        {
            Applied?.Invoke(appliedIndex);
        }
    }

    private void Apply(long index, in LogEntry entry)
    {
        switch (entry.Kind)
        {
            case EntryKind.Command:
                var (_, payload) = CommandEnvelope.Decode(entry.Payload);
                waiters.Complete(machine.Apply(index, entry.Term, payload));
                break;
            case EntryKind.Identity:
                var proposed = GroupIdentity.Decode(entry.Payload.Span);
                if (!identity.IsKnown || (proposed.ClusterId == identity.ClusterId && proposed.Generation > identity.Generation))
                {
                    SetIdentity(proposed);
                    machine.GenerationChanged(index, proposed.Generation);
                }

                break;
            case EntryKind.NoOp or EntryKind.Configuration:
                // Member lists are in force since they were appended and are no business of the state machine (finding 5).
                break;
            default:
                throw new InvalidDataException($"entry kind {(byte)entry.Kind} is not known to this version");
        }
    }

    private void SetIdentity(GroupIdentity value)
    {
        identity = value;
        if (value.IsKnown && !identityChanged(value))
        {
            throw new InvalidDataException($"the log belongs to group {value.ClusterId}, generation {value.Generation}, but this directory to another one");
        }
    }

    private void InstallSnapshotIfBehind()
    {
        if (store.SnapshotIndex <= appliedIndex || store.ReadSnapshot() is not { } snapshot)
        {
            return;
        }

        SetIdentity(snapshot.Content.Identity);
        machine.InstallSnapshot(snapshot.Index, snapshot.Term, snapshot.Content.State);
        Advance(snapshot.Index);
        Applied?.Invoke(appliedIndex);
    }

    private void TakeSnapshotIfDue()
    {
        var due = store.FileLength - lengthAfterSnapshot > options.SnapshotAfterBytes
            || appliedIndex - store.SnapshotIndex > options.SnapshotAfterEntries;
        if (!due || !snapshotting.IsCompleted)
        {
            return;
        }

        var index = appliedIndex;
        var term = store.TermAt(index);
        if (term is null)
        {
            return;
        }

        var state = machine.CaptureSnapshot();
        snapshotting = CompactAsync(index, term.Value, state, identity);
    }

    private async Task CompactAsync(long index, long term, ReadOnlyMemory<byte> state, GroupIdentity asOf)
    {
        await store.CompactAsync(index, term, state, asOf).ConfigureAwait(false);
        Volatile.Write(ref lengthAfterSnapshot, store.FileLength);
    }

    private void Advance(long index)
    {
        Volatile.Write(ref appliedIndex, index);
        lock (sync)
        {
            while (waiting.TryPeek(out var completion, out var due) && due <= index)
            {
                waiting.Dequeue();
                completion.TrySetResult();
            }
        }
    }

    private void FailWaiting(Exception error)
    {
        lock (sync)
        {
            closing = true;
            while (waiting.TryDequeue(out var completion, out _))
            {
                completion.TrySetException(error);
                _ = completion.Task.Exception;
            }
        }
    }
}

/// <summary>When to take snapshots.</summary>
internal sealed record ApplierOptions(long SnapshotAfterBytes, long SnapshotAfterEntries);
