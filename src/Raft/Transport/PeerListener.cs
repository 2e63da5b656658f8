using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Consensus.Log;
using Patroni.Raft.Consensus.Security;

namespace Patroni.Raft.Consensus.Transport;

/// <summary>
/// The Raft port. It listens from before the first formation until the end; handshaken consensus connections are handed to the
/// library once it runs, the others are served here. A slow or hostile caller holds up nobody else.
/// </summary>
internal sealed partial class PeerListener : IConnectionListenerFactory, IAsyncDisposable
{
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(5);
    private readonly Socket socket;
    private readonly PeerTls? tls;
    private readonly Func<GroupIdentity> identity;
    private readonly PeerContacts contacts;
    private readonly IPeerRequests requests;
    private readonly ILogger logger;
    private readonly CancellationTokenSource stopping = new();
    private readonly Channel<ConnectionContext> accepted = Channel.CreateUnbounded<ConnectionContext>();
    private readonly Task accepting;
    private volatile bool consensusRuns;

    private PeerListener(
        Socket socket, PeerTls? tls, Func<GroupIdentity> identity, PeerContacts contacts, IPeerRequests requests, ILogger logger)
    {
        this.socket = socket;
        this.tls = tls;
        this.identity = identity;
        this.contacts = contacts;
        this.requests = requests;
        this.logger = logger;
        accepting = AcceptLoopAsync();
    }

    /// <exception cref="RaftStartException">The address is in use or not ours.</exception>
    public static PeerListener Start(
        IPEndPoint address, PeerTls? tls, Func<GroupIdentity> identity, PeerContacts contacts, IPeerRequests requests, ILogger logger)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(address);
            socket.Listen(128);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new RaftStartException(
                e.SocketErrorCode is SocketError.AddressAlreadyInUse ? RaftStartFailure.AddressInUse : RaftStartFailure.Configuration,
                $"The Raft port {address} cannot be opened: {e.Message}. Is another node with this address (raft.bind_addr or raft.self_addr) running?",
                e);
        }

        return new PeerListener(socket, tls, identity, contacts, requests, logger);
    }

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        consensusRuns = true;
        return new ValueTask<IConnectionListener>(new Listener(this, endpoint));
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        socket.Dispose();
        await accepting.ConfigureAwait(false);
        accepted.Writer.TryComplete();
        while (accepted.Reader.TryRead(out var connection))
        {
            await connection.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task AcceptLoopAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var client = await socket.AcceptAsync(stopping.Token).ConfigureAwait(false);
                _ = Task.Run(() => HandleAsync(client));
            }
            catch (Exception e) when (stopping.IsCancellationRequested && e is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                return;
            }
            catch (SocketException e)
            {
                // Out of descriptors, or the caller was gone already: go on, but not in a spin.
                LogAcceptFailed(logger, e.Message);
                await Task.Delay(100, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    private async Task HandleAsync(Socket client)
    {
        client.NoDelay = true;
        var address = client.RemoteEndPoint;
        Stream stream = new NetworkStream(client, ownsSocket: true);
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
            timeout.CancelAfter(HandshakeTimeout);
            if (tls is not null)
            {
                stream = await tls.AuthenticateServerAsync(stream, timeout.Token).ConfigureAwait(false);
            }

            var hello = await Hello.ReceiveAsync(stream, timeout.Token).ConfigureAwait(false);
            var answer = Judge(hello);
            await Hello.AnswerAsync(stream, answer, identity(), timeout.Token).ConfigureAwait(false);
            if (hello is null || answer is not HandshakeAnswer.Accepted)
            {
                LogRefused(logger, address, answer);
                stream.Dispose();
                return;
            }

            await ServeAsync(stream, client, hello).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException
            or InvalidDataException or FormatException or System.Security.Authentication.AuthenticationException)
        {
            if (!stopping.IsCancellationRequested && e is not OperationCanceledException and not EndOfStreamException)
            {
                LogHandshakeFailed(logger, address, e.Message);
            }

            stream.Dispose();
        }
    }

    private HandshakeAnswer Judge(Hello? hello)
    {
        if (hello is null)
        {
            return HandshakeAnswer.OtherVersion;
        }

        // Anybody who passed authentication may ask who we are: that is how a node finds out that it is in the wrong group.
        if (hello.Purpose is ConnectionPurpose.Requests)
        {
            return HandshakeAnswer.Accepted;
        }

        return consensusRuns && requests.AcceptsConsensus ? Hello.Judge(identity(), hello.Identity) : HandshakeAnswer.NotReady;
    }

    private async Task ServeAsync(Stream stream, Socket client, Hello hello)
    {
        if (hello.Purpose is ConnectionPurpose.Consensus)
        {
            var connection = new PeerConnection(stream, client.LocalEndPoint, hello.Sender, contacts.Of(hello.Sender));
            if (!accepted.Writer.TryWrite(connection))
            {
                await connection.DisposeAsync().ConfigureAwait(false);
            }

            return;
        }

        var sameGroup = Hello.Judge(identity(), hello.Identity) is HandshakeAnswer.Accepted;
        await PeerRequestServer.RunAsync(stream, requests, sameGroup, stopping.Token).ConfigureAwait(false);
        stream.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The Raft port could not accept a connection: {Error}")]
    private static partial void LogAcceptFailed(ILogger logger, string error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A Raft connection from {Address} was refused: {Answer}")]
    private static partial void LogRefused(ILogger logger, EndPoint? address, HandshakeAnswer answer);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A Raft connection from {Address} failed before it was established (another raft.password, or not a node?): {Error}")]
    private static partial void LogHandshakeFailed(ILogger logger, EndPoint? address, string error);

    private sealed class Listener(PeerListener owner, EndPoint endpoint) : IConnectionListener
    {
        public EndPoint EndPoint { get; } = endpoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            try
            {
                return await owner.accepted.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (ChannelClosedException)
            {
                return null;
            }
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            owner.consensusRuns = false;
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
