using System.Net;
using System.Net.Sockets;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>Stands before a node's Raft port and passes bytes on, until it is cut: then nothing of the Raft group gets through, and all else does.</summary>
internal sealed class RaftProxy : IDisposable
{
    private readonly TcpListener listener;
    private readonly CancellationTokenSource ending = new();
    private readonly Lock gate = new();
    private readonly HashSet<TcpClient> open = [];
    private bool cut;

    public RaftProxy()
    {
        Port = Ports.Free();
        TargetPort = Ports.Free();
        listener = new(IPAddress.Loopback, Port);
        listener.Start();
        _ = Task.Run(AcceptAsync);
    }

    /// <summary>Where the others connect.</summary>
    public int Port { get; }

    /// <summary>Where the node listens.</summary>
    public int TargetPort { get; }

    /// <summary>Cuts all connections and lets none through, or lets them through again.</summary>
    public void Cut(bool value)
    {
        TcpClient[] closed;
        lock (gate)
        {
            cut = value;
            closed = value ? [.. open] : [];
        }
        foreach (TcpClient client in closed) client.Dispose();
    }

    public void Dispose()
    {
        ending.Cancel();
        listener.Stop();
        Cut(true);
        ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (!ending.IsCancellationRequested) _ = PassAsync(await listener.AcceptTcpClientAsync(ending.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The cluster ended.
        }
    }

    private async Task PassAsync(TcpClient from)
    {
        using var to = new TcpClient();
        try
        {
            lock (gate)
            {
                if (cut) return;
                open.Add(from);
                open.Add(to);
            }
            await to.ConnectAsync(IPAddress.Loopback, TargetPort, ending.Token);
            await Task.WhenAny(from.GetStream().CopyToAsync(to.GetStream(), ending.Token), to.GetStream().CopyToAsync(from.GetStream(), ending.Token));
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // One side went away, or it was cut.
        }
        finally
        {
            lock (gate)
            {
                open.Remove(from);
                open.Remove(to);
            }
            from.Dispose();
        }
    }
}
