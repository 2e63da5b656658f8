using System.Buffers.Binary;
using System.Net;
using Patroni.Raft.Consensus.Log;

namespace Patroni.Raft.Consensus.Transport;

/// <summary>What a connection is for.</summary>
internal enum ConnectionPurpose : byte
{
    /// <summary>The library's consensus protocol.</summary>
    Consensus = 1,

    /// <summary>Our requests between nodes: identity, forwarded proposals, read index.</summary>
    Requests = 2,
}

internal enum HandshakeAnswer : byte
{
    Accepted = 0,
    OtherGroup = 1,
    OtherGeneration = 2,
    OtherVersion = 3,
    NotReady = 4,
}

/// <summary>The connection was refused by the other node, for a reason that an operator should see.</summary>
internal sealed class HandshakeRefusedException(HandshakeAnswer answer, string message) : IOException(message)
{
    public HandshakeAnswer Answer { get; } = answer;
}

/// <summary>
/// The first exchange on every connection: who calls, and which group both belong to. It keeps nodes of another group, or of a
/// generation that force-new-cluster left behind, out of the consensus.
/// </summary>
internal sealed record Hello(ConnectionPurpose Purpose, GroupIdentity Identity, EndPoint Sender)
{
    private const byte Version = 1;
    private const int BytesLimit = 1024;

    private static ReadOnlySpan<byte> Magic => "PRFT"u8;

    public async Task SendAsync(Stream stream, CancellationToken token)
    {
        var writer = new ByteWriter();
        writer.Raw(Magic);
        writer.Byte(Version);
        writer.Byte((byte)Purpose);
        writer.Identity(Identity);
        writer.Text(RaftAddress.Format(Sender));
        await Framing.WriteAsync(stream, writer.ToArray(), token).ConfigureAwait(false);
    }

    /// <summary>Null if the caller speaks another version.</summary>
    public static async Task<Hello?> ReceiveAsync(Stream stream, CancellationToken token)
    {
        var bytes = await Framing.ReadAsync(stream, BytesLimit, token).ConfigureAwait(false);
        var reader = new ByteReader(bytes);
        if (!reader.Take(4).SequenceEqual(Magic))
        {
            throw new InvalidDataException("The caller is not a node of this product.");
        }

        return reader.Byte() == Version
            ? new Hello((ConnectionPurpose)reader.Byte(), reader.Identity(), RaftAddress.Parse(reader.Text()))
            : null;
    }

    public static async Task AnswerAsync(Stream stream, HandshakeAnswer answer, GroupIdentity identity, CancellationToken token)
    {
        var writer = new ByteWriter();
        writer.Byte((byte)answer);
        writer.Identity(identity);
        await Framing.WriteAsync(stream, writer.ToArray(), token).ConfigureAwait(false);
    }

    /// <exception cref="HandshakeRefusedException">The other node does not want this connection.</exception>
    public static async Task ReceiveAnswerAsync(Stream stream, EndPoint from, GroupIdentity own, CancellationToken token)
    {
        var bytes = await Framing.ReadAsync(stream, BytesLimit, token).ConfigureAwait(false);
        var reader = new ByteReader(bytes);
        var answer = (HandshakeAnswer)reader.Byte();
        if (answer is HandshakeAnswer.Accepted)
        {
            return;
        }

        var theirs = reader.Identity();
        var peer = RaftAddress.Format(from);
        throw new HandshakeRefusedException(answer, answer switch
        {
            HandshakeAnswer.OtherGroup => $"{peer} belongs to another group ({theirs.ClusterId}; this node: {own.ClusterId}).",
            HandshakeAnswer.OtherGeneration => $"{peer} is of generation {theirs.Generation}, this node of {own.Generation}: one of them was left behind by force-new-cluster and must be emptied and joined again.",
            HandshakeAnswer.OtherVersion => $"{peer} speaks another version of the Raft handshake.",
            _ => $"{peer} is not ready yet.",
        });
    }

    /// <summary>Unknown identities are accepted: a new node learns its group from the log.</summary>
    public static HandshakeAnswer Judge(GroupIdentity own, GroupIdentity theirs)
    {
        if (!own.IsKnown || !theirs.IsKnown)
        {
            return HandshakeAnswer.Accepted;
        }

        return own.ClusterId != theirs.ClusterId ? HandshakeAnswer.OtherGroup
            : own.Generation != theirs.Generation ? HandshakeAnswer.OtherGeneration
            : HandshakeAnswer.Accepted;
    }
}

/// <summary>Length-prefixed messages.</summary>
internal static class Framing
{
    public static async Task WriteAsync(Stream stream, ReadOnlyMemory<byte> message, CancellationToken token)
    {
        var bytes = new byte[4 + message.Length];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, message.Length);
        message.CopyTo(bytes.AsMemory(4));
        await stream.WriteAsync(bytes, token).ConfigureAwait(false);
        await stream.FlushAsync(token).ConfigureAwait(false);
    }

    public static async Task<byte[]> ReadAsync(Stream stream, int limit, CancellationToken token)
    {
        var prefix = new byte[4];
        await stream.ReadExactlyAsync(prefix, token).ConfigureAwait(false);
        var length = BinaryPrimitives.ReadInt32LittleEndian(prefix);
        if (length < 0 || length > limit)
        {
            throw new InvalidDataException($"A message of {length} bytes exceeds the limit of {limit}.");
        }

        var message = new byte[length];
        await stream.ReadExactlyAsync(message, token).ConfigureAwait(false);
        return message;
    }
}
