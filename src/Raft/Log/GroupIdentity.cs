using System.Buffers.Binary;

namespace Patroni.Raft.Consensus.Log;

/// <summary>What makes a group this group: an id chosen by its first leader, and a generation raised by force-new-cluster.</summary>
internal readonly record struct GroupIdentity(Guid ClusterId, long Generation)
{
    public const int Bytes = 16 + 8;

    public bool IsKnown => ClusterId != Guid.Empty;

    public void Write(Span<byte> target)
    {
        ClusterId.TryWriteBytes(target);
        BinaryPrimitives.WriteInt64LittleEndian(target[16..], Generation);
    }

    public static GroupIdentity Read(ReadOnlySpan<byte> source)
        => new(new Guid(source[..16]), BinaryPrimitives.ReadInt64LittleEndian(source[16..]));

    public byte[] Encode()
    {
        var bytes = new byte[Bytes];
        Write(bytes);
        return bytes;
    }

    public static GroupIdentity Decode(ReadOnlySpan<byte> bytes) => bytes.Length == Bytes
        ? Read(bytes)
        : throw new InvalidDataException($"An identity entry of {bytes.Length} bytes cannot be decoded by this version.");
}
