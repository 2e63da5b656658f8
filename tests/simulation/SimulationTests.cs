using System.Diagnostics;
using System.Globalization;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.Simulation;

/// <summary>
/// Runs the core in simulated worlds, of every plot. <c>SIM_SEED=n</c> runs one seed, <c>SIM_START</c> and <c>SIM_SEEDS</c> choose a range; <c>SIM_PLOT=name</c> one plot.
/// </summary>
public sealed class SimulationTests(ITestOutputHelper output)
{
    private static ulong? Number(string name) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) ? value : null;

    private static readonly string? OnlyPlot = Environment.GetEnvironmentVariable("SIM_PLOT");

    /// <summary>One seed belongs to one plot; without its name it is a seed of no plot.</summary>
    public static TheoryData<string> Plots => [.. Enum.GetNames<Plot>().Where(static name => OnlyPlot is null ? Number("SIM_SEED") is null || name == nameof(Plot.None) : name == OnlyPlot)];

    [Theory]
    [MemberData(nameof(Plots))]
    public void SeedsKeepEveryInvariant(string plotName)
    {
        Plot plot = Enum.Parse<Plot>(plotName);
        ulong start = Number("SIM_SEED") ?? Number("SIM_START") ?? 1;
        ulong count = Number("SIM_SEED") is null ? Number("SIM_SEEDS") ?? (plot == Plot.None ? 1000u : 100u) : 1;
        var watch = Stopwatch.StartNew();
        List<SimResult> failed = [];
        long entries = 0, elections = 0, branches = 0, looks = 0, led = 0, paused = 0, failsafe = 0, thaws = 0;
        Parallel.For((long)start, (long)(start + count), seed =>
        {
            SimResult result = World.Run(SimOptions.Of((ulong)seed, plot: plot));
            Interlocked.Add(ref entries, result.Entries);
            Interlocked.Add(ref elections, result.Elections);
            Interlocked.Add(ref branches, result.Branches);
            Interlocked.Add(ref looks, result.Looks);
            Interlocked.Add(ref led, result.LooksWithPrimary);
            Interlocked.Add(ref paused, result.LooksPaused);
            Interlocked.Add(ref failsafe, result.LooksFailsafe);
            Interlocked.Add(ref thaws, result.Thaws);
            if (result.Violation is null) return;
            lock (failed) failed.Add(result);
        });
        output.WriteLine($"{(plot == Plot.None ? "" : $"plot {plot}: ")}{count} seeds from {start} in {watch.Elapsed.TotalSeconds:0.0} s ({count * 60 / watch.Elapsed.TotalSeconds:0} a minute): "
            + $"{entries} entries, {elections} elections, {branches} lines of WAL, a primary during {100 * led / Math.Max(1, looks)} % pause during {100 * paused / Math.Max(1, looks)} % and promises during {100.0 * failsafe / Math.Max(1, looks):0.0} % of the time, "
            + $"{thaws} looks at a thawed host before its guard struck, {failed.Count} failed");
        failed.Sort(static (left, right) => left.Options.Seed.CompareTo(right.Options.Seed));
        foreach (IGrouping<string, SimResult> kind in failed.GroupBy(static result => result.Violation!.Invariant))
            output.WriteLine($"({kind.Key}) {kind.Count()}: {string.Join(' ', kind.Take(20).Select(static result => result.Options.Seed))}");
        foreach (SimResult result in failed.Take(30)) output.WriteLine($"seed {result.Options.Seed}: {result.Violation!.Message}");
        Assert.True(failed.Count == 0, failed.Count == 0 ? "" : $"{failed.Count} of {count} seeds failed, the first:\n{failed[0].Report}");
    }
}
