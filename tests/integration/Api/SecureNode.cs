using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>
/// A cluster of one node whose API is locked as tightly as it can be: HTTPS with an encrypted key, client certificates for everybody, a user for
/// changes. Tests change the section and reload it.
/// </summary>
public sealed class SecureNode : IAsyncLifetime
{
    public const string KeyPassword = "key-secret";
    private readonly TestCluster cluster = new(ClusterOptions.Calm with { DataNodes = 1 });

    internal Authority Authority { get; private set; } = null!;
    /// <summary>A connection that never says a word, not even its part of the handshake.</summary>
    internal RawHttp Silent { get; private set; } = null!;
    internal Authority Stranger { get; private set; } = null!;
    internal TestNode Node => cluster.Nodes[0];
    internal TestCluster Cluster => cluster;
    internal string Url => $"https://127.0.0.1:{Node.ApiPort}";
    internal (string Certificate, string Key) Client { get; private set; }

    public async Task InitializeAsync()
    {
        Authority = await Authority.CreateAsync(Path.Combine(cluster.Root, "tls"));
        Stranger = await Authority.CreateAsync(Path.Combine(cluster.Root, "stranger"));
        Client = await Authority.IssueAsync("client", "operator", "clientAuth");
        await WriteAsync("required");
        Node.Start();
        await Wait.UntilAsync("the secured node to be primary", async () => (await CurlAsync("/primary", "--cert", Client.Certificate, "--key", Client.Key)).Status == 200);
        Silent = await RawHttp.ConnectAsync(Node.ApiPort);
    }

    public async Task DisposeAsync()
    {
        Silent.Dispose();
        await cluster.DisposeAsync();
    }

    /// <summary>Writes the node's file with a new server certificate.</summary>
    /// <param name="verifyClient">none, optional or required.</param>
    /// <param name="subject">Common name of the server certificate.</param>
    /// <param name="change">Further changes of the section.</param>
    internal async Task WriteAsync(string verifyClient, string subject = "first", Action<JsonObject>? change = null)
    {
        (string certificate, string key) = await Authority.IssueAsync("server", subject, "serverAuth", KeyPassword);
        var section = new JsonObject
        {
            ["listen"] = $"127.0.0.1:{Node.ApiPort}",
            ["certfile"] = certificate,
            ["keyfile"] = key,
            ["keyfile_password"] = KeyPassword,
            ["cafile"] = Authority.Certificate,
            ["verify_client"] = verifyClient,
            ["authentication"] = new JsonObject { ["username"] = "admin", ["password"] = "s3cret" },
        };
        change?.Invoke(section);
        cluster.Document["nodes"]![Node.Name]!["restapi"] = section;
        cluster.Document["ctl"] = new JsonObject { ["cacert"] = Authority.Certificate, ["certfile"] = Client.Certificate, ["keyfile"] = Client.Key };
        cluster.WriteFile();
    }

    /// <summary>Writes the file and has it reloaded by POST /reload.</summary>
    internal async Task ReloadAsync(string verifyClient, string subject = "first", Action<JsonObject>? change = null, string user = "admin:s3cret")
    {
        await WriteAsync(verifyClient, subject, change);
        CurlAnswer answer = await CurlAsync("/reload", "--cert", Client.Certificate, "--key", Client.Key, "-X", "POST", "--user", user);
        Assert.Equal((202, "reload scheduled"), (answer.Status, answer.Body));
    }

    /// <summary>Certificate and key of the client in one file, as HAProxy wants them.</summary>
    internal async Task<string> CombinedAsync()
    {
        string file = Path.Combine(cluster.Root, "client.pem");
        await File.WriteAllTextAsync(file, await File.ReadAllTextAsync(Client.Certificate) + await File.ReadAllTextAsync(Client.Key));
        return file;
    }

    /// <summary>Asks with curl, which trusts the test's authority only.</summary>
    internal async Task<CurlAnswer> CurlAsync(string path, params string[] arguments)
    {
        ToolResult result = await Tool.RunAsync("curl",
            ["--silent", "--show-error", "--max-time", "30", "--cacert", Authority.Certificate, "--write-out", "\n%{http_code} %{http_version}", "--include", .. arguments, Url + path]);
        string[] lines = result.Output.Replace("\r", "").Split('\n');
        string[] last = lines[^1].Split(' ');
        int blank = Array.IndexOf(lines, "");
        return new(result.ExitCode, int.Parse(last[0]), last[1], [.. lines[..Math.Max(blank, 0)]], string.Join('\n', lines[(blank + 1)..^1]), result.Error);
    }
}

/// <summary>What curl got.</summary>
internal sealed record CurlAnswer(int ExitCode, int Status, string Version, IReadOnlyList<string> Headers, string Body, string Error);
