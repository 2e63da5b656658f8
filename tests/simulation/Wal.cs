using System.Collections.Immutable;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

/// <summary>
/// Records written by one server from one point on. Its identity is its content; its timeline number is not: two servers promoted from the
/// same point write different branches with one number, and nothing in a data directory tells them apart.
/// </summary>
internal sealed class Branch(int id, TimelineId timeline, NodeName owner, Branch? parent, long fork)
{
    public int Id { get; } = id;
    public TimelineId Timeline { get; } = timeline;
    public NodeName Owner { get; } = owner;
    public Branch? Parent { get; } = parent;
    /// <summary>Number of records before this branch begins.</summary>
    public long Fork { get; } = fork;
    /// <summary>Number of records up to its present end.</summary>
    public long End { get; set; } = fork;

    /// <summary>The history file: every earlier timeline number and where it was left. A branch with its parent's number leaves no line.</summary>
    public ImmutableArray<TimelineFork> History { get; } =
        parent is null ? []
        : parent.Timeline == timeline ? parent.History
        : parent.History.Add(new(parent.Timeline, Wal.LsnOf(fork)));
}

/// <summary>The WAL content that a data directory holds: a branch up to a length. Only ever flushed records.</summary>
internal readonly record struct Wal(Branch Branch, long Length)
{
    private const long First = 0x1000000;
    private const long RecordSize = 0x100;

    public static Lsn LsnOf(long record) => new((ulong)(First + (record * RecordSize)));

    public Lsn End => LsnOf(Length);

    /// <summary>The branch that wrote the last record.</summary>
    public static Wal Of(Branch branch, long length)
    {
        while (branch.Parent is { } parent && length <= branch.Fork) branch = parent;
        return new(branch, length);
    }

    public TimelineId Timeline => Branch.Timeline;

    /// <summary>Whether every record held here is held there, at the same place.</summary>
    public bool IsPrefixOf(Wal other) => Length <= other.Length && Wal.Of(other.Branch, Length).Branch == Branch;

    /// <summary>
    /// Whether a server with this content would be served by another, judged as PostgreSQL does: by numbers alone.
    /// </summary>
    public bool CanStreamFrom(Wal other)
    {
        if (Timeline == other.Timeline) return Length <= other.Length;
        foreach (TimelineFork fork in other.Branch.History)
            if (fork.Timeline == Timeline) return End <= fork.SwitchLsn;
        return false;
    }

    public override string ToString() => $"tl {Timeline} {End} (branch {Branch.Id})";
}
