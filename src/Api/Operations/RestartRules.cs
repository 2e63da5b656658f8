using System.Text.Json;
using Patroni.Raft.Api.Documents;
using Patroni.Raft.Api.Failover;
using Patroni.Raft.Api.Http;
using Patroni.Raft.Api.Json;
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

    /// <summary>To be done at a time.</summary>
    /// <param name="Command">The command that schedules it.</param>
    public sealed record Later(ScheduleRestart Command) : RestartPlan;
}

/// <summary>The conditions of <c>POST /restart</c> in the order in which they were sent, with Patroni's words (api.py, do_POST_restart).</summary>
internal static class RestartRules
{
    public static RestartPlan Check(JsonElement body, StatusView view, DateTimeOffset now)
    {
        if (body.TryGetProperty("schedule", out _) && view.State.Settings.Pause) return Refuse(500, "Can't schedule restart in the paused state");
        PostgresRole? role = null;
        string? belowVersion = null;
        bool pendingOnly = false;
        Schedule? schedule = null;
        TimeSpan? timeout = null;
        foreach (JsonProperty field in body.EnumerateObject())
        {
            switch (field.Name)
            {
                case "schedule":
                    if (field.Value.ValueKind != JsonValueKind.String) return Refuse(400, $"schedule must be text, not {RequestBody.Describe(field.Value)}.");
                    Schedule at = Schedule.Parse(field.Value.GetString()!, "restart", now);
                    if (at.Status != 0) return Refuse(at.Status, at.Refusal);
                    schedule = at;
                    break;
                case "role":
                    role = RoleOf(field.Value);
                    if (role is null)
                        return Refuse(400, "PostgreSQL role should be either primary, standby_leader, or replica");
                    break;
                case "postgres_version":
                    belowVersion = field.Value.ValueKind == JsonValueKind.String ? field.Value.GetString()! : field.Value.GetRawText();
                    if (ServerVersionText.Explain(belowVersion, out _) is { } problem) return Refuse(400, problem);
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
        var conditions = new RestartConditions(role, belowVersion, pendingOnly);
        if (schedule is { } when)
        {
            return new RestartPlan.Later(new(view.Snapshot.Self, when.At.ToUnixTimeMilliseconds(), when.Text, conditions,
                (long?)timeout?.TotalMilliseconds, PythonTime.UnixMicroseconds(view.Snapshot.Postgres?.PostmasterStartTime)));
        }
        MemberReport report = view.Snapshot.Report with { ServerVersion = view.Snapshot.ServerVersion };
        return conditions.WhyNot(report) is null ? new RestartPlan.Now(timeout) : Refuse(503, "restart conditions are not satisfied");
    }

    private static PostgresRole? RoleOf(JsonElement value) => (value.ValueKind == JsonValueKind.String ? value.GetString() : null) switch
    {
        "primary" => PostgresRole.Primary,
        "standby_leader" => PostgresRole.StandbyLeader,
        "replica" => PostgresRole.Replica,
        _ => null,
    };

    private static TimeSpan? ReadTimeout(JsonElement value)
    {
        if (value.ValueKind is not (JsonValueKind.Number or JsonValueKind.String)) return null;
        SettingScalarKind kind = value.ValueKind == JsonValueKind.Number ? SettingScalarKind.Number : SettingScalarKind.Text;
        string text = kind == SettingScalarKind.Number ? value.GetRawText() : value.GetString()!;
        // Beyond a day nobody waits; the bound keeps timers within their range.
        return SettingReader.Milliseconds(new SettingScalar(text, kind)) is { } ms and > 0 ? TimeSpan.FromMilliseconds(Math.Min(ms, 86_400_000)) : null;
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
