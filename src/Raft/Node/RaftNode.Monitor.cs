using System.Collections.Immutable;
using DotNext.Net.Cluster.Consensus.Raft;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Consensus.Log;

namespace Patroni.Raft.Consensus;

/// <content>Watches leadership (the library's event alone is not enough), fixes the group's identity, notices a removal.</content>
public sealed partial class RaftNode
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan RemovalCheckInterval = TimeSpan.FromSeconds(2);
    private readonly SemaphoreSlim wake = new(0, int.MaxValue);
    private volatile LeadershipChange leadership = new(false, null, 0);
    private volatile TaskCompletionSource leadershipMoved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long leadershipChanges;
    private int woken;

    private void Wake()
    {
        if (Interlocked.Exchange(ref woken, 1) == 0)
        {
            wake.Release();
        }
    }

    private async Task MonitorAsync()
    {
        var token = stopping.Token;
        var leaderless = TimeSpan.Zero;
        var since = Environment.TickCount64;
        while (!token.IsCancellationRequested && cluster is { } running)
        {
            Look(running);
            if (leadership.IsLeader && !meta.Identity.IsKnown)
            {
                await ProposeIdentityAsync(running, token).ConfigureAwait(false);
            }

            var now = Environment.TickCount64;
            leaderless = leadership.Leader is null ? leaderless + TimeSpan.FromMilliseconds(now - since) : TimeSpan.Zero;
            since = now;
            if (leaderless > (2 * options.ElectionTimeoutUpper) + RemovalCheckInterval)
            {
                leaderless -= RemovalCheckInterval;
                await CheckRemovalAsync(token).ConfigureAwait(false);
            }

            try
            {
                await wake.WaitAsync(LookInterval, token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            Volatile.Write(ref woken, 0);
        }
    }

    private void Look(RaftCluster running)
    {
        var seen = new LeadershipChange(IsLeading(running), running.Leader?.EndPoint, Term);
        var before = leadership;
        if (seen == before)
        {
            return;
        }

        leadership = seen;
        if (seen.IsLeader != before.IsLeader || !Equals(seen.Leader, before.Leader))
        {
            Interlocked.Increment(ref leadershipChanges);
            LogLeadership(logger, seen.IsLeader, seen.Leader is null ? "nobody" : RaftAddress.Format(seen.Leader), seen.Term);
        }

        Interlocked.Exchange(ref leadershipMoved, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        LeadershipChanged?.Invoke(seen);
    }

    /// <summary>Leads, and an entry of its own term is committed.</summary>
    private static bool IsLeading(RaftCluster running)
    {
        try
        {
            return !running.LeadershipToken.IsCancellationRequested;
        }
        catch (Exception e) when (e is System.Diagnostics.UnreachableException or ObjectDisposedException)
        {
            return false;
        }
    }

    private async Task ProposeIdentityAsync(RaftCluster running, CancellationToken token)
    {
        var entry = new LogEntry(Term, EntryKind.Identity, new GroupIdentity(Guid.NewGuid(), 1).Encode());
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(token);
        timeout.CancelAfter(options.ElectionTimeoutUpper * 2);
        try
        {
            await running.ReplicateAsync(entry, timeout.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (IsProposalFailure(e))
        {
            // The next leader, or this one again, proposes another; the first that is committed counts.
        }
    }

    /// <summary>A removed node hears nothing any more, and nobody tells it (finding 14): it asks those who were members with it.</summary>
    private async Task CheckRemovalAsync(CancellationToken token)
    {
        if (!meta.Identity.IsKnown || IsRemoved)
        {
            return;
        }

        foreach (var peer in Members.Concat(options.InitialMembers).Distinct().Where(peer => !peer.Equals(SelfEndPoint)))
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(token);
            timeout.CancelAfter(TimeSpan.FromSeconds(1));
            try
            {
                var facts = await client.GetFactsAsync(peer, timeout.Token).ConfigureAwait(false);
                if (facts.Identity == meta.Identity && facts.Leader is not null && facts.Members.Length > 0 && !facts.Members.Contains(SelfEndPoint))
                {
                    IsRemoved = true;
                    LogRemoved(logger, RaftAddress.Format(SelfEndPoint), RaftAddress.Format(facts.Leader));
                    Interlocked.Exchange(ref leadershipMoved, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
                    LeadershipChanged?.Invoke(leadership);
                    return;
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // Not reachable: the next one, or the next round, may tell.
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Raft leader is {Leader} (this node leads: {IsLeader}), term {Term}")]
    private static partial void LogLeadership(ILogger logger, bool isLeader, string leader, long term);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Self} was removed from the group led by {Leader}. Stop it, or empty its Raft directory and let it join again")]
    private static partial void LogRemoved(ILogger logger, string self, string leader);
}
