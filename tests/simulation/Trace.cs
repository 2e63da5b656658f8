using System.Runtime.CompilerServices;
using System.Text;

namespace Patroni.Raft.Simulation;

/// <summary>
/// What happened, as lines: the last ones for people, a hash over all of them to prove determinism. Switched off it costs nothing: a run that fails is
/// run again with it, because the seed decides everything.
/// </summary>
internal sealed class Trace(int kept, bool enabled)
{
    private readonly Queue<string> lines = new();

    public bool IsEnabled => enabled;
    public ulong Hash { get; private set; } = 14695981039346656037;

    public void Add(long nowMs, string who, string what)
    {
        if (!enabled) return;
        string line = $"{nowMs / 1000.0,9:0.000} {who,-6} {what}";
        foreach (char unit in line) Hash = (Hash ^ unit) * 1099511628211;
        lines.Enqueue(line);
        if (lines.Count > kept) lines.Dequeue();
    }

    public void Add(long nowMs, string who, [InterpolatedStringHandlerArgument("")] TraceText what)
    {
        if (enabled) Add(nowMs, who, what.ToString());
    }

    public override string ToString() => string.Join('\n', lines);
}

/// <summary>A line that is put together only when somebody reads it.</summary>
[InterpolatedStringHandler]
internal readonly struct TraceText
{
    private readonly StringBuilder? text;

    public TraceText(int literalLength, int formattedCount, Trace trace, out bool isEnabled)
    {
        isEnabled = trace.IsEnabled;
        text = isEnabled ? new(literalLength + (16 * formattedCount)) : null;
    }

    public void AppendLiteral(string literal) => text!.Append(literal);

    public void AppendFormatted<T>(T value) => text!.Append(value);

    public override string ToString() => text?.ToString() ?? "";
}

/// <summary>An invariant of the architecture page does not hold.</summary>
internal sealed class InvariantViolation(string invariant, string detail) : Exception($"({invariant}) {detail}")
{
    public string Invariant { get; } = invariant;
}
