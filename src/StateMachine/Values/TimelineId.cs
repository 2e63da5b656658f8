using System.Globalization;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>A PostgreSQL timeline, from 1; 0 means unknown.</summary>
/// <param name="Value">The timeline number.</param>
[JsonConverter(typeof(TimelineIdConverter))]
public readonly record struct TimelineId(uint Value) : IComparable<TimelineId>
{
    /// <summary>No timeline known.</summary>
    public static TimelineId Unknown => default;

    /// <summary>Whether a timeline is known.</summary>
    public bool IsKnown => Value != 0;

    /// <summary>The timeline that a promotion from this one creates, when no other promotion interfered.</summary>
    public TimelineId Next => new(Value + 1);

    /// <inheritdoc/>
    public int CompareTo(TimelineId other) => Value.CompareTo(other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Orders timelines by number.</summary>
    public static bool operator <(TimelineId left, TimelineId right) => left.Value < right.Value;
    /// <summary>Orders timelines by number.</summary>
    public static bool operator >(TimelineId left, TimelineId right) => left.Value > right.Value;
    /// <summary>Orders timelines by number.</summary>
    public static bool operator <=(TimelineId left, TimelineId right) => left.Value <= right.Value;
    /// <summary>Orders timelines by number.</summary>
    public static bool operator >=(TimelineId left, TimelineId right) => left.Value >= right.Value;
}
