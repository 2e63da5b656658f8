using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>TLS, client certificates, credentials and their reload, asked with curl, openssl's certificates and the product's own command line.</summary>
[Collection(ApiClusterCollection.Name)]
public sealed class SecurityTests(SecureNode secure) : IClassFixture<SecureNode>
{
    private string[] Certificate => ["--cert", secure.Client.Certificate, "--key", secure.Client.Key];

    [Fact]
    public async Task With_verify_client_required_nobody_is_heard_without_a_certificate_of_the_authority()
    {
        await secure.ReloadAsync("required");
        Assert.Equal(200, (await secure.CurlAsync("/patroni", Certificate)).Status);
        CurlAnswer without = await secure.CurlAsync("/patroni");
        Assert.NotEqual((0, 200), (without.ExitCode, without.Status));
        (string certificate, string key) = await secure.Stranger.IssueAsync("client", "operator", "clientAuth");
        CurlAnswer stranger = await secure.CurlAsync("/patroni", "--cert", certificate, "--key", key);
        Assert.NotEqual((0, 200), (stranger.ExitCode, stranger.Status));
        (certificate, key) = await secure.Authority.IssueAsync("notclient", "server", "serverAuth");
        CurlAnswer wrongUsage = await secure.CurlAsync("/patroni", "--cert", certificate, "--key", key);
        Assert.NotEqual((0, 200), (wrongUsage.ExitCode, wrongUsage.Status));
        // The certificate opens the door; changes need the user as well.
        Assert.Equal((401, "no auth header received"), Of(await secure.CurlAsync("/reload", [.. Certificate, "-X", "POST"])));
        Assert.Equal((401, "not authenticated"), Of(await secure.CurlAsync("/reload", [.. Certificate, "-X", "POST", "--user", "admin:wrong"])));
        Assert.Equal(200, (await secure.CurlAsync("/config", [.. Certificate, "-X", "PATCH", "--user", "admin:s3cret", "--data", """{"maximum_lag_on_failover": 1000000}"""])).Status);
    }

    [Fact]
    public async Task With_verify_client_optional_reads_are_free_and_changes_need_a_certificate()
    {
        await secure.ReloadAsync("optional");
        Assert.Equal(200, (await secure.CurlAsync("/patroni")).Status);
        Assert.Equal((403, "client certificate required"), Of(await secure.CurlAsync("/reload", "-X", "POST", "--user", "admin:s3cret")));
        Assert.Equal((202, "reload scheduled"), Of(await secure.CurlAsync("/reload", [.. Certificate, "-X", "POST", "--user", "admin:s3cret"])));
        await secure.ReloadAsync("none");
        Assert.Equal((202, "reload scheduled"), Of(await secure.CurlAsync("/reload", "-X", "POST", "--user", "admin:s3cret")));
    }

    [Fact]
    public async Task The_node_to_node_paths_are_for_holders_of_the_secret_or_of_a_certificate()
    {
        await secure.ReloadAsync("none");
        Assert.Equal((401, "no auth header received"), Of(await secure.CurlAsync("/raft/identity")));
        Assert.Equal((401, "not authenticated"), Of(await secure.CurlAsync("/raft/identity", "-H", "Authorization: Bearer wrong")));
        Assert.Equal((401, "not authenticated"), Of(await secure.CurlAsync("/raft/members", "-X", "POST", "-H", "Authorization: Bearer wrong", "--data", """{"address": "h:1"}""")));
        await secure.ReloadAsync("required");
        Assert.Equal(200, (await secure.CurlAsync("/raft/identity", Certificate)).Status);
    }

    [Fact]
    public async Task The_command_line_uses_the_certificates_of_the_ctl_section()
    {
        await secure.ReloadAsync("required");
        ProductResult list = await Product.RunAsync(secure.Cluster.Root, ["-c", secure.Cluster.File, "-d", secure.Url, "list"]);
        Assert.True(list.ExitCode == 0, list.Error);
        Assert.Contains($"| {secure.Node.Name}", list.Output);
        // ctl has no credentials of its own: those of restapi serve for changes.
        ProductResult edit = await Product.RunAsync(secure.Cluster.Root, ["-c", secure.Cluster.File, "-d", secure.Url, "edit-config", "--force", "--quiet", "-s", "maximum_lag_on_failover=1100000"]);
        Assert.True(edit.ExitCode == 0, edit.Error + edit.Output);
        Assert.Contains("1100000", (await secure.CurlAsync("/config", Certificate)).Body);
    }

    [Fact]
    public async Task HTTP_2_1_1_and_1_0_are_spoken_over_TLS()
    {
        await secure.ReloadAsync("required");
        foreach ((string option, string version) in ((string, string)[])[("--http2", "2"), ("--http1.1", "1.1"), ("--http1.0", "1.1")])
        {
            CurlAnswer answer = await secure.CurlAsync("/primary", [.. Certificate, option]);
            Assert.Equal((200, version), (answer.Status, answer.Version));
            Assert.StartsWith("{\"state\": \"running\"", answer.Body);
        }
    }

    [Fact]
    public async Task The_allowlist_and_headers_come_with_a_reload()
    {
        await secure.ReloadAsync("none", change: section =>
        {
            section["allowlist"] = new System.Text.Json.Nodes.JsonArray("10.1.2.3/8");
            section["http_extra_headers"] = new System.Text.Json.Nodes.JsonObject { ["X-Frame-Options"] = "SAMEORIGIN" };
            section["https_extra_headers"] = new System.Text.Json.Nodes.JsonObject { ["Strict-Transport-Security"] = "max-age=31536000" };
            section["server_tokens"] = "Minimal";
        });
        CurlAnswer refused = await secure.CurlAsync("/reload", "-X", "POST", "--user", "admin:s3cret");
        Assert.Equal((403, "Access is denied"), Of(refused));
        Assert.Contains("X-Frame-Options: SAMEORIGIN", refused.Headers, StringComparer.OrdinalIgnoreCase);
        Assert.Contains("Strict-Transport-Security: max-age=31536000", refused.Headers, StringComparer.OrdinalIgnoreCase);
        Assert.Contains(refused.Headers, header => header.StartsWith("server: Patroni/", StringComparison.OrdinalIgnoreCase));
        Assert.Equal(200, (await secure.CurlAsync("/primary")).Status);

        // Members may: this machine is one. With SIGHUP, because POST /reload is what nobody may now.
        await secure.WriteAsync("none", change: section =>
        {
            section["allowlist"] = new System.Text.Json.Nodes.JsonArray("10.1.2.3/8");
            section["allowlist_include_members"] = true;
        });
        secure.Node.SignalAgent(1);
        await Wait.UntilAsync("members to be allowed", async () => (await secure.CurlAsync("/reload", "-X", "POST", "--user", "admin:s3cret")).Status == 202);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task New_certificates_are_taken_without_dropping_a_connection(bool bySignal)
    {
        await secure.ReloadAsync("required", "old");
        using var old = await TlsConnectionAsync();
        Assert.Equal("CN=old", Subject(old));
        Assert.StartsWith("HTTP/1.1 200 ", await AskAsync(old));
        if (bySignal)
        {
            await secure.WriteAsync("required", "new");
            secure.Node.SignalAgent(1);
        }
        else
        {
            await secure.ReloadAsync("required", "new");
        }
        await Wait.UntilAsync("the new certificate", async () =>
        {
            using SslStream later = await TlsConnectionAsync();
            return Subject(later) == "CN=new";
        });
        Assert.StartsWith("HTTP/1.1 200 ", await AskAsync(old));
    }

    [Fact]
    public async Task A_reload_with_unusable_files_says_so_and_changes_nothing()
    {
        await secure.ReloadAsync("none", "good");
        await secure.WriteAsync("none", "good", section => section["keyfile_password"] = "wrong");
        CurlAnswer refused = await secure.CurlAsync("/reload", "-X", "POST", "--user", "admin:s3cret");
        Assert.Equal(503, refused.Status);
        Assert.Contains("restapi.certfile", refused.Body);
        Assert.Equal(200, (await secure.CurlAsync("/primary")).Status);
        await secure.ReloadAsync("none", "good");
    }

    [Fact]
    public async Task A_client_that_never_shakes_hands_is_cut_off() => Assert.True(await secure.Silent.IsClosedWithinAsync(TimeSpan.FromSeconds(60)));

    [Fact]
    public async Task HAProxy_checks_over_TLS_as_the_shipped_file_says()
    {
        await secure.ReloadAsync("required");
        await using Haproxy haproxy = await Haproxy.StartAsync(secure.Cluster, secure.Authority.Certificate, await secure.CombinedAsync());
        await using var load = new RoutedLoad(haproxy);
        await secure.Node.SqlAsync("CREATE TABLE routed (id bigint PRIMARY KEY)");
        await load.MoreWritesAsync(5);
    }

    private static (int, string) Of(CurlAnswer answer) => (answer.Status, answer.Body);

    private async Task<SslStream> TlsConnectionAsync()
    {
        var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(System.Net.IPAddress.Loopback, secure.Node.ApiPort);
        var stream = new SslStream(client.GetStream(), false, (_, _, _, _) => true);
        using X509Certificate2 pem = X509Certificate2.CreateFromPemFile(secure.Client.Certificate, secure.Client.Key);
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "127.0.0.1", ClientCertificateContext = SslStreamCertificateContext.Create(pem, null, offline: true) });
        return stream;
    }

    private static string Subject(SslStream stream) => stream.RemoteCertificate!.Subject;

    private static async Task<string> AskAsync(SslStream stream)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes("HEAD /primary HTTP/1.1\r\nHost: x\r\n\r\n"));
        byte[] answer = new byte[4096];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        int length = await stream.ReadAsync(answer, limit.Token);
        return Encoding.ASCII.GetString(answer, 0, length);
    }
}
