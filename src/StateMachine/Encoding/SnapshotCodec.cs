using System.Text.Json;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// Snapshot form of <see cref="ClusterState"/>: a version byte and JSON. The same state gives the same bytes on every node, so that
/// <see cref="Hash"/> compares replicas at equal index.
/// </summary>
public static class SnapshotCodec
{
    private const byte Version = 1;

    /// <summary>Encodes a state.</summary>
    public static byte[] Encode(ClusterState state)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(state, StateJson.Default.ClusterState);
        byte[] bytes = new byte[json.Length + 1];
        bytes[0] = Version;
        json.CopyTo(bytes, 1);
        return bytes;
    }

    /// <summary>Decodes a state.</summary>
    /// <exception cref="UndecodableException">The bytes are of another version, truncated, or not a state.</exception>
    public static ClusterState Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) throw new UndecodableException("The snapshot is empty.");
        if (bytes[0] != Version) throw new UndecodableException($"The snapshot has format version {bytes[0]}; this program reads version {Version}. Start the version of the program that wrote it.");
        try
        {
            return JsonSerializer.Deserialize(bytes[1..], StateJson.Default.ClusterState)
                ?? throw new UndecodableException("The snapshot holds no state.");
        }
        catch (Exception error) when (error is JsonException or NotSupportedException)
        {
            throw new UndecodableException($"The snapshot cannot be read: {error.Message}", error);
        }
    }

    /// <summary>64-bit hash of the encoded state.</summary>
    public static ulong Hash(ClusterState state) => StableHash.Of(Encode(state));
}
