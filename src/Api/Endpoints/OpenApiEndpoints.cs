using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Patroni.Raft.Api.Http;

namespace Patroni.Raft.Api.Endpoints;

/// <summary>The description of the API for programs. Written by hand; a test compares it with the routes.</summary>
internal static class OpenApiEndpoints
{
    public static void MapOpenApi(this IEndpointRouteBuilder routes)
    {
        using Stream resource = typeof(OpenApiEndpoints).Assembly.GetManifestResourceStream("openapi.json")
            ?? throw new InvalidOperationException("The program lacks its resource openapi.json.");
        byte[] document = new byte[resource.Length];
        resource.ReadExactly(document);
        routes.MapGet("/openapi.json", (RequestDelegate)(context => Reply.Json(context, 200, document)));
    }
}
