using System.Net;
using DotNext.Net.Cluster;
using DotNext.Net.Cluster.Consensus.Raft;
using Patroni.Raft.Consensus.Transport;

namespace Patroni.Raft.Consensus;

/// <content>Members and leadership on request. Voters are never removed by the program itself.</content>
public sealed partial class RaftNode
{
    private static readonly TimeSpan MembershipTimeout = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Adds a node that waits with <see cref="RaftOptions.Join"/>: it catches up first, then becomes a voter. Leader only, one change at a time.
    /// </summary>
    public async Task<MembershipChange> AddMemberAsync(EndPoint address, CancellationToken cancellationToken)
    {
        if (cluster is not { } running || !IsLeading(running))
        {
            return NotLeading();
        }

        if (Members.Contains(address))
        {
            return new MembershipChange(
                MembershipChangeStatus.AlreadyMember, $"{RaftAddress.Format(address)} is a member already. If it lost its Raft directory, remove it first.");
        }

        if (await InviteAsync(address, cancellationToken).ConfigureAwait(false) is { } refusal)
        {
            return refusal;
        }

        return await ChangeAsync(
            token => running.AddMemberAsync(address, token),
            () => Members.Contains(address),
            $"{RaftAddress.Format(address)} is a voter now.",
            new MembershipChange(MembershipChangeStatus.Unreachable, $"{RaftAddress.Format(address)} could not catch up with the log."),
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes a voter; leader only, and not the leader itself. Stop the removed node afterwards.</summary>
    public async Task<MembershipChange> RemoveMemberAsync(EndPoint address, CancellationToken cancellationToken)
    {
        if (cluster is not { } running || !IsLeading(running))
        {
            return NotLeading();
        }

        if (!Members.Contains(address))
        {
            return new MembershipChange(MembershipChangeStatus.NotMember, $"{RaftAddress.Format(address)} is not a member.");
        }

        if (address.Equals(SelfEndPoint))
        {
            return new MembershipChange(MembershipChangeStatus.IsLeader, "The leader cannot remove itself; transfer leadership first.");
        }

        return await ChangeAsync(
            token => running.RemoveMemberAsync(address, token),
            () => !Members.Contains(address),
            $"{RaftAddress.Format(address)} is no longer a member; stop it.",
            new MembershipChange(MembershipChangeStatus.Unknown, "The change was not committed."),
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes the leader, here or elsewhere, step down; another node follows in less than a second as a rule.</summary>
    /// <returns>Whether a leader stepped down.</returns>
    public async Task<bool> ResignAsync(CancellationToken cancellationToken)
    {
        if (cluster is not { } running)
        {
            return false;
        }

        try
        {
            return await ((ICluster)running).ResignAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is MemberUnavailableException || IsProposalFailure(e))
        {
            cancellationToken.ThrowIfCancellationRequested();
            return false;
        }
    }

    /// <summary>
    /// Makes the named member lead. The library can only let a leader resign, and then the node with the shortest election timeout wins each
    /// time (finding 13); so all others are asked to stand aside until the target leads or its time is over. The group has no
    /// leader for about one election timeout at each try.
    /// </summary>
    /// <returns>Whether it leads now.</returns>
    public async Task<bool> TransferAsync(EndPoint target, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (!Members.Contains(target))
        {
            return false;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopping.Token);
        limit.CancelAfter(timeout);
        try
        {
            while (true)
            {
                if (LeaderEndPoint is { } leader)
                {
                    if (leader.Equals(target))
                    {
                        return true;
                    }

                    await AskToStandAsideAsync(leader, target, limit.Token).ConfigureAwait(false);
                }

                using var pause = CancellationTokenSource.CreateLinkedTokenSource(limit.Token);
                pause.CancelAfter(StandAsideTime);
                while (!target.Equals(LeaderEndPoint) && !pause.IsCancellationRequested)
                {
                    await Task.WhenAny(leadershipMoved.Task, Task.Delay(LookInterval, pause.Token)).ConfigureAwait(false);
                }

                limit.Token.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return target.Equals(LeaderEndPoint);
        }
    }

    private TimeSpan StandAsideTime => (3 * options.ElectionTimeoutUpper) + LookInterval;

    /// <summary>The followers first, so that none of them is ahead of the target when the leader resigns.</summary>
    private async Task AskToStandAsideAsync(EndPoint leader, EndPoint target, CancellationToken token)
    {
        var followers = Members.Where(member => !member.Equals(target) && !member.Equals(leader));
        await Task.WhenAll(followers.Select(AskAsync)).ConfigureAwait(false);
        await AskAsync(leader).ConfigureAwait(false);

        async Task AskAsync(EndPoint member)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
            limit.CancelAfter(options.ElectionTimeoutUpper);
            try
            {
                await (member.Equals(SelfEndPoint)
                    ? StandAsideAsync(target, StandAsideTime, limit.Token)
                    : client.StandAsideAsync(member, target, StandAsideTime, limit.Token)).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // Down or slow: it will hardly be the next leader, and if so the next try follows.
            }
        }
    }

    private async Task StandAsideAsync(EndPoint target, TimeSpan duration, CancellationToken token)
    {
        if (cluster is not { } running || target.Equals(SelfEndPoint))
        {
            return;
        }

        if (IsLeading(running))
        {
            await ResignAsync(token).ConfigureAwait(false);
        }

        await running.EnableStandbyModeAsync(token).ConfigureAwait(false);
        _ = Task.Run(() => StandAgainAsync(running, target, duration), CancellationToken.None);
    }

    private async Task StandAgainAsync(RaftCluster running, EndPoint target, TimeSpan duration)
    {
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
            limit.CancelAfter(duration);
            while (!limit.IsCancellationRequested && !target.Equals(running.Leader?.EndPoint))
            {
                await Task.WhenAny(leadershipMoved.Task, Task.Delay(LookInterval, limit.Token)).ConfigureAwait(false);
            }

            await running.RevertToNormalModeAsync(stopping.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The node is being stopped.
        }
    }

    private MembershipChange NotLeading() => new(
        MembershipChangeStatus.NotLeader,
        LeaderEndPoint is { } leader ? $"This node does not lead; ask {RaftAddress.Format(leader)}." : "There is no leader now.");

    /// <summary>Asks the new node who it is, and opens it for this group.</summary>
    private async Task<MembershipChange?> InviteAsync(EndPoint address, CancellationToken cancellationToken)
    {
        var name = RaftAddress.Format(address);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(5));
        try
        {
            var facts = await client.GetFactsAsync(address, limit.Token).ConfigureAwait(false);
            if (!facts.Self.Equals(address))
            {
                return new MembershipChange(MembershipChangeStatus.Unreachable, $"The node at {name} calls itself {RaftAddress.Format(facts.Self)}.");
            }

            if (!facts.HasLog || (facts.Identity.IsKnown ? facts.Identity != meta.Identity : facts.Members.Length > 0))
            {
                return new MembershipChange(
                    MembershipChangeStatus.NotEmpty,
                    $"{name} does not wait to be added: it is forming a group of its own or carries data of another one. Start it with an empty Raft directory and raft.join.");
            }

            await client.InviteAsync(address, limit.Token).ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (e is IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return new MembershipChange(MembershipChangeStatus.Unreachable, $"{name} does not answer on its Raft port: {e.Message}");
        }
    }

    private static async Task<MembershipChange> ChangeAsync(
        Func<CancellationToken, Task<bool>> change, Func<bool> isDone, string done, MembershipChange otherwise, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(MembershipTimeout);
        try
        {
            return await change(limit.Token).ConfigureAwait(false) && isDone() ? new MembershipChange(MembershipChangeStatus.Done, done) : otherwise;
        }
        catch (RaftCluster<RaftClusterMember>.ConcurrentMembershipModificationException)
        {
            return new MembershipChange(MembershipChangeStatus.AnotherChangeRuns, "Another membership change is running; wait for it.");
        }
        catch (Exception e) when (IsProposalFailure(e) || e is MemberUnavailableException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return new MembershipChange(MembershipChangeStatus.Unknown, "Leadership was lost, or the time was over, during the change; look at the members, then ask again.");
        }
    }
}
