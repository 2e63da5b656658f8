using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>An answer as it came over the wire.</summary>
internal sealed record RawAnswer(string StatusLine, IReadOnlyList<KeyValuePair<string, string>> Headers, string Body)
{
    public int Status => int.Parse(StatusLine.Split(' ')[1], CultureInfo.InvariantCulture);

    public string? this[string header] => Headers.FirstOrDefault(line => line.Key.Equals(header, StringComparison.OrdinalIgnoreCase)).Value;

    public override string ToString() => $"{StatusLine}\n{string.Join('\n', Headers.Select(header => $"{header.Key}: {header.Value}"))}\n\n{Body}";
}

/// <summary>
/// A connection that sends bytes exactly as told: what HAProxy and scripts send, and what no well-behaved client library would.
/// </summary>
internal sealed class RawHttp : IDisposable
{
    private readonly Stream stream;
    private readonly byte[] buffer = new byte[16 * 1024];
    private int start, end;

    private RawHttp(Stream stream) => this.stream = stream;

    public static async Task<RawHttp> ConnectAsync(int port)
    {
        var client = new TcpClient { NoDelay = true };
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port);
            return new(client.GetStream());
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>One request on a connection of its own.</summary>
    public static async Task<RawAnswer> SendAsync(int port, string method, string path, string? body = null)
    {
        using RawHttp connection = await ConnectAsync(port);
        return await connection.SendAsync(method, path, body is null ? null : Encoding.UTF8.GetBytes(body));
    }

    public async Task<RawAnswer> SendAsync(string method, string path, byte[]? body = null, string headers = "", int seconds = 60)
    {
        string length = body is null ? "" : $"Content-Length: {body.Length}\r\n";
        await WriteAsync([.. Encoding.UTF8.GetBytes($"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n"), .. body ?? []]);
        return await ReadAnswerAsync(method, seconds);
    }

    public async Task WriteAsync(byte[] bytes) => await stream.WriteAsync(bytes);

    /// <summary>Reads one answer. HEAD has no body whatever its Content-Length says.</summary>
    /// <exception cref="EndOfStreamException">The server closed the connection first.</exception>
    public async Task<RawAnswer> ReadAnswerAsync(string method, int seconds = 60)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        string statusLine = await ReadLineAsync(limit.Token);
        var headers = new List<KeyValuePair<string, string>>();
        for (string line = await ReadLineAsync(limit.Token); line.Length > 0; line = await ReadLineAsync(limit.Token))
        {
            int colon = line.IndexOf(':');
            headers.Add(new(line[..colon], line[(colon + 1)..].Trim()));
        }
        var head = new RawAnswer(statusLine, headers, "");
        if (method == "HEAD") return head;
        byte[] body = head["Content-Length"] is { } length ? await ReadBytesAsync(int.Parse(length), limit.Token)
            : head["Transfer-Encoding"] is null ? await ReadToEndAsync(limit.Token)
            : throw new InvalidDataException($"chunks, although lengths are always known:\n{head}");
        return head with { Body = Encoding.UTF8.GetString(body) };
    }

    /// <summary>One line without its end.</summary>
    public async Task<string> ReadLineAsync(CancellationToken cancellation)
    {
        var line = new List<byte>();
        while (true)
        {
            byte next = await NextAsync(cancellation);
            if (next == (byte)'\n') return Encoding.UTF8.GetString([.. line]).TrimEnd('\r');
            line.Add(next);
        }
    }

    /// <summary>Whether the server closes the connection in time, whatever it sends before.</summary>
    public async Task<bool> IsClosedWithinAsync(TimeSpan time)
    {
        using var limit = new CancellationTokenSource(time);
        try
        {
            while (await stream.ReadAsync(buffer, limit.Token) > 0)
            {
                // Its last words.
            }
            return true;
        }
        catch (IOException)
        {
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    public void Dispose() => stream.Dispose();

    private async Task<byte[]> ReadBytesAsync(int count, CancellationToken cancellation)
    {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++) bytes[i] = await NextAsync(cancellation);
        return bytes;
    }

    private async Task<byte[]> ReadToEndAsync(CancellationToken cancellation)
    {
        var bytes = new List<byte>();
        try
        {
            while (true) bytes.Add(await NextAsync(cancellation));
        }
        catch (EndOfStreamException)
        {
            return [.. bytes];
        }
    }

    private async ValueTask<byte> NextAsync(CancellationToken cancellation)
    {
        if (start == end)
        {
            end = await stream.ReadAsync(buffer, cancellation);
            start = 0;
            if (end == 0) throw new EndOfStreamException("the server closed the connection");
        }
        return buffer[start++];
    }
}
