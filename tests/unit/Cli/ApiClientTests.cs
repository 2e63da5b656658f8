using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Cli;
using Patroni.Raft.Cli.Client;
using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>Nodes that are dead, hung or cut off do not keep the command line from the others.</summary>
public sealed class ApiClientTests : IAsyncLifetime, IDisposable
{
    private static readonly CtlSettings Plain = new() { Authentication = null, Insecure = false, CaCert = null, CertFile = null, KeyFile = null, KeyFilePassword = null };

    private readonly TcpListener _hung = new(IPAddress.Loopback, 0); // Takes connections as a stopped process does: the kernel answers for it.
    private FakeApi _api = null!;

    public async Task InitializeAsync()
    {
        _hung.Start();
        _api = await FakeApi.StartAsync();
    }

    public async Task DisposeAsync() => await _api.DisposeAsync();

    public void Dispose() => _hung.Dispose();

    private Uri Hung => new($"http://127.0.0.1:{((IPEndPoint)_hung.LocalEndpoint).Port}");

    private static Uri Dead => new("http://127.0.0.1:1");

    private ApiClient Client(params Uri[] nodes) => new(nodes, Plain, false, "");

    [Fact]
    public async Task A_read_does_not_wait_for_a_hung_node()
    {
        using var client = Client(Hung, Dead, new Uri(_api.Url));
        var watch = Stopwatch.StartNew();
        Assert.Equal(200, (await client.GetAsync("/cluster", default)).Status);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(4), $"took {watch.Elapsed}; a hung node has 5 s"); // The next node is asked after a quarter of a second.

        // Whoever answered is asked first from now on: the hung one gets nothing more.
        while (_hung.Pending())
        {
            (await _hung.AcceptTcpClientAsync()).Dispose();
        }

        await client.GetAsync("/config", default);
        Assert.False(_hung.Pending());
    }

    [Fact]
    public async Task A_change_goes_past_a_hung_node_without_being_sent_to_it()
    {
        _api.Answers["POST /switchover"] = (200, "done");
        using var client = Client(Dead, new Uri(_api.Url));
        Assert.Equal("done", (await client.ChangeAsync(Hung, HttpMethod.Post, "/switchover", null, default)).Body);
        Assert.Equal(["POST /switchover"], _api.Requests);
        using var connection = await _hung.AcceptTcpClientAsync();
        using var reader = new StreamReader(connection.GetStream());
        Assert.StartsWith("HEAD /liveness", await reader.ReadLineAsync());
    }

    [Fact]
    public async Task A_change_for_one_node_says_that_it_cannot_be_reached()
    {
        using var client = Client(new Uri(_api.Url));
        var refusal = await Assert.ThrowsAsync<CliException>(() => client.ChangeOnlyAsync(Dead, HttpMethod.Post, "/restart", null, default));
        Assert.Equal("http://127.0.0.1:1 cannot be reached (Connection refused)", refusal.Message);
    }

    [Fact]
    public async Task Without_any_answer_every_node_and_the_origin_are_named()
    {
        using var client = new ApiClient([Dead, Hung], Plain, false, "/etc/x.yml");
        var refusal = await Assert.ThrowsAsync<CliException>(() => client.GetAsync("/cluster", default));
        Assert.Equal($"no node can be reached: http://127.0.0.1:1 (Connection refused), {Hung.GetLeftPart(UriPartial.Authority)} (no answer within 5 s); addresses from /etc/x.yml", refusal.Message);
    }

    [Fact]
    public async Task A_node_that_is_cut_off_is_passed_over_and_believed_only_with_a_warning()
    {
        await using var cutOff = await FakeApi.StartAsync();
        cutOff.Answers["GET /patroni"] = (200, """{"raft": {"leader": null}}""");
        cutOff.Answers["GET /cluster"] = (200, """{"members": [], "scope": "old"}""");
        var warnings = new List<string>();
        using (var both = new ClusterClient(new FoundCluster(null, [new Uri(cutOff.Url), new Uri(_api.Url)], Plain, ""), false, warnings.Add))
        {
            Assert.Equal("lab", (await both.ReadAsync(default)).Scope);
            Assert.Empty(warnings);
        }

        using var alone = new ClusterClient(new FoundCluster(null, [new Uri(cutOff.Url), Dead], Plain, ""), false, warnings.Add);
        Assert.Equal("old", (await alone.ReadAsync(default)).Scope);
        Assert.Contains("no node that answers has contact with a majority", Assert.Single(warnings));
    }
}
