using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Http;

namespace Patroni.Raft.Api.Hosting;

/// <summary>Outermost part of every request: common headers, and one sentence for what went wrong inside.</summary>
internal sealed partial class RequestGuard(ILogger logger)
{
    private volatile KeyValuePair<string, string>[] headers = [];

    /// <summary>The headers of every answer from now on.</summary>
    public void Use(IEnumerable<KeyValuePair<string, string>> next) => headers = [.. next];

    public Func<RequestDelegate, RequestDelegate> Middleware => next => context =>
    {
        foreach (KeyValuePair<string, string> header in headers) context.Response.Headers[header.Key] = header.Value;
        Task task;
        try
        {
            task = next(context);
        }
        catch (Exception error)
        {
            return Explain(context, error);
        }
        return task.IsCompletedSuccessfully ? task : Watch(task, context);
    };

    private async Task Watch(Task task, HttpContext context)
    {
        try
        {
            await task;
        }
        catch (Exception error)
        {
            await Explain(context, error);
        }
    }

    private Task Explain(HttpContext context, Exception error)
    {
        if (context.RequestAborted.IsCancellationRequested || error is ConnectionResetException || context.Response.HasStarted) return Task.CompletedTask;
        context.Response.Headers.Remove("ETag");
        switch (error)
        {
            case ClusterUnavailableException:
                return Reply.Text(context, 503, error.Message);
            case BadHttpRequestException { StatusCode: 408 }:
                return Reply.Text(context, 408, "The request body arrived too slowly.");
            case BadHttpRequestException:
                // 413 and the like; the contract wants 400 for everything that is wrong with a request.
                return Reply.Text(context, 400, error.Message);
            default:
                LogFailure(logger, context.Request.Method, context.Request.Path.Value ?? "", error);
                return Reply.Text(context, 500, "The agent failed to answer; its log says why.");
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private static partial void LogFailure(ILogger logger, string method, string path, Exception error);
}
