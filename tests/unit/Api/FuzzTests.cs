using System.Net;
using System.Text;
using Xunit;

namespace Patroni.Raft.UnitTests.Api;

/// <summary>Nonsense at every endpoint: never a 500, never a change by what was refused, always usable afterwards.</summary>
public sealed class FuzzTests
{
    private static readonly (string Method, string Path)[] Endpoints =
    [
        ("PATCH", "/config"), ("PUT", "/config"), ("POST", "/switchover"), ("POST", "/failover"), ("POST", "/restart"), ("POST", "/reinitialize"),
        ("POST", "/raft/members"), ("POST", "/raft/transfer"), ("DELETE", "/cluster"), ("POST", "/raft/expire"), ("POST", "/failsafe"),
    ];

    private static readonly string[] Seeds =
    [
        """{"leader":"node0","candidate":"nobody","scheduled_at":"2020-09-24T12:00:00+00:00"}""",
        """{"ttl":20,"postgresql":{"parameters":{"max_connections":50,"x":[1,2,{"y":null}]}},"loop_wait":"1e9","retry_timeout":-0.0}""",
        """{"role":"replica","postgres_version":"99.1","timeout":"10s","restart_pending":true,"schedule":"2039-01-01T00:00:00"}""",
        """{"address":"h:1","name":"\u0000\ud83d\ude00","to":"x","force":"on"}""",
        """{"standby_cluster":{"host":"h","port":1e400},"slots":{"a":{"type":"logical"}},"tags":99999999999999999999999999}""",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Mutated_bodies(int seed)
    {
        await using ApiFixture api = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        var random = new Random(seed);
        for (int round = 0; round < 150; round++)
        {
            (string method, string path) = Endpoints[random.Next(Endpoints.Length)];
            byte[] body = Mutate(Encoding.UTF8.GetBytes(Seeds[random.Next(Seeds.Length)]), random);
            long before = api.Node.Cluster.Index;
            string config = api.Node.Cluster.State.Config.Json;
            using var request = new HttpRequestMessage(new(method), path) { Content = new ByteArrayContent(body) };
            using HttpResponseMessage response = await api.Client.SendAsync(request);
            string text = await response.Content.ReadAsStringAsync();
            string story = $"seed {seed} round {round}: {method} {path} {Encoding.UTF8.GetString(body)} -> {(int)response.StatusCode} {text}";
            Assert.True(response.StatusCode != HttpStatusCode.InternalServerError, story);
            if (response.StatusCode == HttpStatusCode.BadRequest)
            {
                Assert.True(config == api.Node.Cluster.State.Config.Json, story);
                Assert.True(text.Length > 10, story);
                if (path != "/config") Assert.True(before == api.Node.Cluster.Index, story);
            }
        }
        Assert.Equal(200, (await api.SendAsync("GET", "/health")).Status);
    }

    [Theory]
    [InlineData("/replica?lag=%00&tag_=%ff&tag_%F0=%&mode=%zz&replication_state=%E0%A4")]
    [InlineData("/events?since=99999999999999999999&limit=1e9")]
    [InlineData("/events?since=%31&since=2")]
    [InlineData("/%F0%9F%98%80/replica/../..")]
    [InlineData("/a%2Fb%00c")]
    [InlineData("/cluster/x/y")]
    public async Task Odd_targets(string target)
    {
        await using ApiFixture api = await ApiFixture.StartAsync(RecordedCluster.Node(1));
        string answer = await api.SendRawAsync($"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.Matches("^HTTP/1.1 (200|400|404|503) ", answer);
    }

    [Fact]
    public async Task Oversized_headers_and_lines_are_refused_and_others_are_served()
    {
        await using ApiFixture api = await ApiFixture.StartAsync();
        Assert.StartsWith("HTTP/1.1 431 ", await api.SendRawAsync($"GET /primary HTTP/1.1\r\nHost: x\r\nX: {new string('x', 20_000)}\r\n\r\n"));
        Assert.StartsWith("HTTP/1.1 414 ", await api.SendRawAsync($"GET /{new string('x', 10_000)} HTTP/1.1\r\nHost: x\r\n\r\n"));
        Assert.Equal(200, (await api.SendAsync("GET", "/primary")).Status);
    }

    private static byte[] Mutate(byte[] body, Random random)
    {
        var bytes = new List<byte>(body);
        for (int i = random.Next(4); i >= 0; i--)
        {
            int at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes.RemoveRange(at, Math.Min(random.Next(8), bytes.Count - at)); break;
                case 2: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(20), bytes.Count - at))); break;
                case 3: bytes[at] = "{}[]\",:\\0-e"u8[random.Next(11)]; break;
                default: break;
            }
            if (bytes.Count == 0) bytes.Add((byte)'{');
        }
        return [.. bytes];
    }
}
