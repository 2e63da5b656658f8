using System.Collections.Concurrent;
using System.Diagnostics;

namespace Patroni.Raft.RaftDriver.Harness;

/// <summary>What a run of kills found.</summary>
public sealed record SoakReport(
    TimeSpan Duration, int Kills, int WholeKills, int Stops, int Acknowledged, int Unknown, int Retried, int Lost, int Duplicated, int Divergent, long FinalCount)
{
    public override string ToString()
        => $"{Duration.TotalSeconds:F0} s: {Kills} processes killed ({WholeKills} times all at once), {Stops} leaders stopped and continued; {Acknowledged} acknowledged,"
            + $" {Unknown} of unknown outcome, {Retried} retried; lost {Lost}, duplicated {Duplicated}, divergent {Divergent}; {FinalCount} applied";
}

/// <summary>
/// Proposals of 50 B to 20 KB run all the time while nodes are killed, all nodes are killed at once, and leaders are stopped and
/// continued. Afterwards every acknowledged proposal must be in every node's list exactly where its acknowledgement said,
/// nothing twice, and all hashes equal at equal index.
/// </summary>
public sealed class KillSoak(DriverGroup group, int seed)
{
    private const int Proposers = 8;
    private readonly ConcurrentDictionary<(ulong Proposer, ulong Sequence), int> acknowledged = new();
    private readonly Random random = new(seed);
    private int unknown;
    private int retried;
    private int divergent;
    private int kills;
    private int wholeKills;
    private int stops;

    public async Task<SoakReport> RunAsync(TimeSpan duration)
    {
        var clock = Stopwatch.StartNew();
        using var end = new CancellationTokenSource();
        var proposing = Enumerable.Range(1, Proposers).Select(proposer => ProposeAsync((ulong)proposer, end.Token)).ToArray();
        while (clock.Elapsed < duration)
        {
            await DisturbAsync();
        }

        await end.CancelAsync();
        await Task.WhenAll(proposing);
        return await JudgeAsync(clock.Elapsed);
    }

    private async Task DisturbAsync()
    {
        await Task.Delay(random.Next(100, 900));
        switch (random.Next(10))
        {
            case 0:
                foreach (var node in group.Running.ToList())
                {
                    group.Kill(node);
                    kills++;
                }

                wholeKills++;
                foreach (var node in Enumerable.Range(0, group.Initial.Count))
                {
                    group.Start(node);
                }

                break;
            case 1 or 2:
                var leader = await group.LeaderAsync();
                group[leader].Stop();
                stops++;
                await group.LeaderAsync(except: leader);
                await Task.Delay(random.Next(300));
                group[leader].Continue();
                break;
            default:
                var victim = random.Next(3) == 0 ? random.Next(group.Initial.Count) : await group.LeaderAsync();
                group.Kill(victim);
                kills++;
                await Task.Delay(random.Next(1200));
                group.Start(victim);
                break;
        }

        foreach (var node in group.Running)
        {
            await group.ExpectStartedAsync(node);
        }

        await CompareAsync();
    }

    /// <summary>Each proposal goes to any node, and again with the same id to another one until it is acknowledged.</summary>
    private async Task ProposeAsync(ulong proposer, CancellationToken end)
    {
        var choice = new Random(seed + (int)proposer);
        for (ulong sequence = 1; !end.IsCancellationRequested; sequence++)
        {
            var size = choice.Next(20) == 0 ? choice.Next(2_000, 20_000) : choice.Next(50, 2_000);
            for (var attempt = 0; ; attempt++)
            {
                var answer = await TryAsync(choice.Next(group.Initial.Count), $"{proposer} {sequence} {size} 1500");
                if (answer.StartsWith("ok ", StringComparison.Ordinal))
                {
                    acknowledged[(proposer, sequence)] = int.Parse(answer[3..]);
                    break;
                }

                if (answer == "unknown" || answer == "gone")
                {
                    Interlocked.Increment(ref unknown);
                }

                if (end.IsCancellationRequested)
                {
                    break;
                }

                Interlocked.Increment(ref retried);
                await Task.Delay(20, CancellationToken.None);
            }
        }
    }

    private async Task<string> TryAsync(int node, string arguments)
    {
        try
        {
            return await group[node].AskAsync("p", arguments, TimeSpan.FromSeconds(4));
        }
        catch (Exception e) when (e is DriverGoneException or TimeoutException or InvalidOperationException)
        {
            return "gone";
        }
    }

    /// <summary>Hashes at one index that several nodes have applied must be equal.</summary>
    private async Task CompareAsync()
    {
        try
        {
            var states = await Task.WhenAll(group.Running.Select(async node => (Node: node, Status: await group[node].StatusAsync(TimeSpan.FromSeconds(5)))));
            var index = states.Min(state => long.Parse(state.Status["machine"]));
            var hashes = await Task.WhenAll(states.Select(state => group[state.Node].AskAsync("h", $"{index}", TimeSpan.FromSeconds(5))));
            if (hashes.Where(hash => hash != "none").Distinct().Count() > 1)
            {
                Interlocked.Increment(ref divergent);
            }
        }
        catch (Exception e) when (e is DriverGoneException or TimeoutException)
        {
            // Killed by itself meanwhile: the final comparison counts.
        }
    }

    private async Task<SoakReport> JudgeAsync(TimeSpan elapsed)
    {
        var states = await group.ConvergeAsync(TimeSpan.FromMinutes(2));
        divergent += states.Select(state => (state["hash"], state["count"])).Distinct().Count() - 1;
        var lost = 0;
        var duplicated = 0;
        foreach (var node in group.Running)
        {
            var path = Path.Combine(group.DataOf(node), "dump.txt");
            await group[node].AskAsync("dump", path);
            var lines = await File.ReadAllLinesAsync(path);
            var list = lines.Select(line => line.Split(' ')).Select(parts => (ulong.Parse(parts[0]), ulong.Parse(parts[1]))).ToArray();
            duplicated += list.Length - list.Distinct().Count();
            lost += acknowledged.Count(pair => pair.Value >= list.Length || list[pair.Value] != pair.Key);
        }

        return new SoakReport(
            elapsed, kills, wholeKills, stops, acknowledged.Count, unknown, retried, lost, duplicated, divergent, long.Parse(states[0]["count"]));
    }
}
