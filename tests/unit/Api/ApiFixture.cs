using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Patroni.Raft.Api;

namespace Patroni.Raft.UnitTests.Api;

/// <summary>The real API over a real socket, in front of an in-memory node.</summary>
internal sealed class ApiFixture : IAsyncDisposable
{
    private ApiFixture(InMemoryNode node, ApiHost host, HttpClient client) => (Node, Host, Client) = (node, host, client);

    public InMemoryNode Node { get; }

    public ApiHost Host { get; }

    public HttpClient Client { get; }

    public static ApiOptions Options { get; } = new() { Host = "127.0.0.1", Port = 0, LogTimeout = TimeSpan.FromSeconds(5) };

    public static async Task<ApiFixture> StartAsync(InMemoryNode? node = null, ApiOptions? options = null)
    {
        node ??= RecordedCluster.Node();
        ApiHost host = await ApiHost.StartAsync(node, options ?? Options, NullLoggerFactory.Instance);
        var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new($"http://127.0.0.1:{host.Port}"), Timeout = TimeSpan.FromSeconds(30) };
        return new(node, host, client);
    }

    public async Task<(int Status, string Text)> SendAsync(string method, string path, string? body = null, params (string Name, string Value)[] headers)
    {
        (int status, string text, _) = await SendForHeadersAsync(method, path, body, headers);
        return (status, text);
    }

    public async Task<(int Status, string Text, HttpResponseMessage Response)> SendForHeadersAsync(
        string method, string path, string? body = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new(method), path);
        if (body is not null) request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        foreach ((string name, string value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        HttpResponseMessage response = await Client.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response);
    }

    /// <summary>Sends bytes as they are and returns everything the server sends until it closes.</summary>
    public async Task<string> SendRawAsync(string request)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, Host.Port);
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request));
        using var reader = new StreamReader(socket.GetStream(), Encoding.ASCII);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        return await reader.ReadToEndAsync(limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Host.DisposeAsync();
    }
}
