using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Consensus.Transport;

namespace Patroni.Raft.Consensus.Identity;

/// <summary>
/// The first formation: a group begins only when every initial member answers, is empty and wants the same members. Later
/// nobody may come in with an empty log as if the group were new: such a voter could elect a leader that misses what
/// the lost log had acknowledged.
/// </summary>
internal sealed partial class Formation(EndPoint self, ImmutableArray<EndPoint> initial, Guid incarnation, PeerRequestClient client, ILogger logger)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ReportEvery = TimeSpan.FromSeconds(10);

    /// <summary>Waits for all, then tells the incarnations that formed the group.</summary>
    /// <exception cref="RaftStartException">A group exists and this node was not part of its formation, or members are configured differently.</exception>
    public async Task<ImmutableArray<Guid>> WaitAsync(CancellationToken token)
    {
        var lastReport = Environment.TickCount64;
        while (true)
        {
            var answers = await Task.WhenAll(initial.Where(member => !member.Equals(self)).Select(member => AskAsync(member, token))).ConfigureAwait(false);
            if (answers.Length > 0 && answers.All(answer => answer.IsStranger))
            {
                throw PeerTrust.Refusal(answers.Select(answer => answer.Member));
            }

            var missing = new List<string>();
            foreach (var (member, facts, error, _) in answers)
            {
                if (facts is null)
                {
                    missing.Add($"{RaftAddress.Format(member)} ({error})");
                    continue;
                }

                if (Judge(member, facts) is { } formation)
                {
                    return formation;
                }
            }

            if (missing.Count == 0)
            {
                return [.. answers.Select(answer => answer.Facts!.Incarnation).Append(incarnation)];
            }

            if (Environment.TickCount64 - lastReport > ReportEvery.TotalMilliseconds)
            {
                lastReport = Environment.TickCount64;
                LogWaiting(logger, initial.Length, string.Join(", ", missing));
            }

            await Task.Delay(RetryDelay, token).ConfigureAwait(false);
        }
    }

    /// <summary>The formation to take part in, if the member began already; null to go on.</summary>
    private ImmutableArray<Guid>? Judge(EndPoint member, NodeFacts facts)
    {
        var name = RaftAddress.Format(member);
        if (facts.HasLog)
        {
            return facts.Formation.Contains(incarnation)
                ? facts.Formation
                : throw new RaftStartException(
                    RaftStartFailure.DirectoryLost,
                    $"{name} already belongs to a group ({facts.Identity.ClusterId}), but the Raft directory of {RaftAddress.Format(self)} is empty."
                    + " If this node's directory was lost: run `patroni-raft raft remove` for it on a healthy node, then start it with raft.join.");
        }

        if (!facts.Self.Equals(member))
        {
            throw new RaftStartException(
                RaftStartFailure.Configuration, $"The node at {name} calls itself {RaftAddress.Format(facts.Self)}: raft.self_addr there and raft.partner_addrs here must agree.");
        }

        if (!facts.Initial.ToHashSet().SetEquals(initial))
        {
            throw new RaftStartException(
                RaftStartFailure.Configuration,
                $"{name} wants to form a group of {Text(facts.Initial)}, this node one of {Text(initial)}: raft.self_addr and raft.partner_addrs must give the same set on all nodes.");
        }

        return null;
    }

    private async Task<(EndPoint Member, NodeFacts? Facts, string Error, bool IsStranger)> AskAsync(EndPoint member, CancellationToken token)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(token);
        timeout.CancelAfter(TimeSpan.FromSeconds(2));
        try
        {
            return (member, await client.GetFactsAsync(member, timeout.Token).ConfigureAwait(false), string.Empty, false);
        }
        catch (Exception e) when (e is IOException or SocketException || (e is OperationCanceledException && !token.IsCancellationRequested))
        {
            return (member, null, e is OperationCanceledException ? "no answer" : e.Message, PeerTrust.IsStranger(e));
        }
    }

    private static string Text(ImmutableArray<EndPoint> members) => string.Join(", ", members.Select(RaftAddress.Format).Order(StringComparer.Ordinal));

    [LoggerMessage(Level = LogLevel.Warning, Message = "A new group of {Count} needs all its members to begin; still waiting for {Missing}")]
    private static partial void LogWaiting(ILogger logger, int count, string missing);
}
