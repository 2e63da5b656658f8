using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Patroni.Raft.StateMachine;

/// <summary>The tags of a member that the cluster itself understands.</summary>
/// <param name="FailoverPriority">0 when <c>nofailover</c> is true; else <c>failover_priority</c>, 1 by default.</param>
/// <param name="NoLoadBalance"><c>noloadbalance</c></param>
/// <param name="CloneFrom"><c>clonefrom</c></param>
/// <param name="NoSync"><c>nosync</c></param>
/// <param name="NoStream"><c>nostream</c></param>
/// <param name="ReplicateFrom"><c>replicatefrom</c></param>
public sealed record MemberTags(int FailoverPriority, bool NoLoadBalance, bool CloneFrom, bool NoSync, bool NoStream, NodeName? ReplicateFrom)
{
    private static readonly ConditionalWeakTable<MemberReport, MemberTags> Cache = [];

    /// <summary>No tags.</summary>
    public static MemberTags None { get; } = new(1, false, false, false, false, null);

    /// <summary>The tags of a report; read once per report.</summary>
    public static MemberTags Of(MemberReport report) => Cache.GetValue(report, static r => Read(r.TagsJson));

    /// <summary>Reads a <c>tags</c> section. <c>nofailover: false</c> wins over a priority of 0, as in Patroni.</summary>
    public static MemberTags Read(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement tags = document.RootElement;
            if (tags.ValueKind != JsonValueKind.Object) return None;
            bool? noFailover = Flag(tags, "nofailover");
            int priority = Number(tags, "failover_priority");
            if (noFailover == true) priority = 0;
            else if (noFailover == false && priority <= 0) priority = 1;
            string? from = tags.TryGetProperty("replicatefrom", out JsonElement source) && source.ValueKind == JsonValueKind.String ? source.GetString() : null;
            return new(priority, Flag(tags, "noloadbalance") == true, Flag(tags, "clonefrom") == true, Flag(tags, "nosync") == true,
                Flag(tags, "nostream") == true, string.IsNullOrEmpty(from) ? null : new NodeName(from));
        }
        catch (JsonException)
        {
            return None;
        }
    }

    private static bool? Flag(JsonElement tags, string name) =>
        !tags.TryGetProperty(name, out JsonElement value) ? null : value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.String => value.GetString()!.ToLowerInvariant() is "true" or "on" or "yes" or "1",
            JsonValueKind.Number => value.TryGetInt32(out int number) && number != 0,
            _ => null,
        };

    private static int Number(JsonElement tags, string name) =>
        !tags.TryGetProperty(name, out JsonElement value) ? 1
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number
        : value.ValueKind == JsonValueKind.String && int.TryParse(value.GetString(), out int parsed) ? parsed
        : 1;
}
