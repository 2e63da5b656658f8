using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Client;

/// <summary>An answer of the API.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Body">Text of the body.</param>
/// <param name="ETag">Version of what was read; <c>null</c> when there is none.</param>
public sealed record ApiAnswer(int Status, string Body, string? ETag = null)
{
    /// <summary>2xx.</summary>
    public bool IsSuccess => Status is >= 200 and < 300;

    /// <summary>The body as JSON; <c>null</c> when it is none.</summary>
    public SettingValue? Json
    {
        get
        {
            try
            {
                using var document = JsonDocument.Parse(Body);
                return SettingJson.Convert(document.RootElement);
            }
            catch (JsonException)
            {
                return null;
            }
        }
    }
}

/// <summary>
/// Speaks to the nodes' REST APIs. Any node will do: reads are answered by the first that can, and a dead or hung one costs a fraction
/// of a second. A request that changes something goes to a node that was seen to answer, and is never sent twice once a connection
/// stood, because its outcome is then unknown.
/// </summary>
public sealed class ApiClient : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(5);

    // A node in good health answers within milliseconds; the next one need not wait for the timeout of this one.
    private static readonly TimeSpan NextStarts = TimeSpan.FromMilliseconds(250);

    // A switchover or restart answers when it is done.
    private static readonly TimeSpan ChangeTimeout = TimeSpan.FromMinutes(10);

    private readonly HttpClient _http;
    private readonly AuthenticationHeaderValue? _credentials;
    private readonly List<Uri> _nodes;
    private readonly string _origin;

    /// <summary>Proof of the cluster's secret, for requests below <c>/raft/</c>; used when there are no credentials.</summary>
    public Lazy<string?>? NodeToken { get; init; }

    /// <summary>A client for these nodes.</summary>
    /// <param name="nodes">Base addresses, most likely first.</param>
    /// <param name="ctl">Credentials and certificates.</param>
    /// <param name="insecure">Whether certificates of nodes are not verified.</param>
    /// <param name="origin">Where the addresses come from, for the sentence that says that none of them answers.</param>
    /// <exception cref="CliException">A certificate file cannot be read.</exception>
    public ApiClient(IEnumerable<Uri> nodes, CtlSettings ctl, bool insecure, string origin)
    {
        _nodes = [.. nodes];
        _origin = origin;
        _credentials = ctl.Authentication is { } c ? new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{c.Username}:{c.Password}"))) : null;
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectTimeout = ConnectTimeout,
            AllowAutoRedirect = false,
            UseProxy = false, // Nodes are neighbours; a proxy for the internet does not know them.
            SslOptions = ClientTls.Of(ctl, insecure || ctl.Insecure),
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>Reads from the first node that answers; that one is asked first from now on.</summary>
    /// <exception cref="CliException">No node can be reached.</exception>
    public async Task<ApiAnswer> GetAsync(string path, CancellationToken stop)
    {
        using var decided = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var asked = new List<(Uri Node, Task<ApiAnswer> Answer)>();
        var failures = new SortedDictionary<int, string>();
        try
        {
            while (true)
            {
                if (asked.Count < _nodes.Count)
                {
                    var node = _nodes[asked.Count];
                    asked.Add((node, SendAsync(node, HttpMethod.Get, path, null, ReadTimeout, decided.Token)));
                }

                var open = asked.Where((_, i) => !failures.ContainsKey(i)).ToList();
                if (open.Count == 0)
                {
                    throw NoNode(failures.Values);
                }

                var patience = asked.Count < _nodes.Count ? Task.Delay(NextStarts, decided.Token) : Task.Delay(Timeout.Infinite, decided.Token);
                var first = await Task.WhenAny(open.Select(o => o.Answer).Append(patience)).ConfigureAwait(false);
                stop.ThrowIfCancellationRequested();
                var index = asked.FindIndex(a => a.Answer == first);
                if (index >= 0 && first.IsCompletedSuccessfully)
                {
                    Prefer(asked[index].Node);
                    return await asked[index].Answer.ConfigureAwait(false);
                }

                if (index >= 0)
                {
                    failures[index] = $"{Name(asked[index].Node)} ({Reason(first.Exception!.InnerException!, ReadTimeout)})";
                }
            }
        }
        finally
        {
            await decided.CancelAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Reads from one node; <c>null</c> when it cannot be reached.</summary>
    public async Task<ApiAnswer?> TryGetAsync(Uri node, string path, CancellationToken stop)
    {
        try
        {
            return await SendAsync(node, HttpMethod.Get, path, null, ReadTimeout, stop).ConfigureAwait(false);
        }
        catch (Exception e) when (e is HttpRequestException or TimeoutException)
        {
            return null;
        }
    }

    /// <summary>Asks all nodes at once and turns to the first in their order whose answer suits; false when none does.</summary>
    public async Task<bool> PreferAsync(string path, Func<ApiAnswer, bool> suits, CancellationToken stop)
    {
        var nodes = _nodes.ToList();
        var answers = await Task.WhenAll(nodes.Select(n => TryGetAsync(n, path, stop))).ConfigureAwait(false);
        var index = Array.FindIndex(answers, a => a is not null && suits(a));
        if (index >= 0)
        {
            Prefer(nodes[index]);
        }

        return index >= 0;
    }

    /// <summary>Sends a change to <paramref name="preferred"/>, else to the next node that answers.</summary>
    /// <exception cref="CliException">No node can be reached, or the outcome is unknown.</exception>
    public async Task<ApiAnswer> ChangeAsync(Uri? preferred, HttpMethod method, string path, SettingValue? body, CancellationToken stop, string? ifMatch = null)
    {
        var failures = new List<string>();
        foreach (var node in preferred is null ? _nodes.ToList() : [preferred, .. _nodes.Where(n => n != preferred)])
        {
            try
            {
                return await ChangeAtAsync(node, method, path, body, ifMatch, stop).ConfigureAwait(false);
            }
            catch (UnreachableException e)
            {
                failures.Add($"{Name(node)} ({e.Message})");
            }
        }

        throw NoNode(failures);
    }

    /// <summary>Sends a change to this node only.</summary>
    /// <exception cref="CliException">It cannot be reached, or the outcome is unknown.</exception>
    public async Task<ApiAnswer> ChangeOnlyAsync(Uri node, HttpMethod method, string path, SettingValue? body, CancellationToken stop)
    {
        try
        {
            return await ChangeAtAsync(node, method, path, body, null, stop).ConfigureAwait(false);
        }
        catch (UnreachableException e)
        {
            throw new CliException($"{Name(node)} cannot be reached ({e.Message})");
        }
    }

    /// <summary>The nodes known so far, in the order in which they are tried.</summary>
    public IReadOnlyList<Uri> Nodes => [.. _nodes];

    /// <summary>Opens a stream of server-sent events of one node; the caller disposes the answer.</summary>
    /// <exception cref="HttpRequestException">The node cannot be reached or refuses.</exception>
    /// <exception cref="TimeoutException">No answer in time.</exception>
    public async Task<HttpResponseMessage> OpenStreamAsync(Uri node, string path, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(ReadTimeout);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(node, path));
        request.Headers.Accept.ParseAdd("text/event-stream");
        request.Headers.Authorization = _credentials;
        try
        {
            var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token).ConfigureAwait(false);
            return answer.IsSuccessStatusCode ? answer : throw Refused(answer, path);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new TimeoutException();
        }
        catch (SocketException e)
        {
            throw ResetAtOnce(e);
        }
    }

    /// <summary>Adds nodes learnt from the cluster, to be tried after the known ones.</summary>
    public void Learn(IEnumerable<Uri> nodes) => _nodes.AddRange(nodes.Where(n => !_nodes.Contains(n)).Distinct().ToList());

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    // A hung node still takes connections and even requests. It is asked something harmless first, so that its silence is no unknown outcome.
    private async Task<ApiAnswer> ChangeAtAsync(Uri node, HttpMethod method, string path, SettingValue? body, string? ifMatch, CancellationToken stop)
    {
        try
        {
            await SendAsync(node, HttpMethod.Head, "/liveness", null, ReadTimeout, stop).ConfigureAwait(false);
        }
        catch (Exception e) when (e is HttpRequestException or TimeoutException)
        {
            throw new UnreachableException(Reason(e, ReadTimeout));
        }

        try
        {
            return await SendAsync(node, method, path, body, ChangeTimeout, stop, ifMatch).ConfigureAwait(false);
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError)
        {
            throw new UnreachableException(Reason(e, ChangeTimeout));
        }
        catch (Exception e) when (e is HttpRequestException or TimeoutException)
        {
            throw new CliException($"{Name(node)} took the request and did not answer; its outcome is unknown - look at 'list' before trying again");
        }
    }

    private async Task<ApiAnswer> SendAsync(Uri node, HttpMethod method, string path, SettingValue? body, TimeSpan timeout, CancellationToken stop, string? ifMatch = null)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(timeout);
        using var request = new HttpRequestMessage(method, new Uri(node, path));
        request.Content = body is null ? null : new StringContent(SettingJson.Write(body), Encoding.UTF8, "application/json");
        request.Headers.Authorization = _credentials ?? TokenFor(path);
        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        try
        {
            using var answer = await _http.SendAsync(request, limit.Token).ConfigureAwait(false);
            return new((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(limit.Token).ConfigureAwait(false), answer.Headers.ETag?.ToString());
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            // SocketsHttpHandler reports its own connect timeout as a cancellation too.
            throw new TimeoutException();
        }
        catch (SocketException e)
        {
            throw ResetAtOnce(e);
        }
    }

    // A node that dies between taking a connection and its first byte: SocketsHttpHandler asks for the peer's address then, and lets the socket's own error through.
    private static HttpRequestException ResetAtOnce(SocketException e) => new(HttpRequestError.ConnectionError, e.Message, e);

    private AuthenticationHeaderValue? TokenFor(string path) =>
        path.StartsWith("/raft/", StringComparison.Ordinal) && NodeToken?.Value is { } token ? new("Bearer", token) : null;

    private static HttpRequestException Refused(HttpResponseMessage answer, string path)
    {
        using (answer) return new HttpRequestException($"GET {path} was answered {(int)answer.StatusCode}");
    }

    private void Prefer(Uri node)
    {
        _nodes.Remove(node);
        _nodes.Insert(0, node);
    }

    private CliException NoNode(IReadOnlyCollection<string> failures) => new(failures.Count == 0
        ? $"no node is known: {_origin}"
        : $"no node can be reached: {string.Join(", ", failures)}{(_origin.Length == 0 ? "" : $"; addresses from {_origin}")}");

    private static string Name(Uri node) => node.GetLeftPart(UriPartial.Authority);

    private static string Reason(Exception e, TimeSpan timeout) => (e, e.InnerException) switch
    {
        (TimeoutException, _) => $"no answer within {timeout.TotalSeconds:0} s",
        (_, System.Security.Authentication.AuthenticationException tls) => "TLS: " + (tls.InnerException ?? tls).Message,
        (_, { } inner) => inner.Message,
        _ => e.Message,
    };

    // Nothing was sent that could have changed something.
    private sealed class UnreachableException(string message) : Exception(message);
}
