using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Patroni.Raft.Api.Hosting;
using Patroni.Raft.Api.Http;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Endpoints;

/// <summary><c>DELETE /cluster</c> (ours): the group forgets the cluster. The body names it, so that nobody removes the wrong one.</summary>
internal static class RemovalEndpoints
{
    public static void MapRemoval(this IEndpointRouteBuilder routes, ApiContext api, AccessControl access) =>
        routes.MapUnsafe(access, "DELETE", "/cluster", context => Remove(context, api));

    private static async Task Remove(HttpContext context, ApiContext api)
    {
        JsonBody json = await RequestBody.ReadObjectAsync(context, optional: false);
        string scope = api.View.Snapshot.Scope;
        if ((json.Refusal ?? Problem(json.Root)) is { } refusal)
        {
            await Reply.Text(context, 400, refusal);
            return;
        }
        if (json.Root.GetProperty("scope").GetString() != scope)
        {
            await Reply.Text(context, 412, $"This node belongs to the cluster {scope}.");
            return;
        }
        (Outcome outcome, ClusterState state) = await api.ProposeAsync(new WipeCluster("an operator removed it"), context.RequestAborted);
        (int status, string text) = (outcome.IsAccepted, state.Leadership, state.Leader) switch
        {
            (true, _, _) => (200, $"Cluster {scope} is removed"),
            (_, Uninitialized, _) => (404, $"Cluster {scope} is not initialized; there is nothing to remove."),
            // While somebody may write, nobody must be able to begin anew.
            (_, _, { } leader) => (409, $"{leader} holds the lease of the leader. Pause the cluster, stop PostgreSQL and the agent of {leader}, and remove the cluster once the lease is over."),
            _ => (503, outcome.Reason),
        };
        await Reply.Text(context, status, text);
    }

    private static string? Problem(JsonElement body)
    {
        foreach (JsonProperty field in body.EnumerateObject())
            if (field.Name != "scope") return $"Unknown field '{field.Name}'.";
        return body.GetProperty("scope") is { ValueKind: JsonValueKind.String } ? null : "scope must be text.";
    }
}
