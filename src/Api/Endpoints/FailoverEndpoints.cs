using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Patroni.Raft.Api.Failover;
using Patroni.Raft.Api.Hosting;
using Patroni.Raft.Api.Http;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Endpoints;

/// <summary>Switchover and failover. The answer comes with the log entry that says the new leader is promoted: nothing polls.</summary>
internal static class FailoverEndpoints
{
    public static void MapFailover(this IEndpointRouteBuilder routes, ApiContext api, AccessControl access)
    {
        routes.MapUnsafe(access, "POST", "/switchover", context => Move(context, api, isFailover: false));
        routes.MapUnsafe(access, "POST", "/failover", context => Move(context, api, isFailover: true));
        routes.MapUnsafe(access, "DELETE", "/switchover", context => Cancel(context, api));
    }

    private static async Task Move(HttpContext context, ApiContext api, bool isFailover)
    {
        JsonBody json = await RequestBody.ReadObjectAsync(context, optional: false);
        string? refusal = json.Refusal;
        FailoverBody? body = null;
        if (refusal is null) (body, refusal) = FailoverBody.Read(json.Root);
        if (body is null)
        {
            await Reply.Text(context, 400, refusal!);
            return;
        }

        ClusterState state = await api.ReadAsync(context.RequestAborted);
        (int status, string text) = FailoverRules.Plan(state, body, isFailover, api.Options.Clock.GetUtcNow()) switch
        {
            FailoverPlan.Refused refused => (refused.Status, refused.Reason),
            FailoverPlan.Accepted accepted => await Request(api, state, accepted, context.RequestAborted),
            _ => throw new InvalidOperationException("A plan of an unknown kind."),
        };
        await Reply.Text(context, status, text);
    }

    private static async Task<(int Status, string Text)> Request(ApiContext api, ClusterState before, FailoverPlan.Accepted plan, CancellationToken cancellation)
    {
        (Outcome outcome, ClusterState state) = await api.ProposeAsync(plan.Command, cancellation);
        if (!outcome.IsAccepted) return Refusal(outcome, plan.Command, state);
        if (plan.Command.ScheduledAtUnixMs is not null) return (202, "Switchover scheduled");

        var result = new FailoverResult(outcome.Index, before.Lease, plan.Command.Candidate, plan.Action);
        // Patroni polls twice max(10, loop_wait) times, once a second.
        int seconds = 2 * (int)Math.Max(10, state.Settings.LoopWaitMs / 1000);
        ClusterState? decided = await api.Node.WaitForAsync(now => result.Of(now) is not null, TimeSpan.FromSeconds(seconds), cancellation);
        return decided is null ? result.Unknown(seconds) : result.Of(api.Observe(decided))!.Value;
    }

    /// <summary>The state moved between the checks and the log; the words are those of the checks where they have some.</summary>
    private static (int Status, string Text) Refusal(Outcome outcome, RequestFailover command, ClusterState state) => outcome.Code switch
    {
        OutcomeCode.UnknownNode => (412, "candidate does not exists"),
        OutcomeCode.NotReady => (412, "leader name does not match"),
        OutcomeCode.RequestConflict when command.Leader is { } named && state.Leader is { } leader && named != leader => (412, "leader name does not match"),
        OutcomeCode.RequestConflict => (412, outcome.Reason),
        OutcomeCode.Invalid => (400, outcome.Reason),
        _ => (503, outcome.Reason),
    };

    private static async Task Cancel(HttpContext context, ApiContext api)
    {
        ClusterState state = await api.ReadAsync(context.RequestAborted);
        if (state.Failover is not { ScheduledAtUnixMs: not null } request)
        {
            await Reply.Text(context, 404, "no switchover is scheduled");
            return;
        }
        (Outcome outcome, _) = await api.ProposeAsync(new ClearFailover(request.RequestIndex, "deleted by an operator"), context.RequestAborted);
        if (outcome.IsAccepted) await Reply.Text(context, 200, "scheduled switchover deleted");
        else await Reply.Text(context, 409, outcome.Reason);
    }
}
