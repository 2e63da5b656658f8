using System.Globalization;
using System.Text;
using Patroni.Raft.ChaosTests.Checking;
using Patroni.Raft.ChaosTests.Clients;

namespace Patroni.Raft.ChaosTests;

/// <summary>What a run tells: lines as they come, for whoever waits, and its result as a table. To the file CHAOS_REPORT when there is one.</summary>
internal sealed class Report
{
    private static readonly Lock Gate = new();
    private readonly StringBuilder lines = new();

    public void Say(string line)
    {
        lock (Gate)
        {
            lines.AppendLine(line);
            if (Environment.GetEnvironmentVariable("CHAOS_REPORT") is { Length: > 0 } file) File.AppendAllText(file, line + "\n");
        }
    }

    public override string ToString()
    {
        lock (Gate) return lines.ToString();
    }

    /// <summary>Tells a judgement, with the evidence for what is wrong.</summary>
    public void Tell(Verdict verdict, Ledger ledger, IEnumerable<Anomaly> wrong)
    {
        Say(string.Create(CultureInfo.InvariantCulture, $"acknowledged appends {verdict.Acknowledged}, unknown {verdict.Unknown} of which {verdict.UnknownKept} are kept, vanished after being seen unacknowledged {verdict.Vanished}"));
        Say($"lost {verdict.Count(AnomalyKind.Lost)}, duplicated {verdict.Count(AnomalyKind.Duplicated)}, reordered {verdict.Count(AnomalyKind.Reordered)}, invented {verdict.Count(AnomalyKind.Invented)}, "
            + $"stale reads {verdict.Count(AnomalyKind.StaleRead)}, double primaries {verdict.Count(AnomalyKind.DoublePrimary)}; left out for thawed nodes {verdict.Excused}");
        Say($"reigns {verdict.Reigns.Count}, shortest time between two nodes {ShortestGap(verdict)}");
        foreach (Anomaly anomaly in wrong.Take(30)) Say($"  {anomaly}");
        foreach ((string failure, long count) in ledger.Failures.OrderByDescending(pair => pair.Value).Take(8)) Say($"  clients were told {count} times: {failure}");
    }

    private static string ShortestGap(Verdict verdict)
    {
        double shortest = double.MaxValue;
        for (int i = 1; i < verdict.Reigns.Count; i++)
        {
            if (verdict.Reigns[i - 1].Reign.Node != verdict.Reigns[i].Reign.Node)
                shortest = Math.Min(shortest, (verdict.Reigns[i].FirstBegin - verdict.Reigns[i - 1].Certain.End) / 1e6);
        }
        return shortest == double.MaxValue ? "none changed" : string.Create(CultureInfo.InvariantCulture, $"{shortest:F0} ms");
    }
}
