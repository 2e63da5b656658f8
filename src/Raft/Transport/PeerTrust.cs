using System.Collections.Immutable;
using System.Net;
using System.Security.Authentication;

namespace Patroni.Raft.Consensus.Transport;

/// <summary>
/// Whether the other members are of the same secret. A node with another password is not told from a dead network by anything else, and would
/// wait for a quorum for ever.
/// </summary>
internal static class PeerTrust
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <summary>Whether a peer was reached and its certificate is not of our secret.</summary>
    public static bool IsStranger(Exception error) => error is AuthenticationException || error.InnerException is AuthenticationException;

    /// <summary>
    /// Throws when every other member was reached and none is of our secret: then this node is the one that is wrong. One stranger among others, or a
    /// member that does not answer, is no reason to stay away.
    /// </summary>
    /// <exception cref="RaftStartException">All others are strangers.</exception>
    public static async Task RequireAsync(ImmutableArray<EndPoint> others, PeerRequestClient client, CancellationToken token)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(Limit);
        var asked = others.Select(member => IsStrangerAsync(member, client, limit.Token)).ToList();
        while (asked.Count > 0)
        {
            var answered = await Task.WhenAny(asked).ConfigureAwait(false);
            if (!await answered.ConfigureAwait(false))
            {
                return;
            }

            asked.Remove(answered);
        }

        if (!others.IsEmpty)
        {
            throw Refusal(others);
        }
    }

    public static RaftStartException Refusal(IEnumerable<EndPoint> members) => new(
        RaftStartFailure.Configuration,
        $"The other members ({string.Join(", ", members.Select(RaftAddress.Format))}) have another raft.password, or certificates that raft.tls.cafile does not vouch for: it must be the same on all nodes.");

    private static async Task<bool> IsStrangerAsync(EndPoint member, PeerRequestClient client, CancellationToken token)
    {
        try
        {
            await client.GetFactsAsync(member, token).ConfigureAwait(false);
            return false;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return IsStranger(e);
        }
    }
}
