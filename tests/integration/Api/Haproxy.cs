using System.Diagnostics;
using Patroni.Raft.IntegrationTests.Cluster.Harness;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>HAProxy with the file that the product ships; only addresses and ports are put in.</summary>
internal sealed class Haproxy : IAsyncDisposable
{
    private const string Shipped = "packaging/haproxy.cfg";
    private readonly Process process;

    private Haproxy(Process process, int writePort, int readPort) => (this.process, WritePort, ReadPort) = (process, writePort, readPort);

    /// <summary>The port that leads to the primary (5000 in the file).</summary>
    public int WritePort { get; }

    /// <summary>The port that leads to replicas (5001 in the file).</summary>
    public int ReadPort { get; }

    /// <summary>Starts it in front of a cluster.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="authority">The authority of the API's certificates; null for an API without TLS.</param>
    /// <param name="client">The certificate and key for checks.</param>
    public static async Task<Haproxy> StartAsync(TestCluster cluster, string? authority = null, string? client = null)
    {
        int writePort = Ports.Free(), readPort = Ports.Free();
        string shipped = Repository.Read(Shipped);
        // What the comments at the top of the file say to add.
        string tls = authority is null ? "" : " " + TlsOptions(shipped).Replace("/etc/haproxy/patroni-ca.crt", authority).Replace("/etc/haproxy/patroni-client.pem", client);
        string text = Replace(Replace(shipped, "bind *:5000", $"bind 127.0.0.1:{writePort}"), "bind *:5001", $"bind 127.0.0.1:{readPort}");
        TestNode[] nodes = [.. cluster.DataNodes];
        for (int i = 0; i < 3; i++)
        {
            string server = $"server node{i + 1} 10.0.0.{i + 1}:5432 check port 8008";
            text = i < nodes.Length
                ? Replace(text, server, $"server {nodes[i].Name} 127.0.0.1:{nodes[i].PostgresPort} check port {nodes[i].ApiPort}{tls}")
                : Replace(text, server, "");
        }
        string file = Path.Combine(cluster.Root, "haproxy.cfg");
        await File.WriteAllTextAsync(file, text);
        await Tool.MustAsync("haproxy", "-c", "-f", file);
        return new(Process.Start(new ProcessStartInfo("haproxy", ["-db", "-f", file]))!, writePort, readPort);
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited) process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private static string TlsOptions(string text) =>
        string.Join(' ', text.Split('\n').Where(line => line.StartsWith("#   ", StringComparison.Ordinal)).Select(line => line[4..]));

    private static string Replace(string text, string shipped, string here) =>
        text.Contains(shipped, StringComparison.Ordinal) ? text.Replace(shipped, here, StringComparison.Ordinal) : throw new InvalidDataException($"{Shipped} has no '{shipped}'");
}
