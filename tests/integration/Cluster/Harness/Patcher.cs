using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>Changes the dynamic configuration all the time, a new key with each patch, and remembers which patches were acknowledged.</summary>
internal sealed class Patcher : IAsyncDisposable
{
    private readonly CancellationTokenSource ending = new();
    private readonly ConcurrentQueue<int> acknowledged = new();
    private readonly ConcurrentQueue<string> refusals = new();
    private readonly TestCluster cluster;
    private readonly Task loop;

    public Patcher(TestCluster cluster)
    {
        this.cluster = cluster;
        loop = Task.Run(RunAsync);
    }

    public IReadOnlyCollection<int> Acknowledged => [.. acknowledged];

    /// <summary>PostgreSQL takes settings of unknown extensions, so that every patch changes its configuration too.</summary>
    public static string Key(int number) => string.Create(CultureInfo.InvariantCulture, $"badday.patch{number}");

    public async Task MoreAsync(int patches)
    {
        int goal = acknowledged.Count + patches;
        try
        {
            await Wait.UntilAsync($"{patches} more acknowledged patches", () => loop.IsFaulted || acknowledged.Count >= goal);
            if (loop.IsFaulted) await loop;
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}; answers: {string.Join(" | ", refusals.TakeLast(5))}");
        }
    }

    public async Task StopAsync()
    {
        await ending.CancelAsync();
        await loop;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        ending.Dispose();
    }

    private async Task RunAsync()
    {
        for (int number = 1; !ending.IsCancellationRequested; number++)
        {
            var patch = new JsonObject { ["postgresql"] = new JsonObject { ["parameters"] = new JsonObject { [Key(number)] = number } } };
            ApiAnswer answer = await cluster.PatchConfigAsync(patch);
            if (answer.Status == 200) acknowledged.Enqueue(number);
            else refusals.Enqueue($"{answer.Status} {answer.Body}");
            await ((Task)Task.Delay(300, ending.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
