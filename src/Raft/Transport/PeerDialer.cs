using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Patroni.Raft.Consensus.Log;
using Patroni.Raft.Consensus.Security;

namespace Patroni.Raft.Consensus.Transport;

/// <summary>Opens connections to other nodes: TCP, TLS, handshake.</summary>
internal sealed class PeerDialer(EndPoint self, PeerTls? tls, Func<GroupIdentity> identity, PeerContacts contacts) : IConnectionFactory
{
    public async ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var (stream, local) = await DialAsync(endpoint, ConnectionPurpose.Consensus, cancellationToken).ConfigureAwait(false);
        return new PeerConnection(stream, local, endpoint, contacts.Of(endpoint));
    }

    public async Task<(Stream Stream, EndPoint? Local)> DialAsync(EndPoint peer, ConnectionPurpose purpose, CancellationToken token)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        try
        {
            await socket.ConnectAsync(peer, token).ConfigureAwait(false);
            var local = socket.LocalEndPoint;
            stream = new NetworkStream(socket, ownsSocket: true);
            if (tls is not null)
            {
                stream = await tls.AuthenticateClientAsync(stream, HostOf(peer), token).ConfigureAwait(false);
            }

            var own = identity();
            await new Hello(purpose, own, self).SendAsync(stream, token).ConfigureAwait(false);
            await Hello.ReceiveAnswerAsync(stream, peer, own, token).ConfigureAwait(false);
            return (stream, local);
        }
        catch
        {
            stream?.Dispose();
            socket.Dispose();
            throw;
        }
    }

    private static string HostOf(EndPoint peer) => peer is DnsEndPoint dns ? dns.Host : ((IPEndPoint)peer).Address.ToString();
}
