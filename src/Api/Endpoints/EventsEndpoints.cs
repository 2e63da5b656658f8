using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Patroni.Raft.Api.Http;
using Patroni.Raft.Api.Json;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Endpoints;

/// <summary>
/// Significant events of the replicated history: <c>GET /events?since=ID&amp;limit=N</c>, oldest first, and as server-sent events
/// <c>GET /events/stream</c> (resumes after <c>Last-Event-ID</c>).
/// </summary>
internal static class EventsEndpoints
{
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    public static void MapEvents(this IEndpointRouteBuilder routes, ApiContext api)
    {
        routes.MapGet("/events", (RequestDelegate)(context => List(context, api)));
        routes.MapGet("/events/stream", (RequestDelegate)(context => Stream(context, api)));
    }

    private static Task List(HttpContext context, ApiContext api)
    {
        if (!TryRead(context.Request, "since", 0, out long since)) return Reply.Text(context, 400, "since must be the id of an event: a whole number from 0.");
        if (!TryRead(context.Request, "limit", long.MaxValue, out long limit)) return Reply.Text(context, 400, "limit must be a whole number from 0.");
        return Reply.Json(context, 200, PythonJsonWriter.ToBytes((api.View.State, since, limit), static (writer, a) => Write(writer, a.State, a.since, a.limit)));
    }

    /// <summary>The newest <paramref name="limit"/> of the events after <paramref name="since"/>.</summary>
    internal static void Write(PythonJsonWriter writer, ClusterState state, long since, long limit)
    {
        writer.BeginObject();
        writer.Key("events").BeginArray();
        List<EventRecord> chosen = [.. state.Events.Where(record => record.Id > since)];
        foreach (EventRecord record in chosen.Skip((int)Math.Max(0, chosen.Count - Math.Min(limit, chosen.Count))))
            writer.Raw(JsonSerializer.SerializeToUtf8Bytes(record, StateJson.Default.EventRecord));
        writer.EndArray();
        writer.Key("last_id").Number(state.EventCount);
        writer.EndObject();
    }

    private static async Task Stream(HttpContext context, ApiContext api)
    {
        long last = api.View.State.EventCount;
        string? resume = context.Request.Headers["Last-Event-ID"];
        bool wellFormed = resume is null
            ? TryRead(context.Request, "since", last, out last)
            : long.TryParse(resume, NumberStyles.None, CultureInfo.InvariantCulture, out last);
        if (!wellFormed)
        {
            await Reply.Text(context, 400, "Last-Event-ID (or since) must be the id of an event: a whole number from 0.");
            return;
        }
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache";
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, api.Stopping);
        try
        {
            await context.Response.Body.FlushAsync(ending.Token);
            while (true)
            {
                long seen = last;
                ClusterState? state = await api.Node.WaitForAsync(now => now.EventCount > seen, KeepAlive, ending.Token);
                last = await Send(context.Response, state, last, ending.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The client left or the agent stops: the only ends of a stream.
        }
    }

    private static async Task<long> Send(HttpResponse response, ClusterState? state, long last, CancellationToken cancellation)
    {
        var text = new StringBuilder();
        if (state is null) text.Append(": still here\n\n");
        else
        {
            foreach (EventRecord record in state.Events)
            {
                if (record.Id <= last) continue;
                string json = JsonSerializer.Serialize(record, StateJson.Default.EventRecord);
                text.Append(CultureInfo.InvariantCulture, $"id: {record.Id}\ndata: {json}\n\n");
            }
            last = state.EventCount;
        }
        await response.Body.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()), cancellation);
        await response.Body.FlushAsync(cancellation);
        return last;
    }

    private static bool TryRead(HttpRequest request, string name, long absent, out long value)
    {
        value = absent;
        string? text = request.Query[name];
        return string.IsNullOrEmpty(text) || long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }
}
