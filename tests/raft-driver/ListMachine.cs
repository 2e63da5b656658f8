using System.Buffers.Binary;
using Patroni.Raft.Consensus;

namespace Patroni.Raft.RaftDriver;

/// <summary>
/// A toy state: the list of all commands ever applied, each once, and a running hash over ids, contents and positions. The answer
/// to a command is its position in the list, the same for a duplicate.
/// </summary>
public sealed class ListMachine : IReplicatedStateMachine
{
    private readonly Lock sync = new();
    private readonly List<ProposalId> items = [];
    private readonly Dictionary<ProposalId, int> positions = [];
    private readonly Dictionary<long, ulong> hashes = [];
    private ulong hash = 14695981039346656037;
    private long appliedIndex;

    public (long Index, int Count, ulong Hash) State
    {
        get
        {
            lock (sync)
            {
                return (appliedIndex, items.Count, hash);
            }
        }
    }

    /// <summary>How many retried commands came in again and were not applied again.</summary>
    public int Duplicates { get; private set; }

    public long Generation { get; private set; }

    /// <summary>A first payload byte of 255 stands for an entry that this version cannot decode.</summary>
    public AppliedEntry Apply(long index, long term, ReadOnlyMemory<byte> payload)
    {
        var id = new ProposalId(BinaryPrimitives.ReadUInt64LittleEndian(payload.Span), BinaryPrimitives.ReadUInt64LittleEndian(payload.Span[8..]));
        if (payload.Length > 16 && payload.Span[16] == 255)
        {
            throw new InvalidDataException("a command of a later version");
        }

        lock (sync)
        {
            appliedIndex = index;
            if (!positions.TryGetValue(id, out var position))
            {
                position = items.Count;
                positions[id] = position;
                items.Add(id);
                hash = Mix(Mix(hash, Fold(payload.Span)), (ulong)position);
            }
            else
            {
                Duplicates++;
            }

            hashes[index] = hash;
            var outcome = new byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(outcome, position);
            return new AppliedEntry(id, outcome);
        }
    }

    public ReadOnlyMemory<byte> CaptureSnapshot()
    {
        lock (sync)
        {
            var bytes = new byte[16 + (16 * items.Count)];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, hash);
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8), Generation);
            for (var i = 0; i < items.Count; i++)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16 + (16 * i)), items[i].Proposer);
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(24 + (16 * i)), items[i].Sequence);
            }

            return bytes;
        }
    }

    public void InstallSnapshot(long index, long term, ReadOnlyMemory<byte> snapshot)
    {
        lock (sync)
        {
            var span = snapshot.Span;
            items.Clear();
            positions.Clear();
            hashes.Clear();
            hash = BinaryPrimitives.ReadUInt64LittleEndian(span);
            Generation = BinaryPrimitives.ReadInt64LittleEndian(span[8..]);
            for (var offset = 16; offset < span.Length; offset += 16)
            {
                var id = new ProposalId(BinaryPrimitives.ReadUInt64LittleEndian(span[offset..]), BinaryPrimitives.ReadUInt64LittleEndian(span[(offset + 8)..]));
                positions[id] = items.Count;
                items.Add(id);
            }

            appliedIndex = index;
            hashes[index] = hash;
        }
    }

    public void GenerationChanged(long index, long generation) => Generation = generation;

    public ulong? HashAt(long index)
    {
        lock (sync)
        {
            return hashes.TryGetValue(index, out var value) ? value : null;
        }
    }

    public ProposalId[] Items()
    {
        lock (sync)
        {
            return [.. items];
        }
    }

    /// <summary>A command: its id, then bytes that follow from the id alone.</summary>
    public static byte[] Command(ProposalId id, int size)
    {
        var bytes = new byte[Math.Max(size, 16)];
        new Random((int)(id.Sequence * 31)).NextBytes(bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, id.Proposer);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), id.Sequence);
        if (bytes.Length > 16)
        {
            bytes[16] = 0;
        }

        return bytes;
    }

    private static ulong Fold(ReadOnlySpan<byte> data)
    {
        var value = 14695981039346656037;
        foreach (var b in data)
        {
            value = (value ^ b) * 1099511628211;
        }

        return value;
    }

    private static ulong Mix(ulong left, ulong right) => (left ^ right) * 1099511628211 + 0x9E3779B97F4A7C15;
}
