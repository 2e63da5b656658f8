using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Patroni.Raft.Consensus.Log;

/// <summary>Little-endian encoding into a growing buffer.</summary>
internal sealed class ByteWriter(int capacity = 256)
{
    private readonly ArrayBufferWriter<byte> buffer = new(capacity);

    public int Length => buffer.WrittenCount;

    public ReadOnlySpan<byte> Written => buffer.WrittenSpan;

    public byte[] ToArray() => buffer.WrittenSpan.ToArray();

    public void Clear() => buffer.ResetWrittenCount();

    public void Byte(byte value)
    {
        buffer.GetSpan(1)[0] = value;
        buffer.Advance(1);
    }

    public void Int32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(buffer.GetSpan(4), value);
        buffer.Advance(4);
    }

    public void UInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(buffer.GetSpan(4), value);
        buffer.Advance(4);
    }

    public void Int64(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(buffer.GetSpan(8), value);
        buffer.Advance(8);
    }

    public void Raw(ReadOnlySpan<byte> value) => buffer.Write(value);

    /// <summary>Length and bytes.</summary>
    public void Block(ReadOnlySpan<byte> value)
    {
        Int32(value.Length);
        Raw(value);
    }

    public void Text(string value) => Block(Encoding.UTF8.GetBytes(value));

    public void Identity(GroupIdentity value)
    {
        value.Write(buffer.GetSpan(GroupIdentity.Bytes));
        buffer.Advance(GroupIdentity.Bytes);
    }
}

/// <summary>The opposite of <see cref="ByteWriter"/>; every read is bounds-checked.</summary>
internal ref struct ByteReader(ReadOnlySpan<byte> source)
{
    private ReadOnlySpan<byte> rest = source;

    public readonly bool IsEnd => rest.IsEmpty;

    public readonly int Remaining => rest.Length;

    public byte Byte() => Take(1)[0];

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    public ReadOnlySpan<byte> Block() => Take(Int32());

    public string Text() => Encoding.UTF8.GetString(Block());

    public GroupIdentity Identity() => GroupIdentity.Read(Take(GroupIdentity.Bytes));

    public ReadOnlySpan<byte> Take(int count)
    {
        if ((uint)count > (uint)rest.Length)
        {
            throw new InvalidDataException($"{count} bytes expected, {rest.Length} left.");
        }

        var taken = rest[..count];
        rest = rest[count..];
        return taken;
    }
}
