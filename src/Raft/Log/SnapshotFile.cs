using System.Buffers.Binary;
using Patroni.Raft.Consensus.Storage;

namespace Patroni.Raft.Consensus.Log;

/// <summary>Snapshot files <c>snapshot-(index).raft</c>: header with index, term, length and checksum, then a <see cref="SnapshotContent"/>.</summary>
internal static class SnapshotFile
{
    private const int Version = 1;
    private const int HeaderBytes = 8 + 4 + 8 + 8 + 8 + 4 + 4;
    private const string Prefix = "snapshot-";
    private const string Suffix = ".raft";

    private static ReadOnlySpan<byte> Magic => "PRAFTSNP"u8;

    public static string NameOf(long index) => $"{Prefix}{index:D20}{Suffix}";

    public static long? IndexOf(string name)
        => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(Suffix, StringComparison.Ordinal)
            && long.TryParse(name.AsSpan()[Prefix.Length..^Suffix.Length], out var index) ? index : null;

    /// <summary>Writes under a temporary name, syncs, renames: the final name never shows a part (finding 4).</summary>
    public static void Write(ILogDirectory directory, long index, long term, ReadOnlySpan<byte> content)
    {
        var bytes = new byte[HeaderBytes + content.Length];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(12), index);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(20), term);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(28), content.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(36), Crc32C.Compute(content));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(40), Crc32C.Compute(bytes.AsSpan(0, 40)));
        content.CopyTo(bytes.AsSpan(HeaderBytes));
        AtomicFile.Write(directory, NameOf(index), bytes);
    }

    /// <exception cref="LogDamagedException">Missing or damaged.</exception>
    public static (long Term, ReadOnlyMemory<byte> Content) Read(ILogDirectory directory, long index)
    {
        var path = Path.Combine(directory.Path, NameOf(index));
        if (!directory.Exists(NameOf(index)))
        {
            throw new LogDamagedException($"Snapshot {path} is missing, but the log stands on it.");
        }

        var bytes = directory.ReadAll(NameOf(index));
        if (bytes.Length < HeaderBytes || !bytes.AsSpan().StartsWith(Magic)
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(40)) != Crc32C.Compute(bytes.AsSpan(0, 40)))
        {
            throw new LogDamagedException($"The header of snapshot {path} is damaged (offset 0).");
        }

        if (BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(8)) is var version && version != Version)
        {
            throw new LogDamagedException($"Snapshot {path} has format version {version}; this program reads version {Version}.");
        }

        if (BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(12)) != index
            || BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(28)) != bytes.Length - HeaderBytes
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(36)) != Crc32C.Compute(bytes.AsSpan(HeaderBytes)))
        {
            throw new LogDamagedException($"Snapshot {path} is damaged: index, length or checksum of its content (from offset {HeaderBytes}) is wrong.");
        }

        return (BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(20)), bytes.AsMemory(HeaderBytes));
    }
}

/// <summary>
/// What a snapshot holds, in the file and on the wire: the member list and the group's identity as of its index, and the state.
/// Membership travels inside, so that installing it and installing the state are one step.
/// </summary>
internal sealed record SnapshotContent(long ConfigurationIndex, GroupConfiguration Configuration, GroupIdentity Identity, ReadOnlyMemory<byte> State)
{
    private const byte Version = 1;

    public byte[] Encode()
    {
        var writer = new ByteWriter(State.Length + 512);
        writer.Byte(Version);
        writer.Int64(ConfigurationIndex);
        writer.Block(Configuration.Encoded.Span);
        writer.Identity(Identity);
        writer.Block(State.Span);
        return writer.ToArray();
    }

    public static SnapshotContent Decode(ReadOnlySpan<byte> bytes)
    {
        var reader = new ByteReader(bytes);
        if (reader.Byte() is var version && version != Version)
        {
            throw new InvalidDataException($"The snapshot's content has version {version}; this program reads version {Version}.");
        }

        return new SnapshotContent(reader.Int64(), GroupConfiguration.Decode(reader.Block()), reader.Identity(), reader.Block().ToArray());
    }
}
