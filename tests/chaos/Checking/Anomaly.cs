namespace Patroni.Raft.ChaosTests.Checking;

/// <summary>What may be wrong with a history.</summary>
internal enum AnomalyKind
{
    /// <summary>An acknowledged append is not in the final list.</summary>
    Lost,
    /// <summary>An append is in a list more than once.</summary>
    Duplicated,
    /// <summary>An append is at another place than was acknowledged or shown before.</summary>
    Reordered,
    /// <summary>A list has something that no client appended to it.</summary>
    Invented,
    /// <summary>A read misses an append that was acknowledged before the read began.</summary>
    StaleRead,
    /// <summary>Two nodes accepted writes at one instant.</summary>
    DoublePrimary,
}

/// <summary>A proven fault.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Detail">The evidence, in one sentence.</param>
internal sealed record Anomaly(AnomalyKind Kind, string Detail)
{
    public override string ToString() => $"{Kind}: {Detail}";
}

/// <summary>The judgement of a history.</summary>
/// <param name="Anomalies">Everything proven.</param>
/// <param name="Acknowledged">Acknowledged appends.</param>
/// <param name="Unknown">Appends whose outcome clients do not know.</param>
/// <param name="UnknownKept">How many of those are in the final lists.</param>
/// <param name="Vanished">Unacknowledged appends that a read showed and that are gone: allowed, because a commit that waits for a standby is seen once its server restarts.</param>
/// <param name="Excused">Pulses and reads of just thawed nodes that were left out.</param>
/// <param name="Reigns">Lives of writable servers, in order.</param>
internal sealed record Verdict(
    IReadOnlyList<Anomaly> Anomalies, int Acknowledged, int Unknown, int UnknownKept, int Vanished, int Excused, IReadOnlyList<ReignSpan> Reigns)
{
    public int Count(AnomalyKind kind) => Anomalies.Count(anomaly => anomaly.Kind == kind);
}

/// <summary>A reign and the time for which it is proven that it accepted writes.</summary>
/// <param name="Reign">Which.</param>
/// <param name="Certain">From the first acknowledgement to the last begin of an acknowledged write; empty (End before Begin) after a single write.</param>
/// <param name="LastEnd">The last acknowledgement.</param>
/// <param name="FirstBegin">The first begin of an acknowledged write.</param>
internal sealed record ReignSpan(Reign Reign, Span Certain, long FirstBegin, long LastEnd);
