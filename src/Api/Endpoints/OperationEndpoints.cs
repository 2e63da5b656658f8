using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Documents;
using Patroni.Raft.Api.Hosting;
using Patroni.Raft.Api.Http;
using Patroni.Raft.Api.Operations;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Endpoints;

/// <summary>Operations on the local node: restart, reload, reinitialize.</summary>
internal static class OperationEndpoints
{
    public static void MapOperations(this IEndpointRouteBuilder routes, ApiContext api, AccessControl access)
    {
        routes.MapUnsafe(access, "POST", "/restart", context => Restart(context, api));
        routes.MapUnsafe(access, "DELETE", "/restart", context => Unschedule(context, api));
        routes.MapUnsafe(access, "POST", "/reload", context => Reload(context, api));
        routes.MapUnsafe(access, "POST", "/reinitialize", context => Reinitialize(context, api));
    }

    private static async Task Restart(HttpContext context, ApiContext api)
    {
        JsonBody json = await RequestBody.ReadObjectAsync(context, optional: true);
        if (json.Refusal is { } refusal)
        {
            await Reply.Text(context, 400, refusal);
            return;
        }
        (int status, string text) = RestartRules.Check(json.Root, api.View, api.Options.Clock.GetUtcNow()) switch
        {
            RestartPlan.Refused refused => (refused.Status, refused.Reason),
            RestartPlan.Later later => await Schedule(api, later.Command, context.RequestAborted),
            RestartPlan.Now now => Of(await api.Node.RestartAsync(now.Timeout, context.RequestAborted), 200),
            _ => throw new InvalidOperationException("A plan of an unknown kind."),
        };
        await Reply.Text(context, status, text);
    }

    private static async Task<(int Status, string Text)> Schedule(ApiContext api, ScheduleRestart command, CancellationToken cancellation)
    {
        (Outcome outcome, _) = await api.ProposeAsync(command, cancellation);
        return outcome.Code switch
        {
            OutcomeCode.Accepted => (202, "Restart scheduled"),
            OutcomeCode.RequestConflict => (409, "Another restart is already scheduled"),
            _ => (503, outcome.Reason),
        };
    }

    private static async Task Unschedule(HttpContext context, ApiContext api)
    {
        NodeName self = api.View.Snapshot.Self;
        ClusterState state = await api.ReadAsync(context.RequestAborted);
        bool dropped = state.Members.TryGetValue(self, out Member? member) && member.ScheduledRestart is { } restart
            && (await api.ProposeAsync(new ClearRestart(self, restart.RequestIndex, "deleted by an operator"), context.RequestAborted)).Outcome.IsAccepted;
        await (dropped ? Reply.Text(context, 200, "scheduled restart deleted") : Reply.Text(context, 404, "no restarts are scheduled"));
    }

    private static Task Reload(HttpContext context, ApiContext api)
    {
        OperationResult result = api.Node.Reload();
        if (!result.Succeeded) return Reply.Text(context, 503, result.Message);
        return api.ReloadSection() is { } problem ? Reply.Text(context, 503, problem) : Reply.Text(context, 202, "reload scheduled");
    }

    private static async Task Reinitialize(HttpContext context, ApiContext api)
    {
        JsonBody json = await RequestBody.ReadObjectAsync(context, optional: true);
        string? refusal = json.Refusal;
        bool force = false, fromLeader = false;
        if (refusal is null && !OperationFields.TryReadBoolean(json.Root, "force", out force)) refusal = "force must be a boolean.";
        if (refusal is null && !OperationFields.TryReadBoolean(json.Root, "from_leader", out fromLeader)) refusal = "from_leader must be a boolean.";
        if (refusal is not null)
        {
            await Reply.Text(context, 400, refusal);
            return;
        }
        StatusView view = api.View;
        (int status, string text) = view.State.Leader switch
        {
            null => (503, "Cluster has no leader, can not reinitialize"),
            { } leader when leader == view.Snapshot.Self => (503, "I am the leader, can not reinitialize"),
            _ => await api.Node.ReinitializeAsync(force, fromLeader, context.RequestAborted) is { Succeeded: false } failed
                ? (503, failed.Message)
                : (200, "reinitialize started"),
        };
        await Reply.Text(context, status, text);
    }

    private static (int Status, string Text) Of(OperationResult result, int success) => (result.Succeeded ? success : 503, result.Message);
}
