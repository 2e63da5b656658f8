using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Cli;
using Patroni.Raft.Cli.Parsing;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>A real HTTP server with recorded answers, and the command line run against it.</summary>
internal sealed class FakeApi : IAsyncDisposable
{
    private readonly WebApplication _app;

    private FakeApi(WebApplication app) => _app = app;

    /// <summary>Answers by "METHOD /path"; the text <c>URL</c> in a body becomes this server's address.</summary>
    public ConcurrentDictionary<string, (int Status, string Body)> Answers { get; } = new();

    /// <summary>What was asked, without reads of the cluster.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    public string Url => _app.Urls.First();

    public static async Task<FakeApi> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var api = new FakeApi(app);
        app.Run(api.AnswerAsync);
        await app.StartAsync();
        api.Answers["GET /patroni"] = (200, """{"state": "running", "server_version": 150018, "database_system_identifier": "7711060563153238640", "patroni": {"version": "4.1.4", "scope": "lab", "name": "node0"}, "raft": {"role": "leader", "term": 3}}""");
        api.Answers["GET /cluster"] = (200, """{"members": [{"name": "node0", "role": "leader", "state": "running", "api_url": "URL/patroni", "host": "127.0.0.1", "port": 6400, "timeline": 1}, {"name": "node1", "role": "replica", "state": "streaming", "api_url": "URL/patroni", "host": "127.0.0.1", "port": 6401, "timeline": 1, "receive_lag": 0, "receive_lsn": "0/4000060", "replay_lag": 0, "replay_lsn": "0/4000060", "lag": 0, "lsn": "0/4000060"}, {"name": "node2", "role": "replica", "state": "streaming", "api_url": "URL/patroni", "host": "127.0.0.1", "port": 6402, "timeline": 1, "receive_lag": 0, "receive_lsn": "0/4000060", "replay_lag": 0, "replay_lsn": "0/4000060", "lag": 0, "lsn": "0/4000060", "tags": {"nofailover": true}}], "scope": "lab"}""");
        api.Answers["GET /config"] = (200, """{"loop_wait": 1, "postgresql": {"parameters": {"max_connections": 50, "shared_buffers": "32MB"}, "use_pg_rewind": true}, "retry_timeout": 3, "synchronous_mode": false, "ttl": 20}""");
        return api;
    }

    /// <summary>Runs a command line; returns exit code, output and errors.</summary>
    public Task<(int Code, string Output, string Error)> RunAsync(string commandLine, string input = "", bool withAddress = true) =>
        RunAsync(commandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries), input, withAddress ? Url : null);

    public static async Task<(int Code, string Output, string Error)> RunAsync(string[] args, string input = "", string? url = null)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(url is null ? args : [.. args, "-d", url], new Terminal(new StringReader(input), output, error, interactive: false), ProgramName.Product);
        return (code, output.ToString(), error.ToString());
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var key = $"{context.Request.Method} {context.Request.Path.Value}";
        if (context.Request.Method is not ("GET" or "HEAD"))
        {
            using var reader = new StreamReader(context.Request.Body);
            Requests.Enqueue($"{key} {await reader.ReadToEndAsync()}{(context.Request.Headers.IfMatch.Count > 0 ? $" if {context.Request.Headers.IfMatch}" : "")}".TrimEnd());
        }

        var (status, body) = Answers.GetValueOrDefault(key, (404, "unknown"));
        context.Response.StatusCode = status;
        context.Response.Headers.ETag = key == "GET /config" ? "\"7\"" : default(string);
        await context.Response.WriteAsync(body.Replace("URL", Url));
    }
}
