using System.Diagnostics;
using System.Globalization;
using Patroni.Raft.ChaosTests.Checking;
using Patroni.Raft.ChaosTests.Clients;
using Patroni.Raft.ChaosTests.Cluster;
using Patroni.Raft.ChaosTests.Nemesis;
using Xunit;

namespace Patroni.Raft.ChaosTests;

/// <summary>Faults of all kinds after a schedule that a seed makes, while clients append, read and pulse.</summary>
public sealed class MixedChaosTests
{
    /// <summary>
    /// CHAOS_MINUTES (0.5), CHAOS_SEED (28), CHAOS_NODES (3), CHAOS_TTL (4), CHAOS_ASYNC=1: commits wait for no standby, and then lost appends are told only,
    /// because an asynchronous failover may lose them by its nature.
    /// </summary>
    [Fact]
    public async Task Mixed_faults_lose_nothing_and_never_make_two_primaries()
    {
        double minutes = Settings.Number("CHAOS_MINUTES", 0.5);
        int seed = (int)Settings.Number("CHAOS_SEED", 28), nodes = (int)Settings.Number("CHAOS_NODES", 3);
        double ttl = Settings.Number("CHAOS_TTL", 4);
        bool synchronous = Settings.Number("CHAOS_ASYNC", 0) == 0;
        var options = new ChaosOptions { Nodes = nodes, Ttl = ttl, LoopWait = Math.Max(0.5, ttl / 5), RetryTimeout = ttl * 0.3, Synchronous = synchronous };
        IReadOnlyList<Fault> schedule = Schedule.Make(seed, TimeSpan.FromMinutes(minutes), TimeSpan.FromSeconds(ttl), nodes);
        var report = new Report();
        report.Say($"tests/chaos/run --minutes {minutes.ToString(CultureInfo.InvariantCulture)} --seed {seed} --nodes {nodes} --ttl {ttl.ToString(CultureInfo.InvariantCulture)}{(synchronous ? "" : " --async")}");
        foreach (Fault fault in schedule) report.Say($"  {fault}");
        try
        {
            await ChaosCluster.RunAsync(options, cluster => RunAsync(cluster, schedule, seed, report));
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{report}\n{e.Message}", e);
        }
    }

    private static async Task RunAsync(ChaosCluster cluster, IReadOnlyList<Fault> schedule, int seed, Report report)
    {
        await using Workload workload = await Workload.StartAsync(cluster, seed);
        await new Striker(cluster, workload.Ledger, report.Say).RunAsync(schedule);

        TimeSpan whole = await cluster.WholeAsync();
        report.Say(string.Create(CultureInfo.InvariantCulture, $"whole again {whole.TotalSeconds:F1} s after the last fault"));
        await workload.MoreAsync(20);
        History history = await workload.EndAsync();
        Verdict verdict = Checker.Judge(history);
        Anomaly[] wrong = [.. verdict.Anomalies.Where(anomaly => cluster.Options.Synchronous || anomaly.Kind == AnomalyKind.DoublePrimary)];
        report.Tell(verdict, workload.Ledger, wrong);
        Assert.True(wrong.Length == 0, string.Join("\n", wrong.Take(30).Select(anomaly => anomaly.ToString())));
    }
}
