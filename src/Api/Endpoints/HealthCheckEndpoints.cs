using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Patroni.Raft.Api.Documents;
using Patroni.Raft.Api.HealthChecks;
using Patroni.Raft.Api.Http;

namespace Patroni.Raft.Api.Endpoints;

/// <summary>Health checks: GET answers with the status document, HEAD and OPTIONS with the status line only.</summary>
internal static class HealthCheckEndpoints
{
    private static readonly string[] SafeMethods = ["GET", "HEAD", "OPTIONS"];

    public static void MapHealthChecks(this IEndpointRouteBuilder routes, ApiContext api)
    {
        foreach ((string path, HealthCheck check) in HealthPaths.All)
            routes.MapMethods(path, SafeMethods, (RequestDelegate)(context => Answer(context, api, check)));
        // Endpoints of their own answer GET; what remains of the safe methods is a check like any unknown path.
        routes.MapMethods("/{**path}", SafeMethods, (RequestDelegate)(context => Answer(context, api, HealthPaths.OfAnyPath(context.Request.Path.Value ?? ""))))
            .WithOrder(int.MaxValue);
    }

    private static Task Answer(HttpContext context, ApiContext api, HealthCheck check)
    {
        StatusView view = api.View;
        HealthQuery query = HealthQuery.Parse(context.Request.QueryString.Value);
        int status = HealthRules.Passes(check, view, api.Node.NowMs, query) ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        bool withDocument = HttpMethods.IsGet(context.Request.Method) && check is not (HealthCheck.Liveness or HealthCheck.Readiness);
        return withDocument ? Reply.Json(context, status, view.Status) : Reply.Status(context, status);
    }
}
