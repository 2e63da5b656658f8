using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Patroni.Raft.Api.Documents;
using Patroni.Raft.Api.Http;

namespace Patroni.Raft.Api.Endpoints;

/// <summary>Documents about the node and the cluster; all from the last snapshot.</summary>
internal static class StatusEndpoints
{
    public static void MapStatus(this IEndpointRouteBuilder routes, ApiContext api) =>
        routes.MapGet("/patroni", (RequestDelegate)(context => Reply.Json(context, 200, api.View.Status)));

    public static void MapCluster(this IEndpointRouteBuilder routes, ApiContext api)
    {
        routes.MapGet("/cluster", (RequestDelegate)(context => Reply.Json(context, 200, api.View.Cluster)));
        routes.MapGet("/history", (RequestDelegate)(context => Reply.Json(context, 200, api.View.History)));
    }

    public static void MapState(this IEndpointRouteBuilder routes, ApiContext api) =>
        routes.MapGet("/state", (RequestDelegate)(context => Reply.Json(context, 200, Json.PythonJsonWriter.ToBytes(api.View.State, StateDocument.Write))));

    public static void MapMetrics(this IEndpointRouteBuilder routes, ApiContext api) => routes.MapGet("/metrics", (RequestDelegate)(context =>
    {
        StatusView view = api.View;
        byte[] kept = view.Metrics(api.RaftMetrics), timed = MetricsDocument.BuildTimed(view, api.Node.NowMs);
        byte[] all = new byte[kept.Length + timed.Length];
        kept.CopyTo(all, 0);
        timed.CopyTo(all, kept.Length);
        return Reply.Bytes(context, 200, MetricsDocument.ContentType, all);
    }));
}
