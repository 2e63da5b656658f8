namespace Patroni.Raft.ChaosTests.Checking;

/// <summary>When something began and ended, CLOCK_MONOTONIC nanoseconds: all nodes and clients share one host and hence one clock.</summary>
internal readonly record struct Span(long Begin, long End);

/// <summary>One life of one writable PostgreSQL: it is writable without a gap from its first accepted write to its last.</summary>
/// <param name="Node">The node that accepted.</param>
/// <param name="Postmaster">Start of its postmaster, microseconds of its wall clock; identifies the life.</param>
/// <param name="Timeline">The timeline it wrote.</param>
internal readonly record struct Reign(string Node, long Postmaster, int Timeline);

/// <summary>An acknowledged write that must only tell who was writable when; its row may be lost.</summary>
internal sealed record Pulse(Span Span, Reign Reign);

/// <summary>An append to a list.</summary>
/// <param name="Span">From before it was sent until its answer.</param>
/// <param name="Key">The list.</param>
/// <param name="Id">Unique in the run.</param>
/// <param name="Client">Who appended; a client has one append on its way at a time.</param>
/// <param name="Counter">Counts the client's appends to this node.</param>
/// <param name="Node">The node it was sent to.</param>
/// <param name="Accepted">Where it was acknowledged; null when the outcome is not known.</param>
internal sealed record Append(Span Span, int Key, long Id, int Client, long Counter, string Node, Acceptance? Accepted);

/// <summary>What the acknowledgement said.</summary>
/// <param name="Position">The position in the list, from 1.</param>
/// <param name="Reign">The life of PostgreSQL that accepted.</param>
internal sealed record Acceptance(int Position, Reign Reign);

/// <summary>A list as a node that said it was primary showed it.</summary>
internal sealed record Read(Span Span, string Node, int Key, long[] Ids);

/// <summary>From the moment a frozen node thawed until it had to be fenced: what it does meanwhile is the stated limit of asynchronous commits.</summary>
internal sealed record Thaw(string Node, Span Span);

/// <summary>Everything that clients saw.</summary>
internal sealed record History
{
    public IReadOnlyList<Append> Appends { get; init; } = [];
    public IReadOnlyList<Read> Reads { get; init; } = [];
    public IReadOnlyList<Pulse> Pulses { get; init; } = [];
    public IReadOnlyList<Thaw> Thaws { get; init; } = [];
    /// <summary>The lists at the end, as the last primary shows them when everything is whole again.</summary>
    public IReadOnlyDictionary<int, long[]> Final { get; init; } = new Dictionary<int, long[]>();
}
