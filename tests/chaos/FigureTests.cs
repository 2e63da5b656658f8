using System.Globalization;
using Patroni.Raft.ChaosTests.Checking;
using Patroni.Raft.ChaosTests.Clients;
using Patroni.Raft.ChaosTests.Cluster;
using Patroni.Raft.ChaosTests.Nemesis;
using Xunit;

namespace Patroni.Raft.ChaosTests;

/// <summary>
/// The rows of the table in docs/safety.md: single faults on the primary, again and again, with commits that wait for no standby. Times are told and
/// not judged, because a loaded machine stretches them; CHAOS_ROUNDS (1) says how often, CHAOS_TTL (4) with what lease.
/// </summary>
public sealed class FigureTests
{
    private readonly Report report = new();
    private readonly List<double> outages = [];
    private readonly List<double> gaps = [];
    private readonly TimeSpan ttl = TimeSpan.FromSeconds(Settings.Number("CHAOS_TTL", 4));
    private readonly int rounds = (int)Settings.Number("CHAOS_ROUNDS", 1);
    private int failedWrites;

    [Fact]
    public async Task One_fault_on_the_primary_loses_nothing_that_is_not_lost_by_nature_and_never_makes_two_primaries()
    {
        double seconds = ttl.TotalSeconds;
        report.Say(string.Create(CultureInfo.InvariantCulture, $"tests/chaos/run --figures {rounds} --ttl {seconds}"));
        var options = new ChaosOptions { Ttl = seconds, LoopWait = Math.Max(0.5, seconds / 5), RetryTimeout = seconds * 0.3, Synchronous = false };
        try
        {
            // In the long form a cluster for each row: sixty changes of the timeline fill the small disks.
            if (!Settings.Has("CHAOS_ROUNDS")) await ChaosCluster.RunAsync(options, ShortAsync);
            else
            {
                await ChaosCluster.RunAsync(options, AgentDeadRowAsync);
                await ChaosCluster.RunAsync(options, AgentBackRowAsync);
                await ChaosCluster.RunAsync(options, cluster => JudgeAsync(cluster, "agent stopped for 2 x ttl, then continued", AgentStoppedAsync, losesNothing: true));
                // What the old primary acknowledged in its last ttl reached nobody: lost by nature, and so not judged.
                await ChaosCluster.RunAsync(options, cluster => JudgeAsync(cluster, "primary cut off from all others", CutOffAsync, losesNothing: false));
            }
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{report}\n{e.Message}", e);
        }
    }

    /// <summary>Without the rows that the short form of mixed chaos has too.</summary>
    private async Task ShortAsync(ChaosCluster cluster)
    {
        await AgentDeadRowAsync(cluster);
        await AgentBackRowAsync(cluster);
    }

    private Task AgentDeadRowAsync(ChaosCluster cluster) => JudgeAsync(cluster, "agent killed, PostgreSQL left alone, agent stays dead", AgentDeadAsync, losesNothing: true);

    private Task AgentBackRowAsync(ChaosCluster cluster) => JudgeAsync(cluster, "agent killed, started again within half of ttl", AgentBackAsync, losesNothing: true);

    private async Task JudgeAsync(ChaosCluster cluster, string row, Func<ChaosCluster, Workload, Striker, Task> round, bool losesNothing)
    {
        report.Say($"--- {row}: {rounds} runs");
        outages.Clear();
        gaps.Clear();
        failedWrites = 0;
        Verdict verdict;
        Ledger ledger;
        await using (Workload workload = await Workload.StartAsync(cluster, 1))
        {
            var striker = new Striker(cluster, workload.Ledger, report.Say);
            for (int i = 0; i < rounds; i++)
            {
                await cluster.WholeAsync();
                await workload.MoreAsync(20);
                await round(cluster, workload, striker);
            }
            await cluster.WholeAsync();
            await workload.MoreAsync(20);
            verdict = Checker.Judge(await workload.EndAsync());
            ledger = workload.Ledger;
        }
        Anomaly[] wrong = [.. verdict.Anomalies.Where(anomaly => losesNothing || anomaly.Kind == AnomalyKind.DoublePrimary)];
        report.Tell(verdict, ledger, wrong);
        report.Say($"write outage, seconds: {Spread(outages)}; from the last write of the old primary to the first of the new, seconds: {Spread(gaps)}; failed writes {failedWrites}");
        Assert.True(wrong.Length == 0, $"{row}: {string.Join("\n", wrong.Take(30).Select(anomaly => anomaly.ToString()))}");
        Assert.All(gaps, gap => Assert.True(gap > 0, $"{row}: the new primary accepted a write {-gap} s before the old one accepted its last"));
    }

    private async Task AgentDeadAsync(ChaosCluster cluster, Workload workload, Striker striker)
    {
        ChaosNode old = await cluster.PrimaryAsync();
        long began = Ledger.Now;
        await striker.BeginAsync(FaultKind.KillAgent, old);
        await OtherAsync(cluster, workload, old);
        Measure(workload, old, began);
        striker.End(FaultKind.KillAgent, old);
    }

    private async Task AgentBackAsync(ChaosCluster cluster, Workload workload, Striker striker)
    {
        ChaosNode old = await cluster.PrimaryAsync();
        long began = Ledger.Now;
        await striker.BeginAsync(FaultKind.KillAgent, old);
        await Task.Delay(ttl * 0.25);
        striker.End(FaultKind.KillAgent, old);
        await Wait.UntilAsync("a primary", async () => await cluster.FindPrimaryAsync() is not null);
        await workload.MoreAsync(20);
        outages.Add(workload.Ledger.LongestOutage(began) / 1e9);
        failedWrites += workload.Ledger.FailedSince(began);
        if (await cluster.FindPrimaryAsync() != old) report.Say($"  {old.Name} is no longer primary");
    }

    private async Task AgentStoppedAsync(ChaosCluster cluster, Workload workload, Striker striker)
    {
        ChaosNode old = await cluster.PrimaryAsync();
        long began = Ledger.Now;
        await striker.StrikeAsync(FaultKind.StopAgent, old, ttl * 2);
        await OtherAsync(cluster, workload, old);
        Measure(workload, old, began);
    }

    private async Task CutOffAsync(ChaosCluster cluster, Workload workload, Striker striker)
    {
        ChaosNode old = await cluster.PrimaryAsync();
        long began = Ledger.Now;
        await striker.BeginAsync(FaultKind.Isolate, old);
        await OtherAsync(cluster, workload, old);
        Measure(workload, old, began);
        striker.End(FaultKind.Isolate, old);
    }

    private static async Task OtherAsync(ChaosCluster cluster, Workload workload, ChaosNode old)
    {
        await Wait.UntilAsync("another primary", async () => (await cluster.WhereAsync(node => node.IsPrimaryAsync())).Any(node => node != old));
        await workload.MoreAsync(20);
    }

    private void Measure(Workload workload, ChaosNode old, long since)
    {
        outages.Add(workload.Ledger.LongestOutage(since) / 1e9);
        if (workload.Ledger.BetweenPrimaries(old.Name, since) is { } gap) gaps.Add(gap / 1e9);
        report.Say(string.Create(CultureInfo.InvariantCulture, $"  {old.Name}: outage {outages[^1]:F2} s, between two primaries {(gaps.Count > 0 ? gaps[^1] : double.NaN):F2} s"));
    }

    private static string Spread(List<double> values)
    {
        if (values.Count == 0) return "none";
        double[] sorted = [.. values.Order()];
        return string.Create(CultureInfo.InvariantCulture, $"{sorted[sorted.Length / 2]:F2} ({sorted[0]:F2} to {sorted[^1]:F2}, {sorted.Length} runs)");
    }
}
