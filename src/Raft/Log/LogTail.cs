namespace Patroni.Raft.Consensus.Log;

/// <summary>
/// The entries after the base, in memory, and the member lists among them. The base is the last index that the current
/// segment does not hold. Changed by the log's writer only; read by everybody.
/// </summary>
internal sealed class LogTail
{
    private readonly Lock sync = new();
    private readonly List<(long Index, GroupConfiguration Members)> configurations;
    private List<LogEntry> entries = [];
    private long baseIndex;
    private long baseTerm;

    public LogTail(long baseIndex, long baseTerm, long configurationIndex, GroupConfiguration configuration)
    {
        this.baseIndex = baseIndex;
        this.baseTerm = baseTerm;
        configurations = [(configurationIndex, configuration)];
    }

    public long BaseIndex
    {
        get
        {
            lock (sync)
            {
                return baseIndex;
            }
        }
    }

    public long LastIndex
    {
        get
        {
            lock (sync)
            {
                return baseIndex + entries.Count;
            }
        }
    }

    public (long Index, GroupConfiguration Members) Configuration
    {
        get
        {
            lock (sync)
            {
                return configurations[^1];
            }
        }
    }

    /// <summary>The member list in force at an index: the last one at or before it.</summary>
    public (long Index, GroupConfiguration Members) ConfigurationAt(long index)
    {
        lock (sync)
        {
            return configurations.FindLast(item => item.Index <= index) is { Members: not null } found ? found : configurations[0];
        }
    }

    /// <summary>The term of an entry; null if it is before the base or after the end.</summary>
    public long? TermAt(long index)
    {
        lock (sync)
        {
            if (index == baseIndex)
            {
                return baseTerm;
            }

            return index > baseIndex && index <= baseIndex + entries.Count ? entries[(int)(index - baseIndex - 1)].Term : null;
        }
    }

    public LogEntry? EntryAt(long index)
    {
        lock (sync)
        {
            return index > baseIndex && index <= baseIndex + entries.Count ? entries[(int)(index - baseIndex - 1)] : null;
        }
    }

    public void Append(in LogEntry entry)
    {
        lock (sync)
        {
            entries.Add(entry);
            if (entry.IsConfiguration)
            {
                configurations.Add((baseIndex + entries.Count, GroupConfiguration.Decode(entry.Payload.Span)));
            }
        }
    }

    /// <summary>Drops the entries from an index on; a member list among them is not in force any more.</summary>
    public void TruncateFrom(long index)
    {
        lock (sync)
        {
            var keep = (int)(index - baseIndex - 1);
            entries.RemoveRange(keep, entries.Count - keep);
            configurations.RemoveAll(item => item.Index >= index && item.Index > baseIndex);
        }
    }

    /// <summary>
    /// Entries from <paramref name="start"/> to at most <paramref name="end"/>, not more than about <paramref name="bytesLimit"/>
    /// bytes but at least one.
    /// </summary>
    public LogEntry[] Slice(long start, long end, long bytesLimit)
    {
        lock (sync)
        {
            var from = (int)(start - baseIndex - 1);
            var to = (int)(Math.Min(end, baseIndex + entries.Count) - baseIndex);
            if (from < 0 || from >= to)
            {
                return [];
            }

            var until = from;
            for (long bytes = 0; until < to && (until == from || bytes + entries[until].Payload.Length <= bytesLimit); until++)
            {
                bytes += entries[until].Payload.Length;
            }

            return [.. entries[from..until]];
        }
    }

    /// <summary>The lowest base so that the entries after it up to <paramref name="index"/> hold at most <paramref name="bytesLimit"/> bytes.</summary>
    public long BaseRetaining(long index, long bytesLimit)
    {
        lock (sync)
        {
            var position = index;
            for (long bytes = 0; position > baseIndex; position--)
            {
                bytes += entries[(int)(position - baseIndex - 1)].Payload.Length + RecordCodec.EntryOverheadBytes;
                if (bytes > bytesLimit)
                {
                    break;
                }
            }

            return position;
        }
    }

    /// <summary>Forgets the entries up to a new base inside the log.</summary>
    public void AdvanceBase(long index)
    {
        lock (sync)
        {
            var term = index == baseIndex ? baseTerm : entries[(int)(index - baseIndex - 1)].Term;
            entries = entries[(int)(index - baseIndex)..];
            baseIndex = index;
            baseTerm = term;
            ForgetOldConfigurations();
        }
    }

    /// <summary>Replaces everything by a snapshot that does not continue this log.</summary>
    public void Reset(long index, long term, long configurationIndex, GroupConfiguration configuration)
    {
        lock (sync)
        {
            entries = [];
            baseIndex = index;
            baseTerm = term;
            configurations.Clear();
            configurations.Add((configurationIndex, configuration));
        }
    }

    private void ForgetOldConfigurations()
    {
        var inForce = configurations.FindLastIndex(item => item.Index <= baseIndex);
        if (inForce > 0)
        {
            configurations.RemoveRange(0, inForce);
        }
    }
}
