using System.Collections.Concurrent;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>
/// Asks all the time who is primary. A node that answers so before and after another did proves two at once: single answers do not, because
/// leadership may move between two requests.
/// </summary>
internal sealed class PrimaryWatch : IAsyncDisposable
{
    private readonly CancellationTokenSource ending = new();
    private readonly ConcurrentQueue<string> doubles = new();
    private readonly TestCluster cluster;
    private readonly Task loop;

    public PrimaryWatch(TestCluster cluster)
    {
        this.cluster = cluster;
        loop = Task.Run(RunAsync);
    }

    public IReadOnlyCollection<string> Doubles => [.. doubles];

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await loop;
        ending.Dispose();
    }

    private async Task RunAsync()
    {
        while (!ending.IsCancellationRequested)
        {
            TestNode[] claim = await cluster.WhereAsync(node => node.IsPrimaryAsync());
            if (claim.Length > 1 && await AllStillAsync(claim)) doubles.Enqueue($"{DateTime.UtcNow:O} {string.Join(" and ", claim.Select(node => node.Name))}");
            await ((Task)Task.Delay(200, ending.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task<bool> AllStillAsync(TestNode[] claim)
    {
        // Each in turn, twice over: the first node's second answer comes after the last node's first.
        for (int round = 0; round < 2; round++)
            foreach (TestNode node in claim)
                if (!await node.IsPrimaryAsync()) return false;
        return true;
    }
}
