using System.Collections.Immutable;
using System.Net;
using DotNext.IO;
using DotNext.Net.Cluster.Consensus.Raft.Membership;

namespace Patroni.Raft.Consensus.Log;

/// <summary>The voters of the group.</summary>
internal sealed class GroupConfiguration : IClusterConfiguration<EndPoint>
{
    private const byte Version = 1;
    private readonly ImmutableHashSet<EndPoint> members;
    private readonly byte[] encoded;

    public GroupConfiguration(IEnumerable<EndPoint> members)
    {
        this.members = [.. members];
        encoded = EncodeMembers(this.members);
    }

    public static GroupConfiguration Empty { get; } = new([]);

    public IReadOnlySet<EndPoint> Members => members;

    public ReadOnlyMemory<byte> Encoded => encoded;

    bool IDataTransferObject.IsReusable => true;

    long? IDataTransferObject.Length => encoded.Length;

    public IClusterConfiguration<EndPoint> Add(EndPoint address)
        => members.Contains(address) ? this : new GroupConfiguration(members.Add(address));

    public IClusterConfiguration<EndPoint> Remove(EndPoint address)
        => members.Contains(address) ? new GroupConfiguration(members.Remove(address)) : this;

    bool IDataTransferObject.TryGetMemory(out ReadOnlyMemory<byte> memory)
    {
        memory = encoded;
        return true;
    }

    ValueTask IDataTransferObject.WriteToAsync<TWriter>(TWriter writer, CancellationToken token)
        => writer.WriteAsync(encoded, null, token);

    public override string ToString() => string.Join(", ", members.Select(RaftAddress.Format).Order(StringComparer.Ordinal));

    public static GroupConfiguration Decode(ReadOnlySpan<byte> bytes)
    {
        var reader = new ByteReader(bytes);
        if (reader.Byte() != Version)
        {
            throw new InvalidDataException("A member list of a later version.");
        }

        var count = reader.Int32();
        var decoded = new List<EndPoint>();
        for (var i = 0; i < count; i++)
        {
            decoded.Add(RaftAddress.Parse(reader.Text()));
        }

        return new GroupConfiguration(decoded);
    }

    private static byte[] EncodeMembers(ImmutableHashSet<EndPoint> members)
    {
        var writer = new ByteWriter();
        writer.Byte(Version);
        writer.Int32(members.Count);
        foreach (var text in members.Select(RaftAddress.Format).Order(StringComparer.Ordinal))
        {
            writer.Text(text);
        }

        return writer.ToArray();
    }
}
