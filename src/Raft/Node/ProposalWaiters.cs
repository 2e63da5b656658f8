using System.Collections.Concurrent;

namespace Patroni.Raft.Consensus.Node;

/// <summary>Who on this node waits for which proposal. Correlated by the id inside the entry.</summary>
internal sealed class ProposalWaiters
{
    private readonly ConcurrentDictionary<ProposalId, Waiter> waiters = new();

    /// <summary>Registers for an outcome; several callers of one id share it. Dispose to stop waiting.</summary>
    public Registration Register(ProposalId id)
    {
        while (true)
        {
            var waiter = waiters.GetOrAdd(id, _ => new Waiter());
            if (waiter.TryEnter())
            {
                return new Registration(this, id, waiter);
            }

            waiters.TryRemove(new KeyValuePair<ProposalId, Waiter>(id, waiter));
        }
    }

    public void Complete(in AppliedEntry applied)
    {
        if (waiters.TryGetValue(applied.Id, out var waiter))
        {
            waiter.Completion.TrySetResult(applied.Outcome);
        }
    }

    internal readonly struct Registration(ProposalWaiters owner, ProposalId id, Waiter waiter) : IDisposable
    {
        public Task<ReadOnlyMemory<byte>> Outcome => waiter.Completion.Task;

        public void Dispose()
        {
            if (waiter.Leave())
            {
                owner.waiters.TryRemove(new KeyValuePair<ProposalId, Waiter>(id, waiter));
            }
        }
    }

    internal sealed class Waiter
    {
        private int users;

        public TaskCompletionSource<ReadOnlyMemory<byte>> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool TryEnter()
        {
            lock (Completion)
            {
                if (users < 0)
                {
                    return false;
                }

                users++;
                return true;
            }
        }

        public bool Leave()
        {
            lock (Completion)
            {
                if (--users == 0)
                {
                    users = -1;
                    return true;
                }

                return false;
            }
        }
    }
}
