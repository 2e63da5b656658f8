using System.Buffers.Binary;

namespace Patroni.Raft.Consensus.Log;

/// <summary>The bytes of a command entry: version, proposal id, payload. The id is inside the entry, because the library may hand
/// its Context object out with another entry after an overwrite (finding 8).</summary>
internal static class CommandEnvelope
{
    private const byte Version = 1;
    private const int HeaderBytes = 1 + 8 + 8;

    public static byte[] Encode(ProposalId id, ReadOnlySpan<byte> payload)
    {
        var bytes = new byte[HeaderBytes + payload.Length];
        bytes[0] = Version;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(1), id.Proposer);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(9), id.Sequence);
        payload.CopyTo(bytes.AsSpan(HeaderBytes));
        return bytes;
    }

    public static (ProposalId Id, ReadOnlyMemory<byte> Payload) Decode(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length < HeaderBytes || bytes.Span[0] != Version)
        {
            throw new InvalidDataException($"A command entry of {bytes.Length} bytes cannot be decoded by this version.");
        }

        var span = bytes.Span;
        var id = new ProposalId(BinaryPrimitives.ReadUInt64LittleEndian(span[1..]), BinaryPrimitives.ReadUInt64LittleEndian(span[9..]));
        return (id, bytes[HeaderBytes..]);
    }
}
