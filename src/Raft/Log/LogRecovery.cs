using Patroni.Raft.Consensus.Storage;

namespace Patroni.Raft.Consensus.Log;

/// <summary>What recovery found.</summary>
internal sealed record RecoveredLog(SegmentHeader Header, LogTail Tail, TermState Term, long Length, long CutBytes);

/// <summary>
/// Reads the files of a directory back. Two kinds of leftovers of a crash are removed: temporary files, and segments and
/// snapshots that the segment in force does not stand on (nothing in them was ever acknowledged, or all of it is in
/// the segment in force). A torn last frame is cut off. Everything else that is not sound is refused.
/// </summary>
internal static class LogRecovery
{
    public static bool HasFiles(ILogDirectory directory)
        => directory.List().Any(name => SegmentHeader.SequenceOf(name) is not null || SnapshotFile.IndexOf(name) is not null);

    /// <exception cref="LogDamagedException">The log cannot be trusted; nothing was changed.</exception>
    public static RecoveredLog Run(ILogDirectory directory)
    {
        var names = directory.List();
        var sequences = names.Select(SegmentHeader.SequenceOf).OfType<long>().ToList();
        if (sequences.Count == 0)
        {
            throw new LogDamagedException($"There is no log segment in {directory.Path}, although it holds other files of a log.");
        }

        var name = SegmentHeader.NameOf(sequences.Max());
        var path = Path.Combine(directory.Path, name);
        ReadOnlyMemory<byte> bytes = directory.ReadAll(name);
        var (header, start) = ReadHeader(bytes.Span, path);
        if (header.SnapshotIndex > 0)
        {
            _ = SnapshotFile.Read(directory, header.SnapshotIndex);
        }

        var tail = new LogTail(header.BaseIndex, header.BaseTerm, header.ConfigurationIndex, header.Configuration);
        var replay = new LogReplay(tail, header.Term);
        var end = Scan(bytes, start, path, replay);
        if (tail.LastIndex < header.SnapshotIndex)
        {
            throw new LogDamagedException($"Log segment {path} ends at index {tail.LastIndex}, before its snapshot {header.SnapshotIndex}.");
        }

        if (end < bytes.Length)
        {
            using var file = directory.Open(name);
            file.Truncate(end);
            file.Flush();
        }

        RemoveLeftovers(directory, names, header);
        return new RecoveredLog(header, tail, replay.Term, end, bytes.Length - end);
    }

    private static (SegmentHeader Header, int Start) ReadHeader(ReadOnlySpan<byte> bytes, string path)
    {
        try
        {
            return SegmentHeader.Decode(bytes);
        }
        catch (Exception e) when (e is InvalidDataException or FormatException)
        {
            throw new LogDamagedException($"Log segment {path} cannot be read at offset 0: {e.Message}.");
        }
    }

    private static long Scan(ReadOnlyMemory<byte> bytes, long start, string path, LogReplay replay)
    {
        var position = start;
        while (position < bytes.Length)
        {
            var body = RecordCodec.TryReadFrame(bytes, position);
            if (body.IsEmpty)
            {
                RefuseIfMoreFollows(bytes, position, path);
                break;
            }

            try
            {
                RecordCodec.Replay(body, replay);
            }
            catch (Exception e) when (e is InvalidDataException or FormatException)
            {
                throw new LogDamagedException($"Log segment {path} cannot be read at offset {position}: {e.Message}.");
            }

            position += RecordCodec.FrameHeaderBytes + body.Length;
        }

        return position;
    }

    /// <summary>Only the last frame can be torn by a crash; a sound one behind a bad one means that the disk or somebody damaged the file.</summary>
    private static void RefuseIfMoreFollows(ReadOnlyMemory<byte> bytes, long bad, string path)
    {
        var from = bad + 1;
        while (from < bytes.Length)
        {
            var found = bytes.Span[(int)from..].IndexOf(RecordCodec.FrameMagic);
            if (found < 0)
            {
                return;
            }

            var candidate = from + found;
            if (!RecordCodec.TryReadFrame(bytes, candidate).IsEmpty)
            {
                throw new LogDamagedException($"Log segment {path} is damaged at offset {bad}: sound records follow at offset {candidate}.");
            }

            from = candidate + 1;
        }
    }

    private static void RemoveLeftovers(ILogDirectory directory, IReadOnlyList<string> names, SegmentHeader header)
    {
        foreach (var name in names)
        {
            var temporary = name.EndsWith(AtomicFile.TemporarySuffix, StringComparison.Ordinal);
            var oldSegment = SegmentHeader.SequenceOf(name) is { } sequence && sequence != header.Sequence;
            var otherSnapshot = SnapshotFile.IndexOf(name) is { } index && index != header.SnapshotIndex;
            if (temporary || oldSegment || otherSnapshot)
            {
                directory.Delete(name);
            }
        }

        // Names of a crashed process may still be only in the page cache: make what is relied on from here durable.
        directory.Flush();
    }
}
