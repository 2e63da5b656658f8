using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging.Abstractions;
using Patroni.Raft.Api;
using Patroni.Raft.UnitTests.Api;
using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>The command line against nodes with TLS, client certificates and credentials: the sections ctl and restapi of a file, and -k.</summary>
public sealed class ClientTlsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("cli-tls-").FullName;
    private readonly Authority _authority = new();

    public void Dispose()
    {
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private string PathOf(string file) => Path.Combine(_directory, file);

    private void Write(string name, bool isServer, string? password = null)
    {
        using var certificate = _authority.Issue(name, isServer);
        using var key = certificate.GetECDsaPrivateKey()!;
        File.WriteAllText(PathOf(name + ".crt"), certificate.ExportCertificatePem());
        File.WriteAllText(PathOf(name + ".key"), password is null
            ? key.ExportPkcs8PrivateKeyPem()
            : key.ExportEncryptedPkcs8PrivateKeyPem(password, new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));
        File.WriteAllText(PathOf("ca.crt"), _authority.Certificate.ExportCertificatePem());
    }

    private async Task<(int Code, string Error)> RunAsync(ApiHost host, string sections, params string[] arguments)
    {
        await File.WriteAllTextAsync(PathOf("ctl.yml"), $"scope: lab\nrestapi:\n  connect_address: 127.0.0.1:{host.Port}\n  certfile: {PathOf("server.crt")}\n{sections}");
        var (code, _, error) = await FakeApi.RunAsync([.. arguments, "-c", PathOf("ctl.yml")]);
        return (code, error);
    }

    private Task<ApiHost> StartAsync(ClientVerification verification, ApiCredentials? authentication = null)
    {
        Write("server", isServer: true);
        return ApiHost.StartAsync(RecordedCluster.Node(), ApiFixture.Options with
        {
            Tls = new(PathOf("server.crt"), PathOf("server.key"), null, PathOf("ca.crt"), verification),
            Authentication = authentication,
        }, NullLoggerFactory.Instance);
    }

    [Fact]
    public async Task A_nodes_certificate_is_verified_against_cacert_unless_insecure()
    {
        await using var host = await StartAsync(ClientVerification.None);
        var (code, error) = await RunAsync(host, "", "list");
        Assert.Equal(1, code);
        Assert.StartsWith($"Error: no node can be reached: https://127.0.0.1:{host.Port} (TLS: ", error);
        Assert.Equal(0, (await RunAsync(host, $"ctl:\n  cacert: {PathOf("ca.crt")}\n", "list")).Code);
        Assert.Equal(0, (await RunAsync(host, $"  cafile: {PathOf("ca.crt")}\n", "list")).Code);
        Assert.Equal(0, (await RunAsync(host, "", "list", "-k")).Code);
        Assert.Equal(0, (await RunAsync(host, "ctl: {insecure: true}\n", "list")).Code);
        (code, error) = await RunAsync(host, "ctl: {cacert: /missing.crt}\n", "list");
        Assert.Equal((1, true), (code, error.StartsWith("Error: the certificate /missing.crt of the ctl section cannot be read: ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_client_certificate_is_presented_also_with_an_encrypted_key()
    {
        await using var host = await StartAsync(ClientVerification.Required);
        Write("client", isServer: false, "secret");
        var ca = $"ctl:\n  cacert: {PathOf("ca.crt")}\n";
        Assert.Equal(1, (await RunAsync(host, ca, "list")).Code);
        var withKey = ca + $"  certfile: {PathOf("client.crt")}\n  keyfile: {PathOf("client.key")}\n";
        Assert.Equal((0, ""), await RunAsync(host, withKey + "  keyfile_password: secret\n", "list"));
        Assert.Contains("client.crt of the ctl section cannot be read: ", (await RunAsync(host, withKey + "  keyfile_password: wrong\n", "list")).Error);
    }

    [Fact]
    public async Task Changes_carry_the_credentials_of_ctl_else_of_restapi()
    {
        await using var host = await StartAsync(ClientVerification.None, new("admin", "s:ü"));
        string[] change = ["edit-config", "-s", "loop_wait=2", "--force", "-k"];
        Assert.Equal((1, "Error: no auth header received (status 401)\n"), await RunAsync(host, "", change));
        Assert.Equal("Error: not authenticated (status 401)\n", (await RunAsync(host, "ctl:\n  authentication: {username: admin, password: wrong}\n", change)).Error);
        Assert.Equal(0, (await RunAsync(host, "ctl:\n  authentication: {username: admin, password: 's:ü'}\n", change)).Code);
        change[2] = "loop_wait=3";
        Assert.Equal(0, (await RunAsync(host, "  authentication: {username: admin, password: 's:ü'}\n", change)).Code);
    }
}
