using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Endpoints;
using Patroni.Raft.Api.Hosting;

namespace Patroni.Raft.Api;

/// <summary>
/// The REST API of one agent: Kestrel with HTTP/1.0, 1.1 and, over TLS, 2. Reads no configuration of its own (no environment
/// variables, no appsettings.json) and handles no signals: both belong to the program.
/// </summary>
public sealed class ApiHost : IAsyncDisposable
{
    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(2);

    private readonly WebApplication app;
    private readonly ApiContext api;

    private ApiHost(WebApplication app, ApiContext api)
    {
        this.app = app;
        this.api = api;
        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        Port = BindingAddress.Parse(address).Port;
    }

    /// <summary>Every path with its methods, for the test that keeps the description of the API complete.</summary>
    internal IEnumerable<(string Path, IReadOnlyList<string> Methods)> Routes => app.Services.GetRequiredService<EndpointDataSource>().Endpoints
        .OfType<RouteEndpoint>().Select(static route => (route.RoutePattern.RawText!, route.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods));

    /// <summary>The port it listens on, also when 0 was asked for.</summary>
    public int Port { get; }

    /// <summary>Starts to listen with options that never change.</summary>
    /// <param name="node">Whom it speaks for.</param>
    /// <param name="options">The <c>restapi</c> section.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <param name="cancellation">Gives the start up.</param>
    /// <exception cref="ApiStartException">It cannot; the message names the key.</exception>
    public static Task<ApiHost> StartAsync(INode node, ApiOptions options, ILoggerFactory loggers, CancellationToken cancellation = default) =>
        StartAsync(node, () => options, loggers, cancellation);

    /// <summary>Starts to listen.</summary>
    /// <param name="node">Whom it speaks for.</param>
    /// <param name="section">The <c>restapi</c> section as the configuration has it now; asked again at every reload.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <param name="cancellation">Gives the start up.</param>
    /// <exception cref="ApiStartException">It cannot; the message names the key.</exception>
    public static async Task<ApiHost> StartAsync(INode node, Func<ApiOptions> section, ILoggerFactory loggers, CancellationToken cancellation = default)
    {
        ApiOptions options = section();
        IPAddress[] addresses = await ResolveAsync(options.Host, cancellation);
        Certificates? certificates = options.Tls is { } tls ? new(tls) : null;
        var api = new ApiContext(node, options);
        node.Committed += api.RaftMetrics.Committed;
        var access = new AccessControl(api);
        var guard = new RequestGuard(loggers.CreateLogger("Patroni.Raft.Api"));
        guard.Use(SectionReload.Headers(options, node));
        WebApplication app = Build(options, addresses, certificates, loggers);
        api.Stopping = app.Lifetime.ApplicationStopping;
        api.ReloadSection = new SectionReload(api, section, access, guard, certificates).Run;
        app.Use(guard.Middleware);
        Map(app, api, access);
        try
        {
            await app.StartAsync(cancellation);
            return new(app, api);
        }
        catch (Exception error)
        {
            node.Committed -= api.RaftMetrics.Committed;
            await app.DisposeAsync();
            if (Explain(options, error) is { } refusal) throw refusal;
            throw;
        }
    }

    /// <summary>
    /// Takes the section again, and certificate, key and CA files; open connections stay. When something in it cannot be used nothing changes;
    /// what only a restart of the agent can change is left out.
    /// </summary>
    /// <returns>Null, or the sentence that says what is wrong.</returns>
    public string? Reload() => api.ReloadSection();

    /// <summary>Stops to listen, lets running requests end for two seconds, then cuts them.</summary>
    public async Task StopAsync()
    {
        using var limit = new CancellationTokenSource(ShutdownTimeout);
        await app.StopAsync(limit.Token);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        api.Node.Committed -= api.RaftMetrics.Committed;
        await app.DisposeAsync();
    }

    private static void Map(WebApplication app, ApiContext api, AccessControl access)
    {
        app.MapHealthChecks(api);
        app.MapStatus(api);
        app.MapCluster(api);
        app.MapState(api);
        app.MapMetrics(api);
        app.MapFailsafe(api, access);
        app.MapConfig(api, access);
        app.MapFailover(api, access);
        app.MapOperations(api, access);
        app.MapEvents(api);
        app.MapRaft(api, access);
        app.MapRemoval(api, access);
        app.MapOpenApi();
    }

    private static WebApplication Build(ApiOptions options, IPAddress[] addresses, Certificates? certificates, ILoggerFactory loggers)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new()
        {
            ApplicationName = "patroni-raft",
            EnvironmentName = Environments.Production,
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<ILoggerFactory>(new QuietLoggers(loggers));
        builder.Services.AddSingleton<IHostLifetime, NoSignals>();
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = ShutdownTimeout);
        builder.WebHost.UseKestrelCore();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            SetLimits(kestrel);
            foreach (IPAddress address in addresses) kestrel.Listen(address, options.Port, listen => Protect(listen, certificates));
        });
        return builder.Build();
    }

    /// <summary>A client that is slow, greedy or many must not take the API from the others.</summary>
    private static void SetLimits(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.AllowResponseHeaderCompression = false;
        KestrelServerLimits limits = kestrel.Limits;
        // Handlers take far less and say so in words; up to here the rest is read away, so that the connection stays usable.
        limits.MaxRequestBodySize = 16 * 1024 * 1024;
        limits.MaxRequestHeadersTotalSize = 16 * 1024;
        limits.MaxRequestHeaderCount = 64;
        limits.MaxRequestLineSize = 8 * 1024;
        limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        limits.KeepAliveTimeout = TimeSpan.FromSeconds(120);
        limits.MinRequestBodyDataRate = new(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(5));
        limits.MinResponseDataRate = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
        limits.MaxConcurrentConnections = 2000;
        limits.MaxConcurrentUpgradedConnections = 0;
        limits.Http2.MaxStreamsPerConnection = 100;
    }

    private static void Protect(ListenOptions listen, Certificates? certificates)
    {
        if (certificates is null)
        {
            listen.Protocols = HttpProtocols.Http1;
            return;
        }
        listen.Protocols = HttpProtocols.Http1AndHttp2;
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = TimeSpan.FromSeconds(10),
            OnConnection = _ => ValueTask.FromResult(certificates.ForConnection()),
        });
    }

    private static async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellation)
    {
        if (host is "*" or "") return [Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any];
        if (IPAddress.TryParse(host, out IPAddress? address)) return [address];
        try
        {
            IPAddress[] found = await Dns.GetHostAddressesAsync(host, cancellation);
            // One address of each family is what a name such as localhost means; with port 0 only one, or the ports would differ.
            if (found.Length > 0) return [found.FirstOrDefault(static a => a.AddressFamily == AddressFamily.InterNetwork) ?? found[0]];
        }
        catch (SocketException)
        {
            // Falls through to the sentence below.
        }
        throw new ApiStartException(ApiStartFailure.AddressUnusable, $"restapi.listen: the host name '{host}' has no address.");
    }

    private static ApiStartException? Explain(ApiOptions options, Exception error)
    {
        string address = options.Host.Contains(':') ? $"[{options.Host}]:{options.Port}" : $"{options.Host}:{options.Port}";
        for (Exception? cause = error; cause is not null; cause = cause.InnerException)
        {
            if (cause is AddressInUseException or SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse })
                return new(ApiStartFailure.AddressInUse, $"restapi.listen: {address} is used by another process.", error);
            if (cause is SocketException { SocketErrorCode: SocketError.AccessDenied })
                return new(ApiStartFailure.AddressUnusable, $"restapi.listen: this user may not listen on {address}.", error);
            if (cause is SocketException socket)
                return new(ApiStartFailure.AddressUnusable, $"restapi.listen: {address} cannot be used: {socket.Message}.", error);
        }
        return null;
    }

    /// <summary>Signals belong to the program: it gives leadership away first and stops the API last.</summary>
    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
