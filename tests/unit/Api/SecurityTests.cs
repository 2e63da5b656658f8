using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Patroni.Raft.Api;
using Patroni.Raft.Api.Hosting;
using Patroni.Raft.StateMachine;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Agent.Failsafe;
using Patroni.Raft.UnitTests.Configuration;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

public sealed class SecurityTests : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("api-tls-");

    public void Dispose() => directory.Delete(true);

    private static readonly (string Method, string Path)[] Unsafe =
    [
        ("PATCH", "/config"), ("PUT", "/config"), ("POST", "/switchover"), ("POST", "/failover"), ("DELETE", "/switchover"), ("POST", "/restart"),
        ("POST", "/reload"), ("POST", "/reinitialize"), ("POST", "/raft/members"), ("DELETE", "/raft/members/node2"), ("POST", "/raft/transfer"), ("DELETE", "/cluster"), ("POST", "/raft/expire"), ("POST", "/failsafe"),
    ];

    [Fact]
    public async Task Unsafe_methods_need_the_configured_user_and_nothing_else_does()
    {
        await using ApiFixture api = await ApiFixture.StartAsync(options: ApiFixture.Options with { Authentication = new("admin", "secret: ü") });
        foreach ((string method, string path) in Unsafe)
        {
            (int status, string text, HttpResponseMessage response) = await api.SendForHeadersAsync(method, path, "{}");
            Assert.Equal((401, "no auth header received"), (status, text));
            Assert.Equal("Basic realm=\"Patroni\"", response.Headers.WwwAuthenticate.ToString());
            foreach (string wrong in (string[])["Basic " + Base64("admin:wrong"), "Basic", "Bearer x", Base64("admin:secret: ü")])
                Assert.Equal((401, "not authenticated"), await api.SendAsync(method, path, "{}", ("Authorization", wrong)));
        }
        Assert.Empty(api.Node.Operations);
        Assert.Equal(200, (await api.SendAsync("PATCH", "/config", """{"loop_wait":2}""", ("Authorization", "Basic " + Base64("admin:secret: ü")))).Status);
        foreach (string path in (string[])["/primary", "/patroni", "/cluster", "/config", "/history", "/metrics", "/state", "/events"])
            Assert.Equal(200, (await api.SendAsync("GET", path)).Status);
    }

    [Fact]
    public async Task A_joining_node_proves_itself_with_the_clusters_token()
    {
        await using ApiFixture api = await ApiFixture.StartAsync(options: ApiFixture.Options with { Authentication = new("admin", "secret"), HasClusterSecret = true });
        Assert.Equal(401, (await api.SendAsync("POST", "/raft/members", """{"address":"h:1"}""", ("Authorization", "Bearer wrong"))).Status);
        Assert.Equal(401, (await api.SendAsync("GET", "/raft/identity")).Status);
        Assert.Empty(api.Node.Operations);
        Assert.Equal(200, (await api.SendAsync("POST", "/raft/members", """{"address":"h:1"}""", ("Authorization", "Bearer node-token"))).Status);
        Assert.Equal(["add h:1"], api.Node.Operations);
        Assert.Equal(200, (await api.SendAsync("GET", "/raft/identity", null, ("Authorization", "Bearer node-token"))).Status);
        // The token is for the Raft group, not for operating PostgreSQL.
        Assert.Equal(401, (await api.SendAsync("POST", "/restart", "{}", ("Authorization", "Bearer node-token"))).Status);
    }

    [Fact]
    public async Task The_Raft_group_needs_the_secret_where_there_is_one_and_operators_prove_nothing()
    {
        (string Method, string Path, string? Body)[] changes = [("GET", "/raft/members", null), ("POST", "/raft/members", """{"address":"h:1"}"""), ("DELETE", "/raft/members/node2", null), ("POST", "/raft/transfer", """{"to":"node2"}""")];
        await using ApiFixture api = await ApiFixture.StartAsync(options: ApiFixture.Options with { HasClusterSecret = true });
        foreach ((string method, string path, string? body) in changes)
        {
            (int status, string text) = await api.SendAsync(method, path, body);
            Assert.Equal(401, status);
            Assert.Contains("raft.password", text);
            Assert.Equal((401, "not authenticated"), await api.SendAsync(method, path, body, ("Authorization", "Bearer wrong")));
        }
        Assert.Empty(api.Node.Operations);
        foreach ((string method, string path, string? body) in changes)
            Assert.Equal(200, (await api.SendAsync(method, path, body, ("Authorization", "Bearer node-token"))).Status);
        Assert.Equal(3, api.Node.Operations.Count);
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.1.2.3/8", true)]
    [InlineData("localhost", true)]
    [InlineData("10.0.0.0/8", false)]
    [InlineData("no-such-host.invalid", false)]
    public async Task Allowlist_guards_unsafe_methods_only(string entry, bool allowed)
    {
        await using ApiFixture api = await ApiFixture.StartAsync(options: ApiFixture.Options with { Allowlist = [entry] });
        (int status, string text) = await api.SendAsync("PATCH", "/config", """{"loop_wait":2}""");
        Assert.Equal(allowed ? 200 : 403, status);
        if (!allowed) Assert.Equal("Access is denied", text);
        Assert.Equal(200, (await api.SendAsync("GET", "/primary")).Status);
    }

    [Fact]
    public async Task Members_are_allowed_when_they_are_included()
    {
        var members = new Allowlist([], includeMembers: true);
        ClusterState state = RecordedCluster.Create().State;
        Assert.True(await members.AllowsAsync(IPAddress.Parse("::ffff:127.0.0.1"), state));
        Assert.False(await members.AllowsAsync(IPAddress.Parse("127.0.0.2"), state));
        Assert.True(await new Allowlist([], includeMembers: false).AllowsAsync(IPAddress.Parse("192.0.2.1"), state));
        Assert.True(await new Allowlist(["2001:db8::/32"], false).AllowsAsync(IPAddress.Parse("2001:db8:1::1"), state));
    }

    [Fact]
    public async Task A_network_that_is_none_is_refused_at_start()
    {
        ApiStartException error = await Assert.ThrowsAsync<ApiStartException>(() => ApiFixture.StartAsync(options: ApiFixture.Options with { Allowlist = ["10.0.0.0/33"] }));
        Assert.Equal(ApiStartFailure.Configuration, error.Failure);
        Assert.Contains("10.0.0.0/33", error.Message);
    }

    [Fact]
    public async Task Extra_headers_and_server_tokens()
    {
        await using ApiFixture api = await ApiFixture.StartAsync(options: ApiFixture.Options with { ExtraHeaders = [new("X-Frame-Options", "DENY")], ServerTokens = "ProductOnly" });
        (_, _, HttpResponseMessage response) = await api.SendForHeadersAsync("GET", "/primary");
        Assert.Equal("DENY", Assert.Single(response.Headers.GetValues("X-Frame-Options")));
        Assert.Equal("Patroni", response.Headers.Server.ToString());
    }

    [Fact]
    public async Task A_reload_takes_the_whole_section_or_nothing_of_it()
    {
        ApiOptions section = ApiFixture.Options;
        await using ApiHost host = await ApiHost.StartAsync(RecordedCluster.Node(), () => section, NullLoggerFactory.Instance);
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new($"http://127.0.0.1:{host.Port}") };
        async Task<HttpResponseMessage> Patch() => await client.PatchAsync("/config", new StringContent("""{"loop_wait":2}"""));
        Assert.Equal(HttpStatusCode.OK, (await Patch()).StatusCode);

        section = section with { Authentication = new("admin", "secret"), ServerTokens = "ProductOnly", ExtraHeaders = [new("X-Test", "1")] };
        Assert.Null(host.Reload());
        using HttpResponseMessage refused = await Patch();
        Assert.Equal((HttpStatusCode.Unauthorized, "Patroni", "1"), (refused.StatusCode, refused.Headers.Server.ToString(), refused.Headers.GetValues("X-Test").Single()));

        section = section with { Authentication = null, Allowlist = ["10.0.0.0/33"] };
        Assert.Contains("10.0.0.0/33", host.Reload());
        Assert.Equal(HttpStatusCode.Unauthorized, (await Patch()).StatusCode);

        section = section with { Allowlist = [], Port = 1, Tls = null };
        Assert.Contains("restapi.listen", host.Reload());
        Assert.Equal(HttpStatusCode.OK, (await Patch()).StatusCode);
    }

    [Fact]
    public async Task Https_speaks_HTTP_2_and_1_1_and_takes_new_certificates_without_dropping_connections()
    {
        using Authority authority = new();
        ApiTls tls = WriteServer(authority, "first");
        await using ApiHost host = await ApiHost.StartAsync(RecordedCluster.Node(), ApiFixture.Options with { Tls = tls }, NullLoggerFactory.Instance);
        X509Certificate2? seen = null;
        using HttpClient client = Client(host.Port, null, certificate => seen = certificate);
        foreach (Version version in (Version[])[HttpVersion.Version11, HttpVersion.Version20])
        {
            using HttpResponseMessage response = await client.SendAsync(new(HttpMethod.Get, "/primary") { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact });
            Assert.Equal((HttpStatusCode.OK, version), (response.StatusCode, response.Version));
        }
        Assert.Equal("CN=first", seen!.Subject);

        WriteServer(authority, "second");
        Assert.Null(host.Reload());
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/primary")).StatusCode);
        Assert.Equal("CN=first", seen!.Subject);
        using HttpClient later = Client(host.Port, null, certificate => seen = certificate);
        Assert.Equal(HttpStatusCode.OK, (await later.GetAsync("/primary")).StatusCode);
        Assert.Equal("CN=second", seen!.Subject);

        File.WriteAllText(tls.CertFile, "nonsense");
        Assert.Contains(tls.CertFile, host.Reload());
        using HttpClient last = Client(host.Port, null, certificate => seen = certificate);
        Assert.Equal(HttpStatusCode.OK, (await last.GetAsync("/primary")).StatusCode);
    }

    [Theory]
    [InlineData(ClientVerification.Optional)]
    [InlineData(ClientVerification.Required)]
    public async Task Client_certificates(ClientVerification verify)
    {
        using Authority authority = new(), stranger = new();
        ApiTls tls = WriteServer(authority, "server") with { VerifyClient = verify };
        await using ApiHost host = await ApiHost.StartAsync(RecordedCluster.Node(), ApiFixture.Options with { Tls = tls }, NullLoggerFactory.Instance);

        using HttpClient known = Client(host.Port, authority.Issue("operator", isServer: false));
        Assert.Equal(HttpStatusCode.OK, (await known.GetAsync("/primary")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await known.PatchAsync("/config", new StringContent("""{"loop_wait":2}"""))).StatusCode);

        using HttpClient unknown = Client(host.Port, stranger.Issue("operator", isServer: false));
        await Assert.ThrowsAsync<HttpRequestException>(() => unknown.GetAsync("/primary"));

        using HttpClient anonymous = Client(host.Port, null);
        if (verify == ClientVerification.Required)
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => anonymous.GetAsync("/primary"));
            return;
        }
        Assert.Equal(HttpStatusCode.OK, (await anonymous.GetAsync("/primary")).StatusCode);
        HttpResponseMessage refused = await anonymous.PatchAsync("/config", new StringContent("""{"loop_wait":2}"""));
        Assert.Equal((HttpStatusCode.Forbidden, "client certificate required"), (refused.StatusCode, await refused.Content.ReadAsStringAsync()));
    }

    /// <summary>A primary without quorum asks its standbys as <c>ctl</c> says, also where the API speaks to holders of a certificate only.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Promises_of_failsafe_mode_are_asked_for_with_the_certificate_of_ctl(bool hasCertificate)
    {
        using Authority authority = new();
        ApiTls tls = WriteServer(authority, "localhost") with { VerifyClient = ClientVerification.Required };
        InMemoryNode standby = RecordedCluster.Node(1);
        Assert.True(standby.Do(new PatchConfig("""{"failsafe_mode":true}""", 0)).IsAccepted);
        await using ApiHost host = await ApiHost.StartAsync(standby, ApiFixture.Options with { Tls = tls }, NullLoggerFactory.Instance);
        using X509Certificate2 certificate = authority.Issue("node0", isServer: false);
        string file = Path.Combine(directory.FullName, "node.pem");
        File.WriteAllText(file, certificate.ExportCertificatePem() + "\n" + certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        using var files = new ConfigurationFixture();
        var request = new ConfigurationRequest
        {
            Path = files.Write(ConfigurationFixture.Minimal + $"ctl: {{ cacert: {tls.CaFile}{(hasCertificate ? $", certfile: {file}" : "")} }}\n"), BaseDirectory = files.Directory,
        };
        var configuration = new ConfigurationStore(request, ConfigurationLoader.Load(request).Configuration!);

        using var client = new FailsafeClient(configuration, null, NullLogger.Instance);
        LeaderLease lease = standby.Cluster.Lease;
        var round = new FailsafeRound(new(lease.Holder, lease.Epoch, 7000), [(new("node1"), $"https://localhost:{host.Port}/patroni")], [], 5000);
        Assert.Equal(hasCertificate, await client.AskAsync(round, "postgres://h:5432/postgres", [], CancellationToken.None));
        Assert.Equal(hasCertificate, standby.Promise is not null);
    }

    [Fact]
    public async Task A_key_may_be_encrypted_and_a_wrong_password_is_named()
    {
        using Authority authority = new();
        ApiTls tls = WriteServer(authority, "server", password: "pw");
        await using (ApiHost host = await ApiHost.StartAsync(RecordedCluster.Node(), ApiFixture.Options with { Tls = tls }, NullLoggerFactory.Instance))
        {
            using HttpClient client = Client(host.Port, null);
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/primary")).StatusCode);
        }
        ApiStartException error = await Assert.ThrowsAsync<ApiStartException>(() =>
            ApiHost.StartAsync(RecordedCluster.Node(), ApiFixture.Options with { Tls = tls with { KeyFilePassword = "wrong" } }, NullLoggerFactory.Instance));
        Assert.Equal(ApiStartFailure.CertificateUnusable, error.Failure);
        Assert.Contains("restapi.certfile", error.Message);
    }

    [Fact]
    public async Task A_port_in_use_is_a_refusal_that_names_the_key()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        ApiStartException error = await Assert.ThrowsAsync<ApiStartException>(() => ApiFixture.StartAsync(options: ApiFixture.Options with { Port = port }));
        Assert.Equal(ApiStartFailure.AddressInUse, error.Failure);
        Assert.Contains($"restapi.listen: 127.0.0.1:{port}", error.Message);
        error = await Assert.ThrowsAsync<ApiStartException>(() => ApiFixture.StartAsync(options: ApiFixture.Options with { Host = "192.0.2.1" }));
        Assert.Equal(ApiStartFailure.AddressUnusable, error.Failure);
        error = await Assert.ThrowsAsync<ApiStartException>(() => ApiFixture.StartAsync(options: ApiFixture.Options with { Host = "no-such-host.invalid" }));
        Assert.Equal(ApiStartFailure.AddressUnusable, error.Failure);
    }

    private ApiTls WriteServer(Authority authority, string name, string? password = null)
    {
        using X509Certificate2 certificate = authority.Issue(name, isServer: true);
        using ECDsa key = certificate.GetECDsaPrivateKey()!;
        string File(string file) => Path.Combine(directory.FullName, file);
        System.IO.File.WriteAllText(File("server.crt"), certificate.ExportCertificatePem());
        System.IO.File.WriteAllText(File("server.key"), password is null
            ? key.ExportPkcs8PrivateKeyPem()
            : key.ExportEncryptedPkcs8PrivateKeyPem(password, new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));
        System.IO.File.WriteAllText(File("ca.crt"), authority.Certificate.ExportCertificatePem());
        return new(File("server.crt"), File("server.key"), password, File("ca.crt"), ClientVerification.None);
    }

    private static HttpClient Client(int port, X509Certificate2? certificate, Action<X509Certificate2>? seen = null)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, server, _, _) =>
        {
            seen?.Invoke(X509CertificateLoader.LoadCertificate(server!.GetRawCertData()));
            return true;
        };
        if (certificate is not null) handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        return new(handler) { BaseAddress = new($"https://127.0.0.1:{port}") };
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
