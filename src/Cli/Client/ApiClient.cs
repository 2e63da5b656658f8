using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
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
/// Speaks to the nodes' REST APIs. Any node will do: a request goes to the next node when one cannot be reached. A request that
/// changes something is never sent twice once a connection stood, because its outcome is then unknown.
/// </summary>
public sealed class ApiClient : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(5);

    // A switchover or restart answers when it is done.
    private static readonly TimeSpan ChangeTimeout = TimeSpan.FromMinutes(10);

    private readonly HttpClient _http;
    private readonly BasicCredentials? _credentials;
    private readonly List<Uri> _nodes;

    /// <summary>A client for these nodes.</summary>
    /// <exception cref="CliException">A certificate file cannot be read.</exception>
    public ApiClient(IEnumerable<Uri> nodes, CtlSettings ctl, bool insecure)
    {
        _nodes = [.. nodes];
        _credentials = ctl.Authentication;
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = ConnectTimeout,
            AllowAutoRedirect = false,
            UseProxy = false, // Nodes are neighbours; a proxy for the internet does not know them.
            SslOptions = Tls(ctl, insecure || ctl.Insecure),
        };
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>Reads from the first node that answers.</summary>
    /// <exception cref="CliException">No node can be reached.</exception>
    public Task<ApiAnswer> GetAsync(string path, CancellationToken stop) => FirstAsync(_nodes, HttpMethod.Get, path, null, ReadTimeout, stop);

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

    /// <summary>Sends a change to <paramref name="preferred"/>, else to the next node that can be reached.</summary>
    /// <exception cref="CliException">No node can be reached, or the outcome is unknown.</exception>
    public Task<ApiAnswer> ChangeAsync(Uri? preferred, HttpMethod method, string path, SettingValue? body, CancellationToken stop, string? ifMatch = null) =>
        FirstAsync(preferred is null ? _nodes : _nodes.Where(n => n != preferred).Prepend(preferred), method, path, body, ChangeTimeout, stop, ifMatch);

    /// <summary>Sends a change to this node only.</summary>
    /// <exception cref="CliException">It cannot be reached, or the outcome is unknown.</exception>
    public Task<ApiAnswer> ChangeOnlyAsync(Uri node, HttpMethod method, string path, SettingValue? body, CancellationToken stop) =>
        FirstAsync([node], method, path, body, ChangeTimeout, stop);

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
        request.Headers.Authorization = Authorization;
        try
        {
            var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token).ConfigureAwait(false);
            return answer.IsSuccessStatusCode ? answer : throw Refused(answer, path);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new TimeoutException();
        }
    }

    /// <summary>Adds nodes learnt from the cluster, to be tried after the known ones.</summary>
    public void Learn(IEnumerable<Uri> nodes) => _nodes.AddRange(nodes.Where(n => !_nodes.Contains(n)).Distinct().ToList());

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<ApiAnswer> FirstAsync(IEnumerable<Uri> nodes, HttpMethod method, string path, SettingValue? body, TimeSpan timeout, CancellationToken stop, string? ifMatch = null)
    {
        var failures = new List<string>();
        foreach (var node in nodes.ToList())
        {
            try
            {
                return await SendAsync(node, method, path, body, timeout, stop, ifMatch).ConfigureAwait(false);
            }
            catch (HttpRequestException e) when (method == HttpMethod.Get || e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError)
            {
                failures.Add($"{Name(node)} ({Reason(e)})");
            }
            catch (TimeoutException) when (method == HttpMethod.Get)
            {
                failures.Add($"{Name(node)} (no answer within {timeout.TotalSeconds:0} s)");
            }
            catch (Exception e) when (e is HttpRequestException or TimeoutException)
            {
                throw new CliException($"{Name(node)} took the request and did not answer; its outcome is unknown - look at 'list' before trying again");
            }
        }

        throw new CliException(failures.Count == 0
            ? "no node is known: give a configuration file with -c, or addresses with -d http://host:8008"
            : "no node can be reached: " + string.Join(", ", failures));
    }

    private async Task<ApiAnswer> SendAsync(Uri node, HttpMethod method, string path, SettingValue? body, TimeSpan timeout, CancellationToken stop, string? ifMatch = null)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(timeout);
        using var request = new HttpRequestMessage(method, new Uri(node, path));
        if (body is not null)
        {
            request.Content = new StringContent(SettingJson.Write(body), Encoding.UTF8, "application/json");
        }

        request.Headers.Authorization = Authorization;
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
    }

    private AuthenticationHeaderValue? Authorization =>
        _credentials is { } c ? new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{c.Username}:{c.Password}"))) : null;

    private static HttpRequestException Refused(HttpResponseMessage answer, string path)
    {
        using (answer) return new HttpRequestException($"GET {path} was answered {(int)answer.StatusCode}");
    }

    private static string Name(Uri node) => node.GetLeftPart(UriPartial.Authority);

    private static string Reason(HttpRequestException e) => e.InnerException switch
    {
        System.Security.Authentication.AuthenticationException tls => "TLS: " + (tls.InnerException ?? tls).Message,
        { } inner => inner.Message,
        null => e.Message,
    };

    private static SslClientAuthenticationOptions Tls(CtlSettings ctl, bool insecure)
    {
        var options = new SslClientAuthenticationOptions();
        try
        {
            if (ctl.CertFile is { } certificate)
            {
                var read = ctl.KeyFilePassword is { } password
                    ? X509Certificate2.CreateFromEncryptedPemFile(certificate, password, ctl.KeyFile ?? certificate)
                    : X509Certificate2.CreateFromPemFile(certificate, ctl.KeyFile ?? certificate);
                options.ClientCertificates = [read];
            }

            if (insecure)
            {
                options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
            }
            else if (ctl.CaCert is { } file)
            {
                var roots = new X509Certificate2Collection();
                roots.ImportFromPemFile(file);
                options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
                options.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new CliException($"a certificate of the ctl section cannot be read: {e.Message}");
        }

        return options;
    }
}
