namespace Patroni.Raft.ChaosTests.Checking;

/// <summary>
/// Judges what clients saw. Pure. Lists only grow, and every acknowledged append has one position for ever; so the final list decides about
/// everything that came before.
/// </summary>
internal static class Checker
{
    public static Verdict Judge(History history)
    {
        List<Anomaly> anomalies = [];
        Dictionary<long, Append> appends = history.Appends.ToDictionary(append => append.Id);
        CheckFinal(history, appends, anomalies);
        CheckAcknowledged(history, anomalies);
        CheckClients(history, anomalies);
        int excusedReads = CheckReads(history, appends, anomalies, out int vanished);

        List<(Span, Reign)> accepted = [.. history.Appends.Where(append => append.Accepted is not null).Select(append => (append.Span, append.Accepted!.Reign))];
        List<Pulse> counted = [.. history.Pulses.Where(pulse => !IsThaw(history, pulse.Reign.Node, pulse.Span))];
        accepted.AddRange(counted.Select(pulse => (pulse.Span, pulse.Reign)));
        IReadOnlyList<ReignSpan> reigns = Reigns.Of(accepted);
        anomalies.AddRange(Reigns.Doubles(reigns));

        int acknowledged = history.Appends.Count(append => append.Accepted is not null);
        HashSet<long> kept = [.. history.Final.Values.SelectMany(ids => ids)];
        return new(anomalies, acknowledged, history.Appends.Count - acknowledged,
            history.Appends.Count(append => append.Accepted is null && kept.Contains(append.Id)), vanished,
            history.Pulses.Count - counted.Count + excusedReads, reigns);
    }

    private static bool IsThaw(History history, string node, Span span) =>
        history.Thaws.Any(thaw => thaw.Node == node && span.End >= thaw.Span.Begin && span.Begin <= thaw.Span.End);

    /// <summary>Nothing twice, nothing that nobody appended.</summary>
    private static void CheckFinal(History history, Dictionary<long, Append> appends, List<Anomaly> anomalies)
    {
        foreach ((int key, long[] ids) in history.Final) CheckList($"the final list {key}", key, ids, appends, anomalies);
    }

    private static void CheckList(string name, int key, long[] ids, Dictionary<long, Append> appends, List<Anomaly> anomalies)
    {
        HashSet<long> seen = [];
        foreach (long id in ids)
        {
            if (!seen.Add(id)) anomalies.Add(new(AnomalyKind.Duplicated, $"append {id} is twice in {name}"));
            if (!appends.TryGetValue(id, out Append? append) || append.Key != key) anomalies.Add(new(AnomalyKind.Invented, $"append {id} in {name} is of no client"));
        }
    }

    /// <summary>Every acknowledged append is in the final list, where it was acknowledged.</summary>
    private static void CheckAcknowledged(History history, List<Anomaly> anomalies)
    {
        Dictionary<int, Dictionary<long, int>> positions = [];
        foreach ((int key, long[] ids) in history.Final)
        {
            Dictionary<long, int> at = positions[key] = [];
            for (int i = 0; i < ids.Length; i++) at.TryAdd(ids[i], i + 1);
        }
        foreach (Append append in history.Appends)
        {
            if (append.Accepted is not { } accepted) continue;
            if (!positions.TryGetValue(append.Key, out Dictionary<long, int>? list) || !list.TryGetValue(append.Id, out int position))
                anomalies.Add(new(AnomalyKind.Lost, $"append {append.Id} of list {append.Key}, acknowledged by {append.Node} on timeline {accepted.Reign.Timeline}"));
            else if (position != accepted.Position)
                anomalies.Add(new(AnomalyKind.Reordered, $"append {append.Id} of list {append.Key} was acknowledged at {accepted.Position} and is at {position}"));
        }
    }

    /// <summary>A client has one append on its way at a time, so those it knows to be in a list are there in the order of its counter.</summary>
    private static void CheckClients(History history, List<Anomaly> anomalies)
    {
        foreach (var group in history.Appends.Where(append => append.Accepted is not null).GroupBy(append => (append.Client, append.Node, append.Key)))
        {
            Append? before = null;
            foreach (Append append in group.OrderBy(append => append.Counter))
            {
                if (before is not null && append.Accepted!.Position <= before.Accepted!.Position)
                    anomalies.Add(new(AnomalyKind.Reordered, $"client {append.Client} appended {before.Id} to list {append.Key} before {append.Id}, at {before.Accepted.Position} and {append.Accepted.Position}"));
                before = append;
            }
        }
    }

    private static int CheckReads(History history, Dictionary<long, Append> appends, List<Anomaly> anomalies, out int vanished)
    {
        int excused = 0;
        HashSet<long> gone = [];
        ILookup<int, Append> acknowledged = history.Appends.Where(append => append.Accepted is not null).OrderBy(append => append.Span.End).ToLookup(append => append.Key);
        foreach (Read read in history.Reads)
        {
            if (IsThaw(history, read.Node, read.Span))
            {
                excused++;
                continue;
            }
            string name = $"the list {read.Key} that {read.Node} showed";
            CheckList(name, read.Key, read.Ids, appends, anomalies);
            CheckAgainstFinal(read, name, history.Final.GetValueOrDefault(read.Key, []), appends, gone, anomalies);
            foreach (Append append in acknowledged[read.Key].TakeWhile(append => append.Span.End < read.Span.Begin))
            {
                int position = append.Accepted!.Position;
                if (position > read.Ids.Length || read.Ids[position - 1] != append.Id)
                    anomalies.Add(new(AnomalyKind.StaleRead, $"{name} misses append {append.Id}, acknowledged {(read.Span.Begin - append.Span.End) / 1e6:F1} ms before"));
            }
        }
        vanished = gone.Count;
        return excused;
    }

    /// <summary>What a read showed is a beginning of the final list, but for appends that nobody was told of.</summary>
    private static void CheckAgainstFinal(Read read, string name, long[] final, Dictionary<long, Append> appends, HashSet<long> gone, List<Anomaly> anomalies)
    {
        for (int i = 0; i < read.Ids.Length; i++)
        {
            long id = read.Ids[i];
            if (i < final.Length && final[i] == id) continue;
            if (!final.Contains(id))
            {
                // Lost when it was acknowledged, which is found elsewhere.
                if (appends.TryGetValue(id, out Append? append) && append.Accepted is null) gone.Add(id);
                continue;
            }
            anomalies.Add(new(AnomalyKind.Reordered, $"{name} has append {id} at {i + 1}, the final list has it elsewhere"));
        }
    }
}
