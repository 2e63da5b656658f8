using Microsoft.AspNetCore.Http;
using System.Text;

namespace Patroni.Raft.Api.Http;

/// <summary>Writes answers. Lengths are always known, so that HTTP/1.0 and keep-alive clients need no chunks.</summary>
internal static class Reply
{
    /// <summary>A JSON document.</summary>
    public static Task Json(HttpContext context, int status, byte[] document) => Bytes(context, status, "application/json", document);

    /// <summary>One sentence.</summary>
    public static Task Text(HttpContext context, int status, string sentence) =>
        Bytes(context, status, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(sentence));

    /// <summary>The status line only.</summary>
    public static Task Status(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        context.Response.ContentLength = 0;
        return Task.CompletedTask;
    }

    /// <summary>Any content; HEAD gets the length only.</summary>
    public static Task Bytes(HttpContext context, int status, string contentType, ReadOnlyMemory<byte> content)
    {
        HttpResponse response = context.Response;
        response.StatusCode = status;
        response.ContentType = contentType;
        response.ContentLength = content.Length;
        if (HttpMethods.IsHead(context.Request.Method)) return Task.CompletedTask;
        ValueTask<System.IO.Pipelines.FlushResult> written = response.BodyWriter.WriteAsync(content, context.RequestAborted);
        return written.IsCompletedSuccessfully ? Task.CompletedTask : written.AsTask();
    }
}
