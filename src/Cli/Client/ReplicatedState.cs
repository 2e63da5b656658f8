using System.Collections.Immutable;
using System.Text.Json;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Client;

/// <summary>The replicated state and its events, read back from a node's API.</summary>
public static class ReplicatedState
{
    /// <summary>The parts of <c>GET /state</c> that explanations need, in the core's own types.</summary>
    /// <exception cref="CliException">The answer is none of this product, or of another version.</exception>
    public static ClusterState Parse(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement root = document.RootElement;
            return new()
            {
                Leadership = root.GetProperty("lifecycle").Deserialize(StateJson.Default.Leadership)!,
                SystemIdentifier = ulong.TryParse(root.GetProperty("initialize").GetString(), out ulong identifier) ? identifier : 0,
                Generation = root.GetProperty("generation").GetUInt32(),
                AppliedIndex = root.GetProperty("revision").GetInt64(),
                Config = new(root.GetProperty("config").GetRawText(), root.GetProperty("config_version").GetInt64()),
                Sync = root.GetProperty("sync_set").Deserialize(StateJson.Default.SyncState)!,
                Failover = Failover(root.GetProperty("failover")),
                Members = root.GetProperty("members").EnumerateObject().Select(static member => member.Value.Deserialize(StateJson.Default.Member)!)
                    .ToImmutableSortedDictionary(static member => member.Name, static member => member),
                Peers = root.GetProperty("peers").EnumerateObject().Select(Peer).ToImmutableSortedDictionary(static peer => peer.Name, static peer => peer),
            };
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new CliException($"the node's answer to GET /state cannot be read; is it of another version? ({error.Message})");
        }
    }

    /// <summary>The events of an answer of <c>GET /events</c>, oldest first, and the id of the newest event of all.</summary>
    /// <exception cref="CliException">The answer is none of this product, or of another version.</exception>
    public static (ImmutableArray<EventRecord> Events, long LastId) ParseEvents(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement root = document.RootElement;
            return ([.. root.GetProperty("events").EnumerateArray().Select(static record => record.Deserialize(StateJson.Default.EventRecord)!)], root.GetProperty("last_id").GetInt64());
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or NotSupportedException)
        {
            throw new CliException($"the node's answer to GET /events cannot be read; is it of another version? ({error.Message})");
        }
    }

    private static Peer Peer(JsonProperty peer) => new(new(peer.Name), peer.Value.GetProperty("raft_address").GetString()!, peer.Value.GetProperty("api_url").GetString()!,
        peer.Value.GetProperty("kind").GetString() == "witness" ? PeerKind.Witness : PeerKind.Data);

    private static FailoverRequest? Failover(JsonElement request)
    {
        if (request.ValueKind != JsonValueKind.Object) return null;
        string? at = Text(request, "scheduled_at");
        return new(Text(request, "kind") == "failover" ? FailoverKind.Failover : FailoverKind.Switchover, Node(request, "leader"), Node(request, "member"),
            at is null ? null : DateTimeOffset.Parse(at, System.Globalization.CultureInfo.InvariantCulture).ToUnixTimeMilliseconds(), at, request.GetProperty("request").GetInt64());
    }

    private static NodeName? Node(JsonElement map, string key) => Text(map, key) is { } name ? new NodeName(name) : null;

    private static string? Text(JsonElement map, string key) => map.TryGetProperty(key, out JsonElement value) ? value.GetString() : null;
}
