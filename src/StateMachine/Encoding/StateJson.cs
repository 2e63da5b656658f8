using System.Text.Json;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>Source-generated JSON of the replicated state and its events (snapshots, <c>GET /events</c>).</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(ClusterState))]
[JsonSerializable(typeof(EventRecord))]
[JsonSerializable(typeof(ClusterEvent))]
[JsonSerializable(typeof(Outcome))]
public sealed partial class StateJson : JsonSerializerContext;
