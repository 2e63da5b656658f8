using System.Buffers.Binary;
using System.Text;

namespace Patroni.Raft.StateMachine;

/// <summary>Reads what <see cref="WireWriter"/> wrote; anything short, long or impossible throws <see cref="UndecodableException"/>.</summary>
internal ref struct WireReader(ReadOnlySpan<byte> bytes)
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, true);
    private ReadOnlySpan<byte> rest = bytes;

    public readonly bool AtEnd => rest.IsEmpty;

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > rest.Length)
            throw new UndecodableException($"The entry is truncated: {count} bytes are needed and {rest.Length} are left.");
        ReadOnlySpan<byte> taken = rest[..count];
        rest = rest[count..];
        return taken;
    }

    public byte Byte() => Take(1)[0];

    public bool Bool() => Byte() switch
    {
        0 => false,
        1 => true,
        byte other => throw new UndecodableException($"A flag of the entry is {other}, neither 0 nor 1."),
    };

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public int Int32() => (int)UInt32();

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    public long Int64() => (long)UInt64();

    public string Text()
    {
        try
        {
            return StrictUtf8.GetString(Take(Int32()));
        }
        catch (DecoderFallbackException error)
        {
            throw new UndecodableException("A text of the entry is not UTF-8.", error);
        }
    }

    public string? OptionalText() => Bool() ? Text() : null;

    public long? OptionalInt64() => Bool() ? Int64() : null;

    /// <summary>A count of items that take at least <paramref name="itemBytes"/> bytes each, so that a wild count fails before it allocates.</summary>
    public int Count(int itemBytes)
    {
        int count = Int32();
        if (count < 0 || (long)count * itemBytes > rest.Length)
            throw new UndecodableException($"The entry announces {count} items and has {rest.Length} bytes left.");
        return count;
    }

    public TEnum Enum<TEnum>() where TEnum : struct, Enum
    {
        int value = Byte();
        var typed = (TEnum)System.Enum.ToObject(typeof(TEnum), value);
        return System.Enum.IsDefined(typed) ? typed : throw new UndecodableException($"{typeof(TEnum).Name} has no value {value}.");
    }

    public NodeName Node() => new(Text());

    public NodeName? OptionalNode() => OptionalText() is { } text ? new NodeName(text) : null;

    public Epoch Epoch() => new(UInt32(), Int64());

    public VacancyId Vacancy() => new(UInt32(), Int64());
}
