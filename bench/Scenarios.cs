using System.Diagnostics;

namespace Patroni.Raft.Bench;

/// <summary>What one repetition gave; <see cref="Lost"/> counts acknowledged rows missing at the end.</summary>
internal sealed record Outage(TimeSpan LongestGap, int Acknowledged, int Lost, TimeSpan WholeAgain);

/// <summary>The bad days, each written once for both systems.</summary>
internal static class Scenarios
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    /// <summary>Three nodes from empty directories until one leads and two stream.</summary>
    public static async Task<TimeSpan> WholeFromNothingAsync(ManagedCluster cluster)
    {
        var watch = Stopwatch.StartNew();
        cluster.Start();
        await cluster.WaitHealthyAsync(Limit);
        return watch.Elapsed;
    }

    /// <summary>The primary's host crashes; once somebody else takes writes its agent is started again.</summary>
    public static Task<Outage> HostCrashAsync(ManagedCluster cluster) => MeasureAsync(cluster, async (leader, writer) =>
    {
        cluster.CrashHost(leader);
        await writer.WaitSteadyAsync(TimeSpan.FromSeconds(1), Limit);
        cluster.StartAgent(leader);
    });

    /// <summary>A human asks for another primary.</summary>
    public static Task<Outage> SwitchoverAsync(ManagedCluster cluster) => MeasureAsync(cluster, async (leader, writer) =>
    {
        await cluster.SwitchoverAsync(leader, cluster.Nodes.First(n => n != leader));
        await writer.WaitSteadyAsync(TimeSpan.FromSeconds(1), Limit);
    });

    /// <summary>The primary's postmaster alone is killed.</summary>
    public static Task<Outage> PostmasterCrashAsync(ManagedCluster cluster) => MeasureAsync(cluster, async (leader, writer) =>
    {
        ManagedCluster.CrashPostmaster(leader);
        await writer.WaitSteadyAsync(TimeSpan.FromSeconds(1), Limit);
    });

    /// <summary>A human looks at the cluster: the median of ten calls of <c>list</c>, after one that warms the disk's cache up.</summary>
    public static async Task<TimeSpan> ListAsync(ManagedCluster cluster)
    {
        await cluster.WaitHealthyAsync(Limit);
        var times = new List<TimeSpan>();
        for (var i = 0; i <= 10; i++)
        {
            var watch = Stopwatch.StartNew();
            var output = await cluster.ListAsync();
            times.Add(watch.Elapsed);
            if (cluster.Nodes.FirstOrDefault(n => !output.Contains(n.Name, StringComparison.Ordinal)) is { } missing)
            {
                throw new InvalidOperationException($"The list does not name {missing.Name}: {output}");
            }
        }

        times.RemoveAt(0);
        times.Sort();
        return times[times.Count / 2];
    }

    private static async Task<Outage> MeasureAsync(ManagedCluster cluster, Func<NodeAddress, Writer, Task> fault)
    {
        var leader = await cluster.WaitHealthyAsync(Limit);
        await using var writer = await Writer.StartAsync(cluster.ConnectionString);
        await writer.WaitSteadyAsync(TimeSpan.FromSeconds(2), Limit);
        var watch = Stopwatch.StartNew();
        await fault(leader, writer);
        await cluster.WaitHealthyAsync(Limit);
        var whole = watch.Elapsed;
        await writer.WaitSteadyAsync(TimeSpan.FromSeconds(1), Limit);
        var (gap, acknowledged, lost) = await writer.FinishAsync();
        return new Outage(gap, acknowledged, lost, whole);
    }
}
