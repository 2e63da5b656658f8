using System.Collections.Immutable;
using System.Net;
using Patroni.Raft.Consensus.Log;

namespace Patroni.Raft.Consensus.Transport;

internal enum RequestKind : byte
{
    Identity = 1,
    Forward = 2,
    ReadIndex = 3,
    Invite = 4,
    StandAside = 5,
    Snapshot = 6,
}

/// <summary>How a forwarded proposal ended.</summary>
internal enum ForwardStatus : byte
{
    Applied = 0,

    /// <summary>Not appended; ask another node.</summary>
    NotLeader = 1,

    /// <summary>Appended or maybe appended; retry with the same id.</summary>
    Unknown = 2,
}

/// <summary>What a node tells about itself; the basis of the checks before a first formation, a join and a start.</summary>
/// <param name="Self">Its address.</param>
/// <param name="Identity">Its group, if it has one.</param>
/// <param name="Incarnation">Random id of its data directory.</param>
/// <param name="HasLog">Whether it has a log: it is, or was, a member.</param>
/// <param name="Initial">The members it wants to form a group with.</param>
/// <param name="Members">The members in its stored configuration.</param>
/// <param name="Formation">Incarnations of the nodes that formed the group with it.</param>
/// <param name="Leader">The leader that it knows.</param>
/// <param name="Metadata">Free facts.</param>
internal sealed record NodeFacts(
    EndPoint Self,
    GroupIdentity Identity,
    Guid Incarnation,
    bool HasLog,
    ImmutableArray<EndPoint> Initial,
    ImmutableArray<EndPoint> Members,
    ImmutableArray<Guid> Formation,
    EndPoint? Leader,
    ImmutableDictionary<string, string> Metadata)
{
    public byte[] Encode()
    {
        var writer = new ByteWriter();
        writer.Text(RaftAddress.Format(Self));
        writer.Identity(Identity);
        writer.Raw(Incarnation.ToByteArray());
        writer.Byte(HasLog ? (byte)1 : (byte)0);
        WriteAddresses(writer, Initial);
        WriteAddresses(writer, Members);
        writer.Int32(Formation.Length);
        foreach (var incarnation in Formation)
        {
            writer.Raw(incarnation.ToByteArray());
        }

        WriteAddresses(writer, Leader is null ? [] : [Leader]);
        writer.Int32(Metadata.Count);
        foreach (var (key, value) in Metadata)
        {
            writer.Text(key);
            writer.Text(value);
        }

        return writer.ToArray();
    }

    public static NodeFacts Decode(ReadOnlySpan<byte> bytes)
    {
        var reader = new ByteReader(bytes);
        var self = RaftAddress.Parse(reader.Text());
        var identity = reader.Identity();
        var incarnation = new Guid(reader.Take(16));
        var hasLog = reader.Byte() != 0;
        var initial = ReadAddresses(ref reader);
        var members = ReadAddresses(ref reader);
        var formation = ImmutableArray.CreateBuilder<Guid>();
        for (var count = reader.Int32(); count > 0; count--)
        {
            formation.Add(new Guid(reader.Take(16)));
        }

        var leader = ReadAddresses(ref reader).FirstOrDefault();
        var metadata = ImmutableDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        for (var count = reader.Int32(); count > 0; count--)
        {
            var key = reader.Text();
            metadata[key] = reader.Text();
        }

        return new NodeFacts(self, identity, incarnation, hasLog, initial, members, formation.ToImmutable(), leader, metadata.ToImmutable());
    }

    private static void WriteAddresses(ByteWriter writer, IReadOnlyCollection<EndPoint> addresses)
    {
        writer.Int32(addresses.Count);
        foreach (var address in addresses)
        {
            writer.Text(RaftAddress.Format(address));
        }
    }

    private static ImmutableArray<EndPoint> ReadAddresses(ref ByteReader reader)
    {
        var addresses = ImmutableArray.CreateBuilder<EndPoint>();
        for (var count = reader.Int32(); count > 0; count--)
        {
            addresses.Add(RaftAddress.Parse(reader.Text()));
        }

        return addresses.ToImmutable();
    }
}

/// <summary>What a node answers to the requests of others.</summary>
internal interface IPeerRequests
{
    NodeFacts Facts { get; }

    Task<(ForwardStatus Status, ReadOnlyMemory<byte> Outcome)> ProposeForwardedAsync(
        ProposalId id, ReadOnlyMemory<byte> payload, TimeSpan timeout, CancellationToken token);

    /// <summary>The leader is about to add this empty node: from now on consensus connections are welcome.</summary>
    void Invite();

    /// <summary>The snapshot that this node's log stands on; index -1 if there is none.</summary>
    (long Index, ReadOnlyMemory<byte> Content) ReadSnapshot();

    /// <summary>
    /// Asked by a node that transfers leadership: do not stand for election until <paramref name="target"/> leads or the time is over;
    /// a leader resigns. Votes are given as always.
    /// </summary>
    Task StandAsideAsync(EndPoint target, TimeSpan duration, CancellationToken token);

    /// <summary>Whether consensus connections are welcome: not while this node waits, empty, to be added.</summary>
    bool AcceptsConsensus { get; }

    /// <summary>An index that a linearizable read must wait for; null if this node does not lead.</summary>
    Task<long?> ReadIndexAsync(TimeSpan timeout, CancellationToken token);
}
