namespace Patroni.Raft.Bench;

/// <summary>Memory and processor time of the manager of three idle nodes, PostgreSQL excluded.</summary>
/// <param name="PssMib">Proportional set size of all of them.</param>
/// <param name="CpuPercentOfACore">Processor time.</param>
/// <param name="Processes">How many they are.</param>
/// <param name="Guard">The largest guard, resident and proportional; null where there are no guards.</param>
internal sealed record Footprint(double PssMib, double CpuPercentOfACore, int Processes, (double RssMib, double PssMib)? Guard)
{
    /// <summary>Lets the cluster rest for 10 s, then watches for the given time; memory is read at its end.</summary>
    public static async Task<Footprint> MeasureAsync(ManagedCluster cluster, TimeSpan watched)
    {
        await Task.Delay(TimeSpan.FromSeconds(10));
        var before = Ticks(cluster);
        await Task.Delay(watched);
        var after = Ticks(cluster);
        var spent = after.Sum(p => p.Value - before.GetValueOrDefault(p.Key));
        var pss = after.Keys.Sum(Bench.Processes.PssKib);
        int[] guards = [.. after.Keys.Where(Bench.Processes.IsGuard)];
        return new Footprint(pss / 1024.0, spent / watched.TotalSeconds, after.Count, guards.Length == 0 ? null
            : (guards.Max(Bench.Processes.RssKib) / 1024.0, guards.Max(Bench.Processes.PssKib) / 1024.0));
    }

    private static Dictionary<int, long> Ticks(ManagedCluster cluster) =>
        cluster.ManagerProcesses().ToDictionary(id => id, Bench.Processes.CpuTicks);
}
