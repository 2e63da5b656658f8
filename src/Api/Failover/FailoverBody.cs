using System.Text.Json;
using Patroni.Raft.Api.Http;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Failover;

/// <summary>The fields of <c>POST /switchover</c> and <c>POST /failover</c>; empty texts and null count as absent, as in Patroni.</summary>
/// <param name="Leader">From whom.</param>
/// <param name="Candidate">To whom.</param>
/// <param name="ScheduledAt">When, as sent.</param>
internal sealed record FailoverBody(NodeName? Leader, NodeName? Candidate, string? ScheduledAt)
{
    /// <summary>Reads the fields, or says which one is wrong. A field that nobody knows is refused: a misspelt candidate would move leadership to somebody else.</summary>
    public static (FailoverBody? Body, string? Refusal) Read(JsonElement root)
    {
        string? leader = null, primary = null, candidate = null, member = null, scheduledAt = null;
        foreach (JsonProperty field in root.EnumerateObject())
        {
            string? text = field.Value.ValueKind == JsonValueKind.Null ? null : field.Value.ValueKind == JsonValueKind.String ? field.Value.GetString() : null;
            if (field.Value.ValueKind is not (JsonValueKind.String or JsonValueKind.Null))
                return (null, $"{field.Name} must be text, not {RequestBody.Describe(field.Value)}.");
            if (text?.Length == 0) text = null;
            switch (field.Name)
            {
                case "leader": leader = text; break;
                case "primary": primary = text; break;
                case "candidate": candidate = text; break;
                case "member": member = text; break;
                case "scheduled_at": scheduledAt = text; break;
                default: return (null, $"Unknown field '{field.Name}'; known are leader, candidate and scheduled_at.");
            }
        }
        return (new(Name(leader ?? primary), Name(candidate ?? member), scheduledAt), null);
    }

    private static NodeName? Name(string? text) => text is null ? null : new(text);
}
