using System.Globalization;
using System.Text.Json;
using Patroni.Raft.Api.Documents;
using Patroni.Raft.Api.Failover;
using Patroni.Raft.Api.Http;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Operations;

/// <summary>What a request for a restart comes to.</summary>
internal abstract record RestartPlan
{
    private RestartPlan() { }

    /// <summary>Refused; nothing changed.</summary>
    public sealed record Refused(int Status, string Reason) : RestartPlan;

    /// <summary>To be done at once.</summary>
    /// <param name="Timeout">How long PostgreSQL may take; null for the configured time.</param>
    public sealed record Now(TimeSpan? Timeout) : RestartPlan;
}

/// <summary>The conditions of <c>POST /restart</c> in the order in which they were sent, with Patroni's words (api.py, do_POST_restart).</summary>
internal static class RestartRules
{
    public static RestartPlan Check(JsonElement body, StatusView view, DateTimeOffset now)
    {
        if (body.TryGetProperty("schedule", out _) && view.State.Settings.Pause) return Refuse(500, "Can't schedule restart in the paused state");
        string? role = null;
        int belowVersion = 0;
        bool pendingOnly = false, scheduled = false;
        TimeSpan? timeout = null;
        foreach (JsonProperty field in body.EnumerateObject())
        {
            switch (field.Name)
            {
                case "schedule":
                    if (field.Value.ValueKind != JsonValueKind.String) return Refuse(400, $"schedule must be text, not {RequestBody.Describe(field.Value)}.");
                    Schedule at = Schedule.Parse(field.Value.GetString()!, "restart", now);
                    if (at.Status != 0) return Refuse(at.Status, at.Refusal);
                    scheduled = true;
                    break;
                case "role":
                    role = field.Value.ValueKind == JsonValueKind.String ? field.Value.GetString() : null;
                    if (role is not ("primary" or "standby_leader" or "replica"))
                        return Refuse(400, "PostgreSQL role should be either primary, standby_leader, or replica");
                    break;
                case "postgres_version":
                    if (ReadVersion(field.Value, out belowVersion) is { } problem) return Refuse(400, problem);
                    break;
                case "timeout":
                    timeout = ReadTimeout(field.Value);
                    if (timeout is null) return Refuse(400, "Timeout should be a positive number of seconds");
                    break;
                case "restart_pending":
                    if (!OperationFields.TryReadBoolean(body, field.Name, out pendingOnly)) return Refuse(400, "restart_pending must be a boolean.");
                    break;
                default:
                    return Refuse(400, $"Unknown filter for the scheduled restart: {field.Name}");
            }
        }
        // Scheduling needs the agent to keep the time in its member report; it says so instead of forgetting the request.
        if (scheduled) return Refuse(503, "Scheduled restarts are not possible with this version; send the request without schedule when the time has come");
        return Matches(view, role, belowVersion, pendingOnly) ? new RestartPlan.Now(timeout) : Refuse(503, "restart conditions are not satisfied");
    }

    private static bool Matches(StatusView view, string? role, int belowVersion, bool pendingOnly)
    {
        MemberReport report = view.Snapshot.Report;
        if (role is not null && role != PostgresText.Of(report.Role)) return false;
        if (belowVersion != 0 && belowVersion <= view.Snapshot.ServerVersion) return false;
        return !pendingOnly || report.PendingRestartJson.Length > 0;
    }

    private static TimeSpan? ReadTimeout(JsonElement value)
    {
        if (value.ValueKind is not (JsonValueKind.Number or JsonValueKind.String)) return null;
        SettingScalarKind kind = value.ValueKind == JsonValueKind.Number ? SettingScalarKind.Number : SettingScalarKind.Text;
        string text = kind == SettingScalarKind.Number ? value.GetRawText() : value.GetString()!;
        // Beyond a day nobody waits; the bound keeps timers within their range.
        return SettingReader.Milliseconds(new SettingScalar(text, kind)) is { } ms and > 0 ? TimeSpan.FromMilliseconds(Math.Min(ms, 86_400_000)) : null;
    }

    /// <summary>15.2 gives 150002, 9.6.24 gives 90624; anything else is refused as Patroni does.</summary>
    private static string? ReadVersion(JsonElement value, out int number)
    {
        number = 0;
        string text = value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
        string[] parts = text.Split('.');
        var numbers = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]) || numbers[i] > 99)
                return $"Invalid PostgreSQL version: {text}";
        }
        if (numbers.Length is < 2 or > 3 || (numbers.Length == 2 && numbers[0] < 10))
            return $"Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: {text}";
        number = numbers.Length == 2 ? (numbers[0] * 10_000) + numbers[1] : (numbers[0] * 10_000) + (numbers[1] * 100) + numbers[2];
        return null;
    }

    private static RestartPlan.Refused Refuse(int status, string reason) => new(status, reason);
}

/// <summary>Fields of operations.</summary>
internal static class OperationFields
{
    /// <summary>A boolean as Patroni reads it (true, 'on', 1); absent and null are false.</summary>
    public static bool TryReadBoolean(JsonElement body, string name, out bool value)
    {
        value = false;
        if (!body.TryGetProperty(name, out JsonElement field) || field.ValueKind == JsonValueKind.Null) return true;
        if (field.ValueKind is JsonValueKind.Object or JsonValueKind.Array) return false;
        string text = field.ValueKind == JsonValueKind.String ? field.GetString()! : field.GetRawText();
        bool? read = SettingReader.Boolean(new SettingScalar(text, SettingScalarKind.Text));
        value = read ?? false;
        return read is not null;
    }
}
