namespace Patroni.Raft.Simulation;

/// <summary>What happened, as lines: the last ones for people, a hash over all of them to prove determinism.</summary>
internal sealed class Trace(int kept)
{
    private readonly Queue<string> lines = new();

    public ulong Hash { get; private set; } = 14695981039346656037;
    public int Count { get; private set; }

    public void Add(long nowMs, string who, string what)
    {
        string line = $"{nowMs / 1000.0,9:0.000} {who,-6} {what}";
        foreach (char unit in line) Hash = (Hash ^ unit) * 1099511628211;
        Count++;
        lines.Enqueue(line);
        if (lines.Count > kept) lines.Dequeue();
    }

    public override string ToString() => string.Join('\n', lines);
}

/// <summary>An invariant of the architecture page does not hold.</summary>
internal sealed class InvariantViolation(string invariant, string detail) : Exception($"({invariant}) {detail}")
{
    public string Invariant { get; } = invariant;
}
