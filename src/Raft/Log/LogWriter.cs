using DotNext.Net.Cluster;
using Patroni.Raft.Consensus.Storage;

namespace Patroni.Raft.Consensus.Log;

/// <summary>
/// The working state of the log and the rules that guard it. Used by one thread only. Changes collect in a frame;
/// <see cref="Flush"/> makes them durable with one write and one fsync.
/// </summary>
internal sealed class LogWriter : IDisposable
{
    private readonly ILogDirectory directory;
    private readonly LogStoreOptions options;
    private readonly Func<long> commitIndex;
    private readonly ByteWriter body = new(64 * 1024);
    private readonly ByteWriter frame = new(64 * 1024);
    private ILogFile file;
    private long length;
    private long openedTerm = -1;

    public LogWriter(ILogDirectory directory, RecoveredLog recovered, LogStoreOptions options, Func<long> commitIndex)
    {
        this.directory = directory;
        this.options = options;
        this.commitIndex = commitIndex;
        Header = recovered.Header;
        Tail = recovered.Tail;
        State = recovered.Term;
        length = recovered.Length;
        file = directory.Open(Header.FileName);
    }

    public LogTail Tail { get; }

    public SegmentHeader Header { get; private set; }

    public TermState State { get; private set; }

    public long FileLength => length;

    /// <summary>This node as a candidate; an own append needs its vote for itself.</summary>
    public ClusterMemberId Self { get; init; }

    /// <summary>Told before entries disappear, so that readers stop seeing them first.</summary>
    public Action<long> Truncating { get; init; } = _ => { };

    public bool HasPending => body.Length > 0;

    public bool IsFull => body.Length >= options.FrameBytesLimit;

    /// <summary>
    /// Appends an entry of this node as leader. Accepted only in the term that this node opened itself: a proposal made
    /// while stepping down would otherwise become an entry of the next leader's term, and replicas diverge (finding 3).
    /// </summary>
    public long AppendOwn(in LogEntry entry)
    {
        if (entry.Term != State.Term)
        {
            throw new LogRefusedException($"An own entry of term {entry.Term} is refused in term {State.Term}.");
        }

        var opens = entry.Kind is EntryKind.NoOp && openedTerm != entry.Term;
        if (opens ? State.VotedFor != Self : openedTerm != entry.Term)
        {
            throw new LogRefusedException($"An own entry is refused: this node did not open term {entry.Term}.");
        }

        if (entry.Kind is EntryKind.Configuration)
        {
            _ = GroupConfiguration.Decode(entry.Payload.Span);
        }

        openedTerm = entry.Term;
        return Add(entry);
    }

    /// <summary>
    /// Appends entries of the leader. An entry that is held with the same term is never rewritten (finding 2); one with
    /// another term is replaced together with all after it, but never a committed one.
    /// </summary>
    public long AppendReplicated(long startIndex, IReadOnlyList<LogEntry> entries)
    {
        if (startIndex < 1 || startIndex > Tail.LastIndex + 1)
        {
            throw new LogRefusedException($"Entries from {startIndex} on do not continue a log that ends at {Tail.LastIndex}.");
        }

        var skip = CountHeld(startIndex, entries);
        if (skip == entries.Count)
        {
            return Tail.LastIndex;
        }

        var from = startIndex + skip;
        CheckNew(from, entries, skip);
        if (from <= Tail.LastIndex)
        {
            Truncating(from);
            RecordCodec.Truncate(body, from);
            Tail.TruncateFrom(from);
        }

        for (var i = skip; i < entries.Count; i++)
        {
            Add(entries[i]);
        }

        return Tail.LastIndex;
    }

    public long IncrementTerm(ClusterMemberId vote)
    {
        SetTerm(new TermState(State.Term + 1, vote));
        return State.Term;
    }

    public bool UpdateTerm(long term)
    {
        if (term < State.Term)
        {
            throw new LogRefusedException($"Term {term} is behind the current term {State.Term}.");
        }

        // In the same term the vote stays: forgetting it would allow a second one.
        if (term > State.Term)
        {
            SetTerm(new TermState(term, null));
        }

        return true;
    }

    public bool Vote(ClusterMemberId member)
    {
        if (State.VotedFor is { } given && given != member)
        {
            throw new LogRefusedException($"The vote of term {State.Term} was given to another node.");
        }

        if (State.VotedFor is null)
        {
            SetTerm(State with { VotedFor = member });
        }

        return true;
    }

    /// <summary>One write, one fsync.</summary>
    public void Flush()
    {
        frame.Clear();
        RecordCodec.Frame(frame, length, body.Written);
        file.Write(length, frame.Written);
        file.Flush();
        length += frame.Length;
        body.Clear();
    }

    /// <summary>Starts a segment that stands on a snapshot of this log; the snapshot file is durable already.</summary>
    public bool Compact(long snapshotIndex)
    {
        if (snapshotIndex <= Header.SnapshotIndex)
        {
            // The leader's snapshot was installed while this one was being written.
            if (snapshotIndex != Header.SnapshotIndex)
            {
                directory.Delete(SnapshotFile.NameOf(snapshotIndex));
            }

            return false;
        }

        Tail.AdvanceBase(Tail.BaseRetaining(snapshotIndex, options.RetainedBytes));
        ReplaceSegment(snapshotIndex);
        return true;
    }

    /// <summary>
    /// Starts a segment that stands on the leader's snapshot; the snapshot file is durable already. Entries that follow
    /// it in this log stay, unless they contradict it.
    /// </summary>
    public bool Install(long index, long term, SnapshotContent content)
    {
        if (index <= commitIndex())
        {
            throw new LogRefusedException($"The snapshot of index {index} is not ahead of the committed index {commitIndex()}.");
        }

        if (Tail.TermAt(index) == term)
        {
            Tail.AdvanceBase(index);
        }
        else
        {
            Tail.Reset(index, term, content.ConfigurationIndex, content.Configuration);
        }

        ReplaceSegment(index);
        return true;
    }

    /// <summary>For force-new-cluster: opens a term without an election.</summary>
    public long OpenTerm()
    {
        var term = IncrementTerm(Self);
        return AppendOwn(new LogEntry(term, EntryKind.NoOp, default));
    }

    public void Dispose() => file.Dispose();

    private int CountHeld(long startIndex, IReadOnlyList<LogEntry> entries)
    {
        for (var i = 0; i < entries.Count; i++)
        {
            var index = startIndex + i;
            var held = Tail.TermAt(index);
            var committed = index <= Math.Max(Tail.BaseIndex, commitIndex());
            if (committed && held is { } term && term != entries[i].Term)
            {
                throw new LogRefusedException(
                    $"A leader wants to replace the committed entry {index} of term {term} by one of term {entries[i].Term}: it belongs to another group, or its log was lost.");
            }

            if (!committed && held != entries[i].Term)
            {
                return i;
            }
        }

        return entries.Count;
    }

    private void CheckNew(long from, IReadOnlyList<LogEntry> entries, int skip)
    {
        var previous = Tail.TermAt(from - 1) ?? 0;
        for (var i = skip; i < entries.Count; i++)
        {
            var entry = entries[i];
            if (entry.Term < previous || entry.Term > State.Term)
            {
                throw new LogRefusedException($"Entry {from + i - skip} of term {entry.Term} does not fit after term {previous} in term {State.Term}.");
            }

            if (entry.Kind is EntryKind.Configuration)
            {
                _ = GroupConfiguration.Decode(entry.Payload.Span);
            }

            previous = entry.Term;
        }
    }

    private long Add(in LogEntry entry)
    {
        var index = Tail.LastIndex + 1;
        RecordCodec.Entry(body, index, entry);
        Tail.Append(entry);
        return index;
    }

    private void SetTerm(TermState state)
    {
        RecordCodec.Term(body, state);
        State = state;
    }

    /// <summary>
    /// New segment under a temporary name, fsync, rename, fsync of the directory; the old files go last. A crash before the
    /// rename leaves the old segment in force, one after it the new.
    /// </summary>
    private void ReplaceSegment(long snapshotIndex)
    {
        var old = Header;
        var baseIndex = Tail.BaseIndex;
        var configuration = Tail.ConfigurationAt(baseIndex);
        var header = new SegmentHeader(
            old.Sequence + 1, baseIndex, Tail.TermAt(baseIndex) ?? 0, snapshotIndex, State, configuration.Index, configuration.Members);
        var (created, size) = SegmentFile.Create(directory, header, Tail, options.FrameBytesLimit);
        file.Dispose();
        file = created;
        length = size;
        Header = header;
        body.Clear();
        directory.Delete(old.FileName);
        if (old.SnapshotIndex > 0 && old.SnapshotIndex != snapshotIndex)
        {
            directory.Delete(SnapshotFile.NameOf(old.SnapshotIndex));
        }
    }
}
