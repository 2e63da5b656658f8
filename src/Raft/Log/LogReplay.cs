namespace Patroni.Raft.Consensus.Log;

/// <summary>Rebuilds the tail from records and checks that each continues the one before.</summary>
internal sealed class LogReplay(LogTail tail, TermState term)
{
    public LogTail Tail { get; } = tail;

    public TermState Term { get; private set; } = term;

    public void OnEntry(long index, in LogEntry entry)
    {
        if (index != Tail.LastIndex + 1)
        {
            throw new InvalidDataException($"entry {index} follows entry {Tail.LastIndex}");
        }

        if (entry.Term < Tail.TermAt(index - 1) || entry.Term > Term.Term)
        {
            throw new InvalidDataException($"entry {index} has term {entry.Term}, which does not fit between that of its predecessor and the current term {Term.Term}");
        }

        if (!Enum.IsDefined(entry.Kind))
        {
            throw new InvalidDataException($"entry {index} is of kind {(byte)entry.Kind}, which this version does not know");
        }

        Tail.Append(entry);
    }

    public void OnTruncate(long fromIndex)
    {
        if (fromIndex <= Tail.BaseIndex || fromIndex > Tail.LastIndex)
        {
            throw new InvalidDataException($"a truncation from {fromIndex} is outside of entries {Tail.BaseIndex + 1} to {Tail.LastIndex}");
        }

        Tail.TruncateFrom(fromIndex);
    }

    public void OnTerm(TermState state)
    {
        if (state.Term < Term.Term)
        {
            throw new InvalidDataException($"term {state.Term} follows term {Term.Term}");
        }

        Term = state;
    }
}
