using System.Diagnostics;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>Waits for conditions. Deadlines are generous: they end a hung test and assert nothing about speed.</summary>
internal static class Wait
{
    public const int Seconds = 120;

    public static Task UntilAsync(string what, Func<Task<bool>> condition, int seconds = Seconds) =>
        ForAsync(what, async () => await condition() ? what : null, seconds);

    public static Task UntilAsync(string what, Func<bool> condition, int seconds = Seconds) => UntilAsync(what, () => Task.FromResult(condition()), seconds);

    /// <summary>Waits until there is a value, and returns it.</summary>
    public static async Task<T> ForAsync<T>(string what, Func<Task<T?>> value, int seconds = Seconds)
        where T : class
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            if (await value() is { } found) return found;
            if (watch.Elapsed > TimeSpan.FromSeconds(seconds)) throw new TimeoutException($"after {seconds} s still waiting for: {what}");
            await Task.Delay(50);
        }
    }
}
