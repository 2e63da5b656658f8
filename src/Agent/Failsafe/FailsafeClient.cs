using System.Collections.Immutable;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Failsafe;

/// <summary>Sends the questions of failsafe mode to the other nodes' REST APIs: <c>POST /failsafe</c> as Patroni sends it, with our epoch under <c>raft</c>.</summary>
public sealed partial class FailsafeClient(ConfigurationStore configuration, string? nodeToken, ILogger logger) : IDisposable
{
    private const string StatusPath = "/patroni";
    private (CtlSettings Settings, HttpClient Http)? client;

    /// <summary>Asks everybody at once; true when every member said yes.</summary>
    /// <param name="round">Whom and what.</param>
    /// <param name="connectUrl">Where this primary's PostgreSQL is reached.</param>
    /// <param name="slots">Positions of its replication slots, and its own.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<bool> AskAsync(FailsafeRound round, string connectUrl, IReadOnlyList<SlotPosition> slots, CancellationToken cancellation)
    {
        NodeConfiguration node = configuration.Current;
        if (Client(node.Ctl) is not { } http) return round.Members.IsEmpty;
        byte[] body = Body(round.Question, connectUrl, $"{node.RestApi.Url}{StatusPath}", slots);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(TimeSpan.FromMilliseconds(round.TimeoutMs));
        Task<bool> AskOne((NodeName Name, string ApiUrl) member) => AskAsync(http, member.Name, member.ApiUrl, body, limit.Token);
        // The others' answers decide nothing, and a dead one must not cost time.
        Task<bool[]> others = Task.WhenAll(round.Others.Select(AskOne));
        bool[] answers = await Task.WhenAll(round.Members.Select(AskOne)).ConfigureAwait(false);
        bool all = answers.All(static yes => yes);
        await Task.WhenAny(others, Task.Delay(TimeSpan.FromMilliseconds(all ? 200 : 0), CancellationToken.None)).ConfigureAwait(false);
        return all;
    }

    /// <inheritdoc/>
    public void Dispose() => client?.Http.Dispose();

    private async Task<bool> AskAsync(HttpClient http, NodeName name, string url, byte[] body, CancellationToken cancellation)
    {
        try
        {
            string root = url.EndsWith(StatusPath, StringComparison.Ordinal) ? url[..^StatusPath.Length] : url.TrimEnd('/');
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{root}/failsafe") { Content = new ByteArrayContent(body) };
            request.Content.Headers.ContentType = new("application/json");
            if (nodeToken is not null) request.Headers.Authorization = new("Bearer", nodeToken);
            else if (configuration.Current.Ctl.Authentication is { } user)
                request.Headers.Authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user.Username}:{user.Password}")));
            using HttpResponseMessage answer = await http.SendAsync(request, cancellation).ConfigureAwait(false);
            string text = await answer.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false);
            bool accepted = answer.IsSuccessStatusCode && text == FailsafePromises.Accepted;
            if (!accepted) LogRefused(name, (int)answer.StatusCode, text);
            return accepted;
        }
        catch (Exception error) when (error is HttpRequestException or SocketException or OperationCanceledException or UriFormatException or InvalidOperationException)
        {
            LogSilent(name, error is OperationCanceledException ? "no answer in time" : error.Message);
            return false;
        }
    }

    private HttpClient? Client(CtlSettings ctl)
    {
        if (client is { } known && known.Settings == ctl) return known.Http;
        try
        {
            var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, SslOptions = NodeRequestTls.Of(ctl, ctl.Insecure) };
            client?.Http.Dispose();
            client = (ctl, new(handler) { Timeout = Timeout.InfiniteTimeSpan });
            return client.Value.Http;
        }
        catch (IOException error)
        {
            LogCertificate(error.Message);
            return null;
        }
    }

    private static byte[] Body(FailsafeQuestion question, string connectUrl, string apiUrl, IReadOnlyList<SlotPosition> slots)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("name", question.Name.Value);
            json.WriteString("conn_url", connectUrl);
            json.WriteString("api_url", apiUrl);
            json.WriteStartObject("slots");
            foreach (SlotPosition slot in slots) json.WriteNumber(slot.Name, slot.Position.Value);
            json.WriteEndObject();
            json.WriteStartObject("raft");
            json.WriteString("epoch", question.Epoch.ToString());
            json.WriteNumber("ttl_ms", question.TtlMs);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return buffer.ToArray();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Failsafe mode: {Member} answered {Status}: {Text}")]
    private partial void LogRefused(NodeName member, int status, string text);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Failsafe mode: {Member} did not answer: {Reason}")]
    private partial void LogSilent(NodeName member, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Failsafe mode: {Reason}")]
    private partial void LogCertificate(string reason);
}
