using System.Collections.Immutable;
using System.Diagnostics;
using System.Net;
using DotNext.Net.Cluster.Consensus.Raft;
using Patroni.Raft.Consensus.Log;
using Patroni.Raft.Consensus.Node;
using Patroni.Raft.Consensus.Transport;

namespace Patroni.Raft.Consensus;

/// <content>Proposals and linearizable reads, from any node.</content>
public sealed partial class RaftNode
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// Proposes a command and returns what the state machine answered when it was applied. On a follower the leader does the
    /// work. While the result is unknown it is proposed again with the same id; the state machine applies it once.
    /// </summary>
    /// <param name="id">The proposal's name; a caller that tries again after an exception must use the same.</param>
    /// <param name="payload">The command; must not be changed afterwards.</param>
    /// <param name="timeout">How long to try.</param>
    /// <param name="cancellationToken">Gives up earlier; the outcome is unknown then.</param>
    /// <exception cref="NoLeaderException">Never appended.</exception>
    /// <exception cref="ProposalOutcomeUnknownException">May be applied later.</exception>
    /// <exception cref="RaftStoppedException">This node has stopped.</exception>
    /// <exception cref="ArgumentException">Larger than <see cref="RaftOptions.ProposalBytesLimit"/>.</exception>
    public async Task<ReadOnlyMemory<byte>> ProposeAsync(
        ProposalId id, ReadOnlyMemory<byte> payload, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (payload.Length > options.ProposalBytesLimit)
        {
            throw new ArgumentException($"A proposal of {payload.Length} bytes exceeds the limit of {options.ProposalBytesLimit}.", nameof(payload));
        }

        using var waiter = waiters.Register(id);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopping.Token);
        limit.CancelAfter(timeout);
        var deadline = Stopwatch.GetTimestamp() + (long)(timeout.TotalSeconds * Stopwatch.Frequency);
        var maybeAppended = false;
        while (!limit.IsCancellationRequested)
        {
            var (status, outcome) = await TryOnceAsync(id, payload, waiter.Outcome, deadline, limit.Token).ConfigureAwait(false);
            if (status is ForwardStatus.Applied)
            {
                return outcome;
            }

            maybeAppended |= status is ForwardStatus.Unknown;
            await PauseAsync(waiter.Outcome, limit.Token).ConfigureAwait(false);
            if (waiter.Outcome.IsCompletedSuccessfully)
            {
                return await waiter.Outcome.ConfigureAwait(false);
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (stopped.Task.IsFaulted)
        {
            await stopped.Task.ConfigureAwait(false);
        }

        throw maybeAppended
            ? new ProposalOutcomeUnknownException(id, $"The result of proposal {id} did not come back within {timeout.TotalMilliseconds:F0} ms; it may be applied later.")
            : new NoLeaderException($"No Raft leader took proposal {id} within {timeout.TotalMilliseconds:F0} ms.");
    }

    /// <summary>
    /// Waits until everything that was committed in the group before the call is applied here: a read of the local state
    /// after it is linearizable.
    /// </summary>
    /// <exception cref="NoLeaderException">No leader with a quorum confirmed in time.</exception>
    public async Task ReadBarrierAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopping.Token);
        limit.CancelAfter(timeout);
        try
        {
            while (true)
            {
                if (await FindReadIndexAsync(timeout, limit.Token).ConfigureAwait(false) is { } index)
                {
                    await applier!.WaitAsync(index, limit.Token).ConfigureAwait(false);
                    return;
                }

                await Task.WhenAny(leadershipMoved.Task, Task.Delay(RetryDelay, limit.Token)).ConfigureAwait(false);
                limit.Token.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new NoLeaderException($"No Raft leader with a quorum confirmed the read within {timeout.TotalMilliseconds:F0} ms.");
        }
    }

    /// <summary>Completes when the applied index here reaches an index.</summary>
    public Task WaitForAppliedAsync(long index, CancellationToken cancellationToken) => applier!.WaitAsync(index, cancellationToken);

    private async Task<(ForwardStatus Status, ReadOnlyMemory<byte> Outcome)> TryOnceAsync(
        ProposalId id, ReadOnlyMemory<byte> payload, Task<ReadOnlyMemory<byte>> outcome, long deadline, CancellationToken token)
    {
        if (cluster is not { } running)
        {
            return (ForwardStatus.NotLeader, default);
        }

        if (IsLeading(running))
        {
            return await ProposeHereAsync(running, id, payload, outcome, token).ConfigureAwait(false);
        }

        if (running.Leader is not { } leader || !leader.IsRemote)
        {
            return (ForwardStatus.NotLeader, default);
        }

        // A leader that hangs is given up as soon as another one is known.
        using var attempt = CancellationTokenSource.CreateLinkedTokenSource(token);
        var moved = leadershipMoved.Task;
        var remaining = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), deadline);
        var forwarding = ForwardAsync(leader.EndPoint, id, payload, remaining, attempt.Token);
        await Task.WhenAny(forwarding, moved, outcome).ConfigureAwait(false);
        if (!forwarding.IsCompleted)
        {
            await attempt.CancelAsync().ConfigureAwait(false);
        }

        var result = await forwarding.ConfigureAwait(false);
        return result.Status is ForwardStatus.Applied || !outcome.IsCompletedSuccessfully
            ? result
            : (ForwardStatus.Applied, await outcome.ConfigureAwait(false));
    }

    private async Task<(ForwardStatus Status, ReadOnlyMemory<byte> Outcome)> ForwardAsync(
        EndPoint leader, ProposalId id, ReadOnlyMemory<byte> payload, TimeSpan remaining, CancellationToken token)
    {
        try
        {
            return await client.ForwardAsync(leader, id, payload, remaining, token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return (ForwardStatus.Unknown, default);
        }
    }

    private async Task<(ForwardStatus Status, ReadOnlyMemory<byte> Outcome)> ProposeHereAsync(
        RaftCluster running, ProposalId id, ReadOnlyMemory<byte> payload, Task<ReadOnlyMemory<byte>> outcome, CancellationToken token)
    {
        try
        {
            // Nothing is acknowledged before the group has its identity in the log: a lost directory must be recognizable.
            await identityKnown.Task.WaitAsync(token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return (ForwardStatus.NotLeader, default);
        }

        var start = Stopwatch.GetTimestamp();
        try
        {
            var entry = new LogEntry(Term, EntryKind.Command, CommandEnvelope.Encode(id, payload.Span));
            await running.ReplicateAsync(entry, token).ConfigureAwait(false);
            var answer = await outcome.WaitAsync(token).ConfigureAwait(false);
            commitLatency.Add(Stopwatch.GetElapsedTime(start));
            return (ForwardStatus.Applied, answer);
        }
        catch (Exception e) when (IsProposalFailure(e))
        {
            // Refused by the log, or no leader before the append: certainly not in the log. Else it usually is (finding 9).
            var refused = e is LogRefusedException or NotLeaderException { InnerException: null };
            return (refused ? ForwardStatus.NotLeader : ForwardStatus.Unknown, default);
        }
    }

    private static bool IsProposalFailure(Exception e)
        => e is OperationCanceledException or NotLeaderException or LogRefusedException or RaftStoppedException or ObjectDisposedException
            or System.Diagnostics.UnreachableException or QuorumUnreachableException;

    private async Task PauseAsync(Task outcome, CancellationToken token)
    {
        var moved = leadershipMoved.Task;
        await Task.WhenAny(outcome, moved, Task.Delay(RetryDelay, token)).ConfigureAwait(false);
    }

    private async Task<long?> FindReadIndexAsync(TimeSpan timeout, CancellationToken token)
    {
        if (cluster is not { } running)
        {
            return null;
        }

        if (IsLeading(running))
        {
            return await ReadIndexHereAsync(running, token).ConfigureAwait(false);
        }

        if (running.Leader is not { IsRemote: true } leader)
        {
            return null;
        }

        using var attempt = CancellationTokenSource.CreateLinkedTokenSource(token);
        var asking = client.ReadIndexAsync(leader.EndPoint, timeout, attempt.Token);
        await Task.WhenAny(asking, leadershipMoved.Task).ConfigureAwait(false);
        if (!asking.IsCompleted)
        {
            await attempt.CancelAsync().ConfigureAwait(false);
        }

        try
        {
            return await asking.ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException || (e is OperationCanceledException && !token.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>The strong barrier: a round of heartbeats to a quorum after the index was taken (the weak one lets a deposed leader answer, finding 10).</summary>
    private async Task<long?> ReadIndexHereAsync(RaftCluster running, CancellationToken token)
    {
        try
        {
            var index = store!.CommitIndex;
            await running.ApplyReadBarrierAsync(ReadBarrierType.Strong, token).ConfigureAwait(false);
            return IsLeading(running) ? index : null;
        }
        catch (Exception e) when (IsProposalFailure(e) && !token.IsCancellationRequested)
        {
            return null;
        }
    }

    private NodeFacts Facts => new(
        SelfEndPoint,
        meta.Identity,
        meta.Incarnation,
        meta.HasLog,
        options.Join ? [] : options.InitialMembers,
        store is null ? [] : Members,
        meta.Formation,
        LeaderEndPoint,
        options.Metadata);

    /// <summary>What other nodes may ask.</summary>
    private sealed class Requests(RaftNode node) : IPeerRequests
    {
        public NodeFacts Facts => node.Facts;

        // An empty node that waits to be added must not become a voter again by an old membership: see docs/raft-log.md, "Identity".
        public bool AcceptsConsensus => node.invited || node.store is { } log && (log.LastIndex > 0 || log.SnapshotIndex > 0 || log.Configuration.Members.Members.Count > 0);

        public void Invite() => node.invited = true;

        public (long Index, ReadOnlyMemory<byte> Content) ReadSnapshot()
            => node.store?.ReadSnapshot() is { } snapshot ? (snapshot.Index, snapshot.Content.Encode()) : (-1, default);

        public Task StandAsideAsync(EndPoint target, TimeSpan duration, CancellationToken token) => node.StandAsideAsync(target, duration, token);

        public async Task<(ForwardStatus Status, ReadOnlyMemory<byte> Outcome)> ProposeForwardedAsync(
            ProposalId id, ReadOnlyMemory<byte> payload, TimeSpan timeout, CancellationToken token)
        {
            if (node.cluster is not { } running || !IsLeading(running) || payload.Length > node.options.ProposalBytesLimit)
            {
                return (ForwardStatus.NotLeader, default);
            }

            using var waiter = node.waiters.Register(id);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
            limit.CancelAfter(timeout > TimeSpan.Zero ? timeout : TimeSpan.FromMilliseconds(1));
            return await node.ProposeHereAsync(running, id, payload, waiter.Outcome, limit.Token).ConfigureAwait(false);
        }

        public async Task<long?> ReadIndexAsync(TimeSpan timeout, CancellationToken token)
        {
            if (node.cluster is not { } running || !IsLeading(running))
            {
                return null;
            }

            using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
            limit.CancelAfter(timeout > TimeSpan.Zero ? timeout : TimeSpan.FromMilliseconds(1));
            try
            {
                return await node.ReadIndexHereAsync(running, limit.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }
    }
}
