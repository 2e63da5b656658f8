using System.Globalization;
using System.Text.Json.Nodes;

namespace Patroni.Raft.Bench;

/// <summary>The systems compared.</summary>
internal enum SystemUnderTest
{
    Patroni,
    PatroniRaft,
}

/// <summary>What is measured; the order is the order of the table.</summary>
internal enum Figure
{
    HostCrashLowestTiming,
    HostCrashTtl20,
    Switchover,
    PostmasterKilled,
    WholeFromNothing,
    CommitP50,
    CommitP99,
    CommitsPerSecond,
    MemoryMib,
    GuardRssMib,
    GuardPssMib,
    CpuPercent,
    RestPrimary,
    RestPrimaryP99,
    RestStatus,
    RestCluster,
    RestMetrics,
    LeasesLostUnderLoad,
    ListStartUp,
}

/// <summary>Raw numbers as they come in, kept in a file line by line, so that an interrupted run loses nothing.</summary>
internal sealed class Measurements(string rawFile)
{
    private readonly Dictionary<(SystemUnderTest, Figure), List<double>> _values = [];
    private readonly Dictionary<(SystemUnderTest, Figure), int> _lost = [];
    private readonly Dictionary<(SystemUnderTest, Figure), int> _failures = [];

    public void Add(SystemUnderTest system, Figure figure, double value, JsonObject? details = null)
    {
        if (!_values.TryGetValue((system, figure), out var list))
        {
            _values[(system, figure)] = list = [];
        }

        list.Add(value);
        var line = new JsonObject
        {
            ["at"] = DateTime.UtcNow.ToString("u", CultureInfo.InvariantCulture),
            ["system"] = system.ToString(),
            ["figure"] = figure.ToString(),
            ["value"] = Math.Round(value, 3),
        };
        foreach (var (key, detail) in details ?? [])
        {
            line[key] = detail?.DeepClone();
        }

        File.AppendAllText(rawFile, line.ToJsonString() + "\n");
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{system,-12} {figure,-22} {value:0.###} {details?.ToJsonString()}"));
    }

    public void Add(SystemUnderTest system, Figure figure, Outage outage)
    {
        _lost[(system, figure)] = Lost(system, figure).GetValueOrDefault() + outage.Lost;
        Add(system, figure, outage.LongestGap.TotalSeconds, new JsonObject
        {
            ["acknowledged"] = outage.Acknowledged,
            ["lost"] = outage.Lost,
            ["whole_again_s"] = Math.Round(outage.WholeAgain.TotalSeconds, 2),
        });
    }

    /// <summary>A repetition that did not come to an end is shown, not hidden.</summary>
    public void AddFailure(SystemUnderTest system, Figure figure, string message)
    {
        _failures[(system, figure)] = Failures(system, figure) + 1;
        File.AppendAllText(rawFile, new JsonObject
        {
            ["at"] = DateTime.UtcNow.ToString("u", CultureInfo.InvariantCulture),
            ["system"] = system.ToString(),
            ["figure"] = figure.ToString(),
            ["failure"] = message,
        }.ToJsonString() + "\n");
        Console.Error.WriteLine($"{system,-12} {figure,-22} failed: {message}");
    }

    public int Failures(SystemUnderTest system, Figure figure) => _failures.GetValueOrDefault((system, figure));

    public IReadOnlyList<double> Values(SystemUnderTest system, Figure figure) => _values.GetValueOrDefault((system, figure)) ?? [];

    public double? Median(SystemUnderTest system, Figure figure)
    {
        var sorted = Values(system, figure).Order().ToArray();
        return sorted.Length == 0 ? null : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Acknowledged rows lost over all repetitions; null where loss is not counted.</summary>
    public int? Lost(SystemUnderTest system, Figure figure) => _lost.TryGetValue((system, figure), out var lost) ? lost : null;
}
