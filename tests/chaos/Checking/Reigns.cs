namespace Patroni.Raft.ChaosTests.Checking;

/// <summary>
/// Whether two nodes accepted writes at one instant. Overlapping writes prove nothing: an acknowledgement may be late. But a life of a
/// writable server has no gaps, so it certainly accepted from its first acknowledgement to the last begin of an acknowledged write, and two
/// such times on different nodes may not overlap.
/// </summary>
internal static class Reigns
{
    /// <summary>The reigns of a history in the order of their first acknowledgement.</summary>
    public static IReadOnlyList<ReignSpan> Of(IEnumerable<(Span Span, Reign Reign)> accepted)
    {
        var found = new Dictionary<Reign, ReignSpan>();
        foreach ((Span span, Reign reign) in accepted)
        {
            found[reign] = found.TryGetValue(reign, out ReignSpan? known)
                ? new(reign, new(Math.Min(known.Certain.Begin, span.End), Math.Max(known.Certain.End, span.Begin)), Math.Min(known.FirstBegin, span.Begin), Math.Max(known.LastEnd, span.End))
                : new(reign, new(span.End, span.Begin), span.Begin, span.End);
        }
        return [.. found.Values.OrderBy(span => span.Certain.Begin)];
    }

    /// <summary>Every pair on different nodes that certainly overlapped.</summary>
    public static IEnumerable<Anomaly> Doubles(IReadOnlyList<ReignSpan> reigns)
    {
        for (int i = 0; i < reigns.Count; i++)
        {
            for (int j = i + 1; j < reigns.Count; j++)
            {
                ReignSpan left = reigns[i], right = reigns[j];
                if (left.Reign.Node == right.Reign.Node) continue;
                long from = Math.Max(left.Certain.Begin, right.Certain.Begin), to = Math.Min(left.Certain.End, right.Certain.End);
                // A point is enough: each accepted before it and after it. An empty certain time proves nothing.
                if (left.Certain.Begin <= left.Certain.End && right.Certain.Begin <= right.Certain.End && from <= to)
                    yield return new(AnomalyKind.DoublePrimary, $"{Name(left.Reign)} and {Name(right.Reign)} both accepted writes for {(to - from) / 1e6:F1} ms");
                else if (Pierces(left, right) || Pierces(right, left))
                    yield return new(AnomalyKind.DoublePrimary, $"{Name(left.Reign)} accepted a write while {Name(right.Reign)} accepted writes");
            }
        }
    }

    /// <summary>One write of a reign that certainly happened wholly inside another's certain time.</summary>
    private static bool Pierces(ReignSpan single, ReignSpan other) =>
        single.Certain.Begin > single.Certain.End && other.Certain.Begin <= single.FirstBegin && single.LastEnd <= other.Certain.End;

    private static string Name(Reign reign) => $"{reign.Node} on timeline {reign.Timeline} since {reign.Postmaster}";
}
