using System.Net;
using System.Net.Sockets;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>
/// Free ports below the kernel's ephemeral range. A node listens on its port again after every restart; a port that the kernel gives to
/// outgoing connections could be taken by one of them meanwhile.
/// </summary>
internal static class Ports
{
    private static readonly Lock Gate = new();
    private static readonly HashSet<int> Given = [];

    public static int Free()
    {
        lock (Gate)
        {
            while (true)
            {
                int port = Random.Shared.Next(12_000, 32_000);
                if (!Given.Add(port)) continue;
                try
                {
                    using var listener = new TcpListener(IPAddress.Loopback, port);
                    listener.Start();
                    return port;
                }
                catch (SocketException)
                {
                    // Taken: the next one.
                }
            }
        }
    }
}
