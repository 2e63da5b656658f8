using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Patroni.Raft.Api.Hosting;
using Patroni.Raft.Api.Http;
using Patroni.Raft.Api.Json;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Endpoints;

/// <summary>Dynamic configuration. The version is the ETag; a change with If-Match fails with 412 when somebody else was quicker.</summary>
internal static class ConfigEndpoints
{
    private const string NotInitialized = "The cluster is not initialized yet; it has no dynamic configuration.";

    public static void MapConfig(this IEndpointRouteBuilder routes, ApiContext api, AccessControl access)
    {
        routes.MapGet("/config", (RequestDelegate)(context => Get(context, api)));
        routes.MapUnsafe(access, "PATCH", "/config", context => Change(context, api, static (json, version) => new PatchConfig(json, version)));
        routes.MapUnsafe(access, "PUT", "/config", context => Change(context, api, static (json, version) => new ReplaceConfig(json, version)));
    }

    private static Task Get(HttpContext context, ApiContext api)
    {
        Documents.StatusView view = api.View;
        if (view.State.Config.Version == 0) return Reply.Text(context, 502, NotInitialized);
        SetVersion(context, view.State.Config.Version);
        return Reply.Json(context, 200, view.Config);
    }

    private static async Task Change(HttpContext context, ApiContext api, Func<string, long, Command> commandOf)
    {
        JsonBody body = await RequestBody.ReadObjectAsync(context, optional: false);
        if (body.Refusal is { } refusal)
        {
            await Reply.Text(context, 400, refusal);
            return;
        }
        if (!TryReadIfMatch(context.Request, out long expected))
        {
            await Reply.Text(context, 412, "If-Match must be one version as ETag gave it, for example \"1234\".");
            return;
        }
        ClusterState before = await api.ReadAsync(context.RequestAborted);
        if (before.Config.Version == 0)
        {
            await Reply.Text(context, 503, NotInitialized);
            return;
        }

        (Outcome outcome, ClusterState state) = await api.ProposeAsync(commandOf(body.Text, expected), context.RequestAborted);
        if (outcome.IsAccepted)
        {
            SetVersion(context, state.Config.Version);
            await Reply.Json(context, 200, PythonJsonWriter.ToBytes(state.Config.Json, static (writer, json) => writer.Raw(json)));
            return;
        }
        int status = outcome.Code switch
        {
            OutcomeCode.InvalidConfiguration or OutcomeCode.Invalid => 400,
            OutcomeCode.StaleVersion => 412,
            _ => 503,
        };
        await Reply.Text(context, status, outcome.Reason);
    }

    private static void SetVersion(HttpContext context, long version) =>
        context.Response.Headers.ETag = string.Create(CultureInfo.InvariantCulture, $"\"{version}\"");

    /// <summary>0 for any version; false when it can match none.</summary>
    private static bool TryReadIfMatch(HttpRequest request, out long version)
    {
        version = 0;
        string? text = request.Headers.IfMatch;
        if (string.IsNullOrEmpty(text) || text == "*") return true;
        return text.Length > 2 && text[0] == '"' && text[^1] == '"'
            && long.TryParse(text.AsSpan(1, text.Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out version) && version > 0;
    }
}
