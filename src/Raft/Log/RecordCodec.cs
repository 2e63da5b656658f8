using System.Buffers.Binary;
using DotNext.Net.Cluster;
using Patroni.Raft.Consensus.Storage;

namespace Patroni.Raft.Consensus.Log;

/// <summary>
/// The segment's records. All records of one group commit make one frame:
/// magic, body length, position in the file, CRC-32C of the three and the body, body. One frame is in flight at a time, so
/// however the device reorders unsynced pages, only the last frame can be torn. The position is in the checksum, so that
/// a frame's image inside a payload is never taken for a frame.
/// </summary>
internal static class RecordCodec
{
    public const int FrameHeaderBytes = 4 + 4 + 8 + 4;
    public const int EntryOverheadBytes = 1 + 8 + 8 + 1 + 4;
    public const int FrameBytesLimit = 128 * 1024 * 1024;
    public static readonly byte[] FrameMagic = "RFr1"u8.ToArray();

    private const byte EntryRecord = 1;
    private const byte TruncateRecord = 2;
    private const byte TermRecord = 3;

    public static void Entry(ByteWriter body, long index, in LogEntry entry)
    {
        body.Byte(EntryRecord);
        body.Int64(index);
        body.Int64(entry.Term);
        body.Byte((byte)entry.Kind);
        body.Block(entry.Payload.Span);
    }

    public static void Truncate(ByteWriter body, long fromIndex)
    {
        body.Byte(TruncateRecord);
        body.Int64(fromIndex);
    }

    public static void Term(ByteWriter body, TermState state)
    {
        body.Byte(TermRecord);
        state.Write(body);
    }

    /// <summary>Writes header and body to <paramref name="target"/>.</summary>
    public static void Frame(ByteWriter target, long position, ReadOnlySpan<byte> body)
    {
        Span<byte> header = stackalloc byte[FrameHeaderBytes];
        FrameMagic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], body.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], position);
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], Checksum(header[..16], body));
        target.Raw(header);
        target.Raw(body);
    }

    /// <summary>The body of a sound frame at a position; empty if there is none.</summary>
    public static ReadOnlyMemory<byte> TryReadFrame(ReadOnlyMemory<byte> file, long position)
    {
        if (position < 0 || file.Length - position < FrameHeaderBytes)
        {
            return default;
        }

        var rest = file.Span[(int)position..];
        var length = BinaryPrimitives.ReadInt32LittleEndian(rest[4..]);
        if (!rest.StartsWith(FrameMagic) || length <= 0 || length > rest.Length - FrameHeaderBytes
            || BinaryPrimitives.ReadInt64LittleEndian(rest[8..]) != position)
        {
            return default;
        }

        var body = rest.Slice(FrameHeaderBytes, length);
        return BinaryPrimitives.ReadUInt32LittleEndian(rest[16..]) == Checksum(rest[..16], body)
            ? file.Slice((int)position + FrameHeaderBytes, length)
            : default;
    }

    /// <summary>Hands the records of a frame, in order, to a replay.</summary>
    /// <exception cref="InvalidDataException">A record that this version cannot read, or that contradicts those before it.</exception>
    public static void Replay(ReadOnlyMemory<byte> body, LogReplay target)
    {
        var reader = new ByteReader(body.Span);
        while (!reader.IsEnd)
        {
            switch (reader.Byte())
            {
                case EntryRecord:
                    var index = reader.Int64();
                    var term = reader.Int64();
                    var kind = (EntryKind)reader.Byte();
                    target.OnEntry(index, new LogEntry(term, kind, reader.Block().ToArray()));
                    break;
                case TruncateRecord:
                    target.OnTruncate(reader.Int64());
                    break;
                case TermRecord:
                    target.OnTerm(TermState.Read(ref reader));
                    break;
                case var other:
                    throw new InvalidDataException($"Record type {other} is not known to this version.");
            }
        }
    }

    private static uint Checksum(ReadOnlySpan<byte> header, ReadOnlySpan<byte> body)
        => ~Crc32C.Append(Crc32C.Append(uint.MaxValue, header), body);
}

/// <summary>Raft's persistent pair: the current term and the vote given in it.</summary>
internal readonly record struct TermState(long Term, ClusterMemberId? VotedFor)
{
    public void Write(ByteWriter target)
    {
        target.Int64(Term);
        target.Byte(VotedFor.HasValue ? (byte)1 : (byte)0);
        if (VotedFor is { } vote)
        {
            Span<byte> bytes = stackalloc byte[ClusterMemberId.Size];
            vote.Format(bytes);
            target.Block(bytes);
        }
    }

    public static TermState Read(ref ByteReader source)
    {
        var term = source.Int64();
        return new TermState(term, source.Byte() == 0 ? null : new ClusterMemberId(source.Block()));
    }
}
