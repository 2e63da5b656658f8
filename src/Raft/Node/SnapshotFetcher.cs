using System.Net;
using Patroni.Raft.Consensus.Log;
using Patroni.Raft.Consensus.Transport;

namespace Patroni.Raft.Consensus.Node;

/// <summary>
/// Fetches the leader's snapshot over the request connection. The library repeats its request at each heartbeat; the fetch goes
/// on between them, and the request that finds it finished installs it.
/// </summary>
internal sealed class SnapshotFetcher(PeerRequestClient client, TimeSpan patience, CancellationToken stopping)
{
    private static readonly TimeSpan FetchTimeout = TimeSpan.FromSeconds(60);
    private readonly SemaphoreSlim turn = new(1);
    private (EndPoint Holder, Task<(long Index, ReadOnlyMemory<byte> Content)> Fetch)? current;

    /// <summary>The snapshot of exactly this index, or null while it is not here yet.</summary>
    public async Task<SnapshotContent?> TryGetAsync(EndPoint holder, long index)
    {
        await turn.WaitAsync(stopping).ConfigureAwait(false);
        try
        {
            if (current is not { } running || !running.Holder.Equals(holder) || running.Fetch.IsFaulted || running.Fetch.IsCanceled)
            {
                running = (holder, FetchAsync(holder));
                current = running;
            }

            await ((Task)running.Fetch.WaitAsync(patience, stopping)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!running.Fetch.IsCompletedSuccessfully)
            {
                return null;
            }

            // Used, or of another index because the leader took a later one meanwhile: the next request begins anew.
            current = null;
            var (found, content) = running.Fetch.Result;
            return found == index ? SnapshotContent.Decode(content.Span) : null;
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task<(long Index, ReadOnlyMemory<byte> Content)> FetchAsync(EndPoint holder)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        limit.CancelAfter(FetchTimeout);
        return await client.FetchSnapshotAsync(holder, limit.Token).ConfigureAwait(false);
    }
}
