namespace Patroni.Raft.RaftDriver.Harness;

/// <summary>The long form: <c>--soak minutes [--seed n]</c>.</summary>
internal static class SoakProgram
{
    public static async Task<int> RunAsync(double minutes, int seed)
    {
        using var group = await DriverGroup.StartAsync(3, 0, "--election", "300,600");
        var report = await new KillSoak(group, seed).RunAsync(TimeSpan.FromMinutes(minutes));
        Console.WriteLine($"seed {seed}, {report}");
        return report is { Lost: 0, Duplicated: 0, Divergent: 0 } ? 0 : 1;
    }
}
