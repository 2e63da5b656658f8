using System.Diagnostics;

namespace Patroni.Raft.Bench;

/// <summary>Latencies of commits done by writers that each wait for their last one before the next.</summary>
internal sealed class CommitLoad
{
    private readonly double[] _sortedMs;

    private CommitLoad(IEnumerable<double> latenciesMs, TimeSpan took)
    {
        _sortedMs = [.. latenciesMs.Order()];
        PerSecond = _sortedMs.Length / took.TotalSeconds;
    }

    public double PerSecond { get; }

    public double Percentile(double share) => _sortedMs[Math.Min(_sortedMs.Length - 1, (int)(share * _sortedMs.Length))];

    /// <param name="commit">Commits one value; gets the writer's number and a running number.</param>
    public static async Task<CommitLoad> RunAsync(TimeSpan duration, int writers, Func<int, long, Task> commit)
    {
        var watch = Stopwatch.StartNew();
        var results = await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(async () =>
        {
            var latencies = new List<double>();
            for (long number = 0; watch.Elapsed < duration; number++)
            {
                var started = Stopwatch.GetTimestamp();
                await commit(writer, number);
                latencies.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }

            return latencies;
        })));
        return new CommitLoad(results.SelectMany(r => r), watch.Elapsed);
    }
}
