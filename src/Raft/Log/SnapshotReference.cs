using System.Net;

namespace Patroni.Raft.Consensus.Log;

/// <summary>
/// What travels in the library's snapshot request: where to fetch the snapshot. The request itself must be over within the
/// election timeout, whatever the size of the state; the fetch has its own time.
/// </summary>
internal sealed record SnapshotReference(EndPoint Holder)
{
    private const byte Version = 1;

    public byte[] Encode()
    {
        var writer = new ByteWriter();
        writer.Byte(Version);
        writer.Text(RaftAddress.Format(Holder));
        return writer.ToArray();
    }

    public static SnapshotReference Decode(ReadOnlySpan<byte> bytes)
    {
        var reader = new ByteReader(bytes);
        return reader.Byte() == Version
            ? new SnapshotReference(RaftAddress.Parse(reader.Text()))
            : throw new LogRefusedException("The leader offers a snapshot in a way that this version does not know. Upgrade this node.");
    }
}
