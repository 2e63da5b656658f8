using System.Text.Json;
using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>The history of the cluster as a list and as a stream.</summary>
[Collection(ApiClusterCollection.Name)]
public sealed class EventsTests(ApiCluster api)
{
    [Fact]
    public Task Every_node_tells_the_same_events_and_pages_through_them() => api.RunAsync(async cluster =>
    {
        await ChangeAsync(1);
        JsonNode all = (await cluster.Nodes[0].GetAsync("/events")).Json!;
        long[] ids = Ids(all);
        Assert.True(ids.Length > 3);
        Assert.Equal(Enumerable.Range(0, ids.Length).Select(i => ids[0] + i), ids);
        Assert.Equal(ids[^1], (long)all["last_id"]!);
        Assert.Equal(ids[^2..], Ids((await cluster.Nodes[0].GetAsync("/events?limit=2")).Json!));
        Assert.Equal(ids[^3..], Ids((await cluster.Nodes[0].GetAsync($"/events?since={ids[^4]}")).Json!));
        Assert.Empty(Ids((await cluster.Nodes[0].GetAsync($"/events?since={ids[^1]}")).Json!));
        foreach (TestNode node in cluster.Nodes)
            await Wait.UntilAsync($"{node.Name} to tell the same", async () => (await node.GetAsync($"/events?since={ids[0] - 1}&limit={ids.Length}")).Body == (await cluster.Nodes[0].GetAsync($"/events?since={ids[0] - 1}&limit={ids.Length}")).Body);
        Assert.Equal(400, (await cluster.Nodes[0].GetAsync("/events?since=yesterday")).Status);
    });

    [Fact]
    public Task The_stream_resumes_after_the_last_event_that_a_client_saw() => api.RunAsync(async cluster =>
    {
        TestNode node = await cluster.ReplicaAsync();
        await ChangeAsync(2);
        long[] ids = Ids((await node.GetAsync("/events")).Json!);
        using EventStream stream = await EventStream.OpenAsync(node, ids[^3]);
        Assert.Equal(ids[^2], await stream.NextAsync());
        Assert.Equal(ids[^1], await stream.NextAsync());
        await ChangeAsync(3);
        Assert.Equal(ids[^1] + 1, await stream.NextAsync());
        using EventStream fresh = await EventStream.OpenAsync(node, null);
        await ChangeAsync(4);
        Assert.Equal(ids[^1] + 2, await fresh.NextAsync());
        Assert.Equal(ids[^1] + 2, await stream.NextAsync());
    });

    [Fact]
    public Task Slow_consumers_hold_nobody_up() => api.RunAsync(async cluster =>
    {
        TestNode node = await cluster.PrimaryAsync();
        long last = (long)(await node.GetAsync("/events")).Json!["last_id"]!;
        var slow = new List<RawHttp>();
        try
        {
            for (int i = 0; i < 300; i++)
            {
                // From the first event, and never read.
                RawHttp client = await RawHttp.ConnectAsync(node.ApiPort);
                slow.Add(client);
                await client.WriteAsync("GET /events/stream?since=0 HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
            }
            using EventStream stream = await EventStream.OpenAsync(node, last);
            for (int i = 5; i < 15; i++)
            {
                await ChangeAsync(i);
                Assert.Equal(++last, await stream.NextAsync());
            }
            Assert.Equal(200, (await node.GetAsync("/primary")).Status);
        }
        finally
        {
            foreach (RawHttp client in slow) client.Dispose();
        }
    });

    /// <summary>One significant event.</summary>
    private Task ChangeAsync(int number) => api.ConfigureAsync($$"""{"maximum_lag_on_failover": {{1_000_000 + number}}}""");

    private static long[] Ids(JsonNode events) => [.. events["events"]!.AsArray().Select(record => (long)record!["id"]!)];

    /// <summary>A reader of server-sent events.</summary>
    private sealed class EventStream : IDisposable
    {
        private static readonly HttpClient Client = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Timeout.InfiniteTimeSpan };
        private readonly HttpResponseMessage response;
        private readonly StreamReader reader;

        private EventStream(HttpResponseMessage response, StreamReader reader) => (this.response, this.reader) = (response, reader);

        public static async Task<EventStream> OpenAsync(TestNode node, long? lastSeen)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, node.ApiUrl + "/events/stream");
            if (lastSeen is { } id) request.Headers.TryAddWithoutValidation("Last-Event-ID", id.ToString());
            HttpResponseMessage response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
            return new(response, new(await response.Content.ReadAsStreamAsync()));
        }

        /// <summary>The id of the next event, whose data is the same event.</summary>
        public async Task<long> NextAsync()
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            long id = 0;
            while (await reader.ReadLineAsync(limit.Token) is { } line)
            {
                if (line.StartsWith("id: ", StringComparison.Ordinal)) id = long.Parse(line[4..]);
                if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
                using JsonDocument data = JsonDocument.Parse(line[6..]);
                Assert.Equal(id, data.RootElement.GetProperty("id").GetInt64());
                return id;
            }
            throw new EndOfStreamException("the stream ended");
        }

        public void Dispose()
        {
            reader.Dispose();
            response.Dispose();
        }
    }
}
