using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;

namespace Patroni.Raft.Bench;

/// <summary>Latency and throughput of a replicated commit.</summary>
internal sealed record CommitFigures(double P50Ms, double P99Ms, double PerSecond);

/// <summary>
/// Puts into a fresh etcd of three members over its native gRPC (one HTTP/2 connection a writer, no gateway in between).
/// The two messages are small enough to be written by hand: PutRequest { bytes key = 1; bytes value = 2; }.
/// </summary>
internal static class EtcdCommit
{
    private const int ValueBytes = 128;

    public static async Task<CommitFigures> RunAsync(Workplace workplace, TimeSpan duration, int writers)
    {
        var directory = Directory.CreateTempSubdirectory("prbe").FullName;
        var nodes = Enumerable.Range(1, 3)
            .Select(i => new NodeAddress($"etcd{i}", directory, 0, 0, Settings.FreePort(), Settings.FreePort())).ToList();
        try
        {
            PatroniEtcdCluster.StartEtcd(workplace, directory, nodes);
            var leader = await LeaderAsync(nodes);
            using (var warm = Connect(leader))
            {
                await CommitLoad.RunAsync(TimeSpan.FromSeconds(5), writers, (w, n) => PutAsync(warm, w, n));
            }

            using var single = Connect(leader);
            await CommitLoad.RunAsync(TimeSpan.FromSeconds(5), 1, (w, n) => PutAsync(single, w, n));
            var latency = await CommitLoad.RunAsync(duration, 1, (w, n) => PutAsync(single, w, n));
            var clients = Enumerable.Range(0, writers).Select(_ => Connect(leader)).ToArray();
            var load = await CommitLoad.RunAsync(duration, writers, (w, n) => PutAsync(clients[w], w, n));
            Array.ForEach(clients, c => c.Dispose());
            return new CommitFigures(latency.Percentile(0.50), latency.Percentile(0.99), load.PerSecond);
        }
        finally
        {
            Processes.KillAll("PATRONI_RAFT_BENCH_CLUSTER=" + directory, directory);
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>The member that leads: puts to a follower would pay for one more hop.</summary>
    private static async Task<NodeAddress> LeaderAsync(List<NodeAddress> nodes)
    {
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < TimeSpan.FromSeconds(30))
        {
            foreach (var node in nodes)
            {
                try
                {
                    using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(1) };
                    var metrics = await http.GetStringAsync($"http://{Settings.Local(node.EtcdClientPort)}/metrics");
                    if (metrics.Contains("\netcd_server_is_leader 1\n", StringComparison.Ordinal))
                    {
                        return node;
                    }
                }
                catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
                {
                    // Not up yet.
                }
            }

            await Task.Delay(100);
        }

        throw new TimeoutException("etcd elected no leader within 30 s.");
    }

    private static HttpClient Connect(NodeAddress node) => new(new SocketsHttpHandler())
    {
        BaseAddress = new Uri("http://" + Settings.Local(node.EtcdClientPort)),
        DefaultRequestVersion = HttpVersion.Version20,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private static async Task PutAsync(HttpClient client, int writer, long number)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/etcdserverpb.KV/Put")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(Frame(writer, number)),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        using var answer = await client.SendAsync(request);
        await answer.Content.ReadAsByteArrayAsync();
        var status = answer.TrailingHeaders.TryGetValues("grpc-status", out var trailing) ? trailing.First()
            : answer.Headers.TryGetValues("grpc-status", out var leading) ? leading.First() : "none";
        if (status != "0")
        {
            throw new InvalidOperationException($"etcd refused a put: gRPC status {status}.");
        }
    }

    /// <summary>gRPC's five bytes (not compressed, length) before the message.</summary>
    private static byte[] Frame(int writer, long number)
    {
        var key = System.Text.Encoding.ASCII.GetBytes($"/bench/{writer:D3}/{number % 1000:D4}");
        var message = new byte[2 + key.Length + 3 + ValueBytes];
        message[0] = 0x0A;
        message[1] = (byte)key.Length;
        key.CopyTo(message, 2);
        var at = 2 + key.Length;
        message[at] = 0x12;
        message[at + 1] = ValueBytes & 0x7F | 0x80;
        message[at + 2] = ValueBytes >> 7;
        message.AsSpan(at + 3).Fill((byte)'x');
        return [0, 0, 0, (byte)(message.Length >> 8), (byte)message.Length, .. message];
    }
}
