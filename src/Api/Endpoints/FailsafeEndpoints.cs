using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Builder;
using Patroni.Raft.Api.Documents;
using Patroni.Raft.Api.Hosting;
using Patroni.Raft.Api.Http;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Endpoints;

/// <summary>
/// Failsafe mode, in Patroni's words (api.py, do_POST_failsafe): the recorded topology, and the question of a primary without quorum. The epoch of
/// its leadership stands under <c>raft</c>; a question without one is taken for the leadership that this node knows.
/// </summary>
internal static class FailsafeEndpoints
{
    private const string Disabled = "failsafe_mode is not enabled";

    public static void MapFailsafe(this IEndpointRouteBuilder routes, ApiContext api, AccessControl access)
    {
        routes.MapGet("/failsafe", (RequestDelegate)(context => api.View.State.Settings.FailsafeMode
            ? Reply.Json(context, 200, Json.PythonJsonWriter.ToBytes(api.View.State, StateDocument.WriteFailsafe))
            : Reply.Text(context, 502, Disabled)));
        routes.MapNodeOrUnsafe(access, "POST", "/failsafe", context => Answer(context, api));
    }

    private static async Task Answer(HttpContext context, ApiContext api)
    {
        JsonBody json = await RequestBody.ReadObjectAsync(context, optional: false);
        FailsafeQuestion? question = null;
        string? refusal = json.Refusal ?? Read(json.Root, api.View.State, out question);
        if (refusal is not null)
        {
            await Reply.Text(context, 400, refusal);
            return;
        }
        FailsafeAnswer answer = await api.Node.AnswerFailsafeAsync(question!, context.RequestAborted);
        if (!answer.IsEnabled)
        {
            await Reply.Text(context, 502, Disabled);
            return;
        }
        StatusView view = api.View;
        Lsn reached = Lsn.Max(view.Received, view.Replayed);
        if (answer.Promise is not null && reached.IsValid) context.Response.Headers["lsn"] = reached.Value.ToString(CultureInfo.InvariantCulture);
        await Reply.Text(context, answer.Promise is null ? 500 : 200, answer.Text);
    }

    private static string? Read(JsonElement body, ClusterState state, out FailsafeQuestion? question)
    {
        question = null;
        if (!body.TryGetProperty("name", out JsonElement name)) return "name is missing.";
        if (name.ValueKind != JsonValueKind.String || name.GetString() is not { Length: > 0 and <= 255 } text) return "name must be the primary's name.";
        foreach (string field in (string[])["conn_url", "api_url"])
            if (body.TryGetProperty(field, out JsonElement url) && url.ValueKind != JsonValueKind.String) return $"{field} must be text, not {RequestBody.Describe(url)}.";
        if (body.TryGetProperty("slots", out JsonElement slots) && slots.ValueKind != JsonValueKind.Object) return $"slots must be an object, not {RequestBody.Describe(slots)}.";
        Epoch epoch = state.Lease?.Epoch ?? state.Vacancy?.FormerEpoch ?? default;
        long ttl = state.Settings.TtlMs;
        if (body.TryGetProperty("raft", out JsonElement raft) && ReadRaft(raft, ref epoch, ref ttl) is { } refusal) return refusal;
        question = new(new(text), epoch, ttl);
        return null;
    }

    private static string? ReadRaft(JsonElement raft, ref Epoch epoch, ref long ttl)
    {
        if (raft.ValueKind != JsonValueKind.Object) return $"raft must be an object, not {RequestBody.Describe(raft)}.";
        if (raft.TryGetProperty("epoch", out JsonElement given))
        {
            if (given.ValueKind != JsonValueKind.String || !Epoch.TryParse(given.GetString(), out epoch)) return "raft.epoch must be text of the form generation.index.";
        }
        if (raft.TryGetProperty("ttl_ms", out JsonElement time) && (time.ValueKind != JsonValueKind.Number || !time.TryGetInt64(out ttl)))
            return "raft.ttl_ms must be a whole number of milliseconds.";
        return null;
    }
}
