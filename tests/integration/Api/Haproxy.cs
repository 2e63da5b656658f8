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

    public static async Task<Haproxy> StartAsync(TestCluster cluster)
    {
        int writePort = Ports.Free(), readPort = Ports.Free();
        string text = Replace(Replace(Repository.Read(Shipped), "bind *:5000", $"bind 127.0.0.1:{writePort}"), "bind *:5001", $"bind 127.0.0.1:{readPort}");
        TestNode[] nodes = [.. cluster.DataNodes];
        for (int i = 0; i < nodes.Length; i++)
            text = Replace(text, $"server node{i + 1} 10.0.0.{i + 1}:5432 check port 8008", $"server {nodes[i].Name} 127.0.0.1:{nodes[i].PostgresPort} check port {nodes[i].ApiPort}");
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

    private static string Replace(string text, string shipped, string here) =>
        text.Contains(shipped, StringComparison.Ordinal) ? text.Replace(shipped, here, StringComparison.Ordinal) : throw new InvalidDataException($"{Shipped} has no '{shipped}'");
}
