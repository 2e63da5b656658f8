using System.Globalization;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// Names one term of leadership over PostgreSQL: the group's generation and the log index at which leadership was acquired.
/// A fencing token: monotonic for ever, also across <c>force-new-cluster</c>, which raises the generation.
/// </summary>
/// <param name="Generation">Generation of the Raft group, from 1.</param>
/// <param name="Index">Raft log index of the entry that granted leadership.</param>
[JsonConverter(typeof(EpochConverter))]
public readonly record struct Epoch(uint Generation, long Index) : IComparable<Epoch>
{
    /// <summary>No epoch.</summary>
    public static Epoch None => default;

    /// <summary>Whether it names one.</summary>
    public bool IsKnown => Index > 0;

    /// <summary>Reads <c>generation.index</c>.</summary>
    public static bool TryParse(string? text, out Epoch epoch)
    {
        string[] parts = text?.Split('.') ?? [];
        bool read = uint.TryParse(parts.Length == 2 ? parts[0] : "", NumberStyles.None, CultureInfo.InvariantCulture, out uint generation)
            & long.TryParse(parts.Length == 2 ? parts[1] : "", NumberStyles.None, CultureInfo.InvariantCulture, out long index);
        epoch = read ? new(generation, index) : default;
        return read;
    }

    /// <inheritdoc/>
    public int CompareTo(Epoch other) =>
        Generation != other.Generation ? Generation.CompareTo(other.Generation) : Index.CompareTo(other.Index);

    /// <summary><c>generation.index</c>.</summary>
    public override string ToString() => $"{Generation}.{Index}";

    /// <summary>Orders epochs.</summary>
    public static bool operator <(Epoch left, Epoch right) => left.CompareTo(right) < 0;
    /// <summary>Orders epochs.</summary>
    public static bool operator >(Epoch left, Epoch right) => left.CompareTo(right) > 0;
    /// <summary>Orders epochs.</summary>
    public static bool operator <=(Epoch left, Epoch right) => left.CompareTo(right) <= 0;
    /// <summary>Orders epochs.</summary>
    public static bool operator >=(Epoch left, Epoch right) => left.CompareTo(right) >= 0;
}

/// <summary>Names one vacancy of leadership: the group's generation and the log index at which it opened.</summary>
/// <param name="Generation">Generation of the Raft group, from 1.</param>
/// <param name="Index">Raft log index of the entry that opened the vacancy.</param>
[JsonConverter(typeof(VacancyIdConverter))]
public readonly record struct VacancyId(uint Generation, long Index)
{
    /// <summary><c>generation.index</c>.</summary>
    public override string ToString() => $"{Generation}.{Index}";
}

/// <summary>
/// Names one life of a node's data directory: drawn anew at initdb, clone and rewind, so that nothing a former content
/// of the directory said (a stand, a place in the synchronous set) counts for the new one.
/// </summary>
/// <param name="Value">Random 64-bit number; 0 means that there is no data.</param>
[JsonConverter(typeof(IncarnationConverter))]
public readonly record struct Incarnation(ulong Value)
{
    /// <summary>No data.</summary>
    public static Incarnation None => default;

    /// <inheritdoc/>
    public override string ToString() => Value.ToString("x16", System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>Identifies a proposal for deduplication: who proposed (a random number drawn at agent start) and its counter.</summary>
/// <param name="Proposer">Random 64-bit number of the proposing process.</param>
/// <param name="Sequence">Counter of that process, from 1.</param>
[JsonConverter(typeof(CommandIdConverter))]
public readonly record struct CommandId(ulong Proposer, ulong Sequence)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Proposer:x16}-{Sequence}";
}
