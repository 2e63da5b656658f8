using System.Buffers;
using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// Binary form of log entries: version byte, tag byte, proposal id, wall clock, fields in order. Little-endian, no padding.
/// Tags are never reused; a new field needs a new tag or a new version.
/// </summary>
public static partial class CommandCodec
{
    /// <summary>Format version written.</summary>
    public const byte Version = 1;

    /// <summary>Encodes an entry.</summary>
    public static byte[] Encode(CommandEnvelope envelope)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        var writer = new WireWriter(buffer);
        writer.Byte(Version);
        writer.Byte((byte)TagOf(envelope.Command));
        writer.UInt64(envelope.Id.Proposer);
        writer.UInt64(envelope.Id.Sequence);
        writer.Int64(envelope.UnixMs);
        WriteBody(writer, envelope.Command);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Decodes an entry.</summary>
    /// <exception cref="UndecodableException">Unknown version or tag, truncated, or bytes left over.</exception>
    public static CommandEnvelope Decode(ReadOnlySpan<byte> bytes)
    {
        var reader = new WireReader(bytes);
        byte version = reader.Byte();
        if (version != Version)
            throw new UndecodableException($"The entry has format version {version}; this program reads version {Version}. Upgrade this node.");
        byte tag = reader.Byte();
        CommandId id = new(reader.UInt64(), reader.UInt64());
        long unixMs = reader.Int64();
        Command command = ReadBody(ref reader, tag);
        if (!reader.AtEnd) throw new UndecodableException($"An entry of kind {(CommandTag)tag} has bytes left over.");
        return new(id, unixMs, command);
    }

    /// <summary>Binary form of an outcome: code, index, reason.</summary>
    public static byte[] EncodeOutcome(Outcome outcome)
    {
        var buffer = new ArrayBufferWriter<byte>(32);
        var writer = new WireWriter(buffer);
        writer.UInt32((uint)outcome.Code);
        writer.Int64(outcome.Index);
        writer.Text(outcome.Reason);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Decodes an outcome.</summary>
    /// <exception cref="UndecodableException">The bytes are no outcome.</exception>
    public static Outcome DecodeOutcome(ReadOnlySpan<byte> bytes)
    {
        var reader = new WireReader(bytes);
        uint code = reader.UInt32();
        if (code > ushort.MaxValue || !Enum.IsDefined((OutcomeCode)code)) throw new UndecodableException($"There is no outcome code {code}.");
        Outcome outcome = new((OutcomeCode)code, reader.Int64(), reader.Text());
        if (!reader.AtEnd) throw new UndecodableException("An outcome has bytes left over.");
        return outcome;
    }

    private static void WriteSlots(WireWriter writer, ImmutableArray<SlotPosition> slots)
    {
        writer.Int32(slots.Length);
        foreach (SlotPosition slot in slots)
        {
            writer.Text(slot.Name);
            writer.UInt64(slot.Position.Value);
        }
    }

    private static ImmutableArray<SlotPosition> ReadSlots(ref WireReader reader)
    {
        var slots = ImmutableArray.CreateBuilder<SlotPosition>(reader.Count(12));
        for (int i = 0; i < slots.Capacity; i++) slots.Add(new(reader.Text(), new(reader.UInt64())));
        return slots.MoveToImmutable();
    }
}
