using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Patroni.Raft.Bench;

/// <summary>The markdown table: both columns, the ratio, and what it was measured on.</summary>
internal static class Report
{
    private static readonly (Figure Figure, string Title, string Unit, bool LessIsBetter)[] Rows =
    [
        (Figure.HostCrashLowestTiming, "host crash (agent and PostgreSQL killed), each at its lowest timing", "s", true),
        (Figure.HostCrashTtl20, "host crash, both ttl 20", "s", true),
        (Figure.Switchover, "switchover", "s", true),
        (Figure.PostmasterKilled, "postmaster killed", "s", true),
        (Figure.WholeFromNothing, "three nodes whole from nothing", "s", true),
        (Figure.CommitP50, "replicated commit over three nodes, one writer, p50", "ms", true),
        (Figure.CommitP99, "replicated commit over three nodes, one writer, p99", "ms", true),
        (Figure.CommitsPerSecond, "replicated commits, 64 writers", "/s", false),
        (Figure.MemoryMib, "memory of the managers, three idle nodes, loop_wait 1 (PSS)", "MiB", true),
        (Figure.GuardRssMib, "memory of one guard beside its agent, resident (RSS)", "MiB", true),
        (Figure.GuardPssMib, "memory of one guard beside its agent, proportional (PSS)", "MiB", true),
        (Figure.CpuPercent, "processor time of the managers, three idle nodes, loop_wait 1", "% of a core", true),
        (Figure.RestPrimary, "`GET /primary` of the leader, 16 connections", "/s", false),
        (Figure.RestPrimaryP99, "`GET /primary` of the leader, 16 connections, p99", "ms", true),
        (Figure.RestStatus, "`GET /patroni` of the leader, 16 connections", "/s", false),
        (Figure.RestCluster, "`GET /cluster` of the leader, 16 connections", "/s", false),
        (Figure.RestMetrics, "`GET /metrics` of the leader, 16 connections", "/s", false),
        (Figure.LeasesLostUnderLoad, "leases lost under that load, ttl 3", "", true),
        (Figure.ListStartUp, "the command `list`, from start to end", "ms", true),
    ];

    public static string Write(Measurements measurements, Workplace workplace)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"Measured {DateTime.UtcNow:yyyy-MM-dd} on {Machine()}. ");
        text.Append(CultureInfo.InvariantCulture, $"{FirstLine(Path.Combine(workplace.PostgresBin, "postgres"), "--version")}; ");
        text.AppendLine("one machine, three nodes on loopback. Outages are the longest gap between two acknowledged writes of one client, median of the repetitions.");
        text.AppendLine();
        var theirs = workplace.Patroni.Length > 0
            ? $"{FirstLine(workplace.Patroni, "--version")} + {FirstLine(workplace.Etcd, "--version").Replace(" Version:", "", StringComparison.Ordinal)}" : "Patroni + etcd";
        var ours = workplace.PatroniRaft.Length > 0 ? FirstLine(workplace.PatroniRaft, "--version") : "patroni-raft";
        text.AppendLine(CultureInfo.InvariantCulture, $"| | {theirs} | {ours} | ratio |");
        text.AppendLine("|---|---|---|---|");
        foreach (var row in Rows)
        {
            var left = measurements.Median(SystemUnderTest.Patroni, row.Figure);
            var right = measurements.Median(SystemUnderTest.PatroniRaft, row.Figure);
            if (left is null && right is null)
            {
                continue;
            }

            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {row.Title} | {Cell(measurements, SystemUnderTest.Patroni, row.Figure, row.Unit)} | {Cell(measurements, SystemUnderTest.PatroniRaft, row.Figure, row.Unit)} | {Ratio(left, right, row.LessIsBetter)} |");
        }

        return text.ToString();
    }

    private static string Cell(Measurements measurements, SystemUnderTest system, Figure figure, string unit)
    {
        var failures = measurements.Failures(system, figure);
        if (measurements.Median(system, figure) is not { } median)
        {
            return failures > 0 ? $"failed ({failures} of {failures})" : "not measured";
        }

        var values = measurements.Values(system, figure);
        var text = $"{Short(median)} {unit}";
        if (values.Count > 1)
        {
            text += $" ({Short(values.Min())} to {Short(values.Max())})";
        }

        text = measurements.Lost(system, figure) is { } lost ? $"{text}, {lost} rows lost" : text;
        return failures > 0 ? $"{text}, {failures} of {failures + values.Count} failed" : text;
    }

    private static string Ratio(double? theirs, double? ours, bool lessIsBetter) =>
        theirs is { } t && ours is { } o && t > 0 && o > 0
            ? string.Create(CultureInfo.InvariantCulture, $"{(lessIsBetter ? t / o : o / t):0.0} x") : "";

    private static string Short(double value) => value.ToString(value >= 100 ? "#,0" : value >= 10 ? "0.0" : "0.00", CultureInfo.InvariantCulture);

    private static string Machine()
    {
        var memoryKib = long.Parse(File.ReadLines("/proc/meminfo").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        var model = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown processor";
        return string.Create(CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} cores ({model}), {memoryKib / 1048576.0:0} GiB, Linux {File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}");
    }

    private static string FirstLine(string program, string argument)
    {
        var start = new ProcessStartInfo(program, argument) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output.Split('\n')[0].Trim();
    }
}
