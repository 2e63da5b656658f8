using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Patroni.Raft.StateMachine;

/// <summary>Writes little-endian fixed numbers and length-prefixed texts.</summary>
internal readonly struct WireWriter(ArrayBufferWriter<byte> buffer)
{
    public void Byte(byte value)
    {
        buffer.GetSpan(1)[0] = value;
        buffer.Advance(1);
    }

    public void Bool(bool value) => Byte(value ? (byte)1 : (byte)0);

    public void UInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(buffer.GetSpan(4), value);
        buffer.Advance(4);
    }

    public void Int32(int value) => UInt32((uint)value);

    public void UInt64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(buffer.GetSpan(8), value);
        buffer.Advance(8);
    }

    public void Int64(long value) => UInt64((ulong)value);

    public void Text(string value)
    {
        int length = Encoding.UTF8.GetByteCount(value);
        Int32(length);
        Encoding.UTF8.GetBytes(value, buffer.GetSpan(length));
        buffer.Advance(length);
    }

    public void OptionalText(string? value)
    {
        Bool(value is not null);
        if (value is not null) Text(value);
    }

    public void OptionalInt64(long? value)
    {
        Bool(value is not null);
        if (value is { } number) Int64(number);
    }

    public void Node(NodeName value) => Text(value.Value);

    public void OptionalNode(NodeName? value) => OptionalText(value?.Value);

    public void Epoch(Epoch value)
    {
        UInt32(value.Generation);
        Int64(value.Index);
    }

    public void Vacancy(VacancyId value)
    {
        UInt32(value.Generation);
        Int64(value.Index);
    }
}
