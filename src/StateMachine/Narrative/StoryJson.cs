using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>What an explanation says: the situation now and the stories asked for.</summary>
/// <param name="Now">The situation; null when only a past change was asked for.</param>
/// <param name="Changes">Stories, newest first.</param>
public sealed record Explanation(Situation? Now, ImmutableArray<LeadershipStory> Changes);

/// <summary>Source-generated JSON of explanations.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, WriteIndented = true)]
[JsonSerializable(typeof(Explanation))]
public sealed partial class StoryJson : JsonSerializerContext;
