using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Patroni.Raft.Consensus.Log;

namespace Patroni.Raft.Consensus.Transport;

/// <summary>Asks other nodes. One connection for each peer, requests in flight side by side; a broken connection fails them all.</summary>
internal sealed class PeerRequestClient(PeerDialer dialer) : IAsyncDisposable
{
    private static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<EndPoint, Lazy<Task<Link>>> links = new();

    public async Task<NodeFacts> GetFactsAsync(EndPoint peer, CancellationToken token)
    {
        var answer = await AskAsync(peer, [(byte)RequestKind.Identity], token).ConfigureAwait(false);
        return NodeFacts.Decode(new ByteReader(answer).Block());
    }

    public async Task InviteAsync(EndPoint peer, CancellationToken token)
        => await AskAsync(peer, [(byte)RequestKind.Invite], token).ConfigureAwait(false);

    public async Task<(long Index, ReadOnlyMemory<byte> Content)> FetchSnapshotAsync(EndPoint holder, CancellationToken token)
    {
        var answer = await AskAsync(holder, [(byte)RequestKind.Snapshot], token).ConfigureAwait(false);
        var reader = new ByteReader(answer);
        return (reader.Int64(), reader.Block().ToArray());
    }

    /// <summary>See <see cref="IPeerRequests.StandAsideAsync"/>.</summary>
    public async Task StandAsideAsync(EndPoint peer, EndPoint target, TimeSpan duration, CancellationToken token)
    {
        var request = new ByteWriter();
        request.Byte((byte)RequestKind.StandAside);
        request.Int64((long)duration.TotalMilliseconds);
        request.Text(RaftAddress.Format(target));
        await AskAsync(peer, request.ToArray(), token).ConfigureAwait(false);
    }

    public async Task<(ForwardStatus Status, ReadOnlyMemory<byte> Outcome)> ForwardAsync(
        EndPoint leader, ProposalId id, ReadOnlyMemory<byte> payload, TimeSpan timeout, CancellationToken token)
    {
        var request = new ByteWriter(payload.Length + 32);
        request.Byte((byte)RequestKind.Forward);
        request.Int64((long)id.Proposer);
        request.Int64((long)id.Sequence);
        request.Int64((long)timeout.TotalMilliseconds);
        request.Raw(payload.Span);
        var answer = await AskAsync(leader, request.ToArray(), token).ConfigureAwait(false);
        var reader = new ByteReader(answer);
        return ((ForwardStatus)reader.Byte(), reader.Block().ToArray());
    }

    public async Task<long?> ReadIndexAsync(EndPoint leader, TimeSpan timeout, CancellationToken token)
    {
        var request = new byte[9];
        request[0] = (byte)RequestKind.ReadIndex;
        BinaryPrimitives.WriteInt64LittleEndian(request.AsSpan(1), (long)timeout.TotalMilliseconds);
        var answer = await AskAsync(leader, request, token).ConfigureAwait(false);
        var index = BinaryPrimitives.ReadInt64LittleEndian(answer);
        return index < 0 ? null : index;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var peer in links.Keys)
        {
            if (links.TryRemove(peer, out var link) && link.IsValueCreated)
            {
                await ((Task)link.Value).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (link.Value.IsCompletedSuccessfully)
                {
                    link.Value.Result.Dispose();
                }
            }
        }
    }

    /// <exception cref="IOException">The peer is not reachable, refused, or the connection broke: the outcome is unknown.</exception>
    private async Task<byte[]> AskAsync(EndPoint peer, byte[] request, CancellationToken token)
    {
        var lazy = links.GetOrAdd(peer, key => new Lazy<Task<Link>>(() => OpenAsync(key)));
        if (lazy is { IsValueCreated: true, Value: { IsCompletedSuccessfully: true, Result.IsBroken: true } })
        {
            // The peer was restarted since the last request: nothing of this one was sent.
            links.TryRemove(new KeyValuePair<EndPoint, Lazy<Task<Link>>>(peer, lazy));
            lazy = links.GetOrAdd(peer, key => new Lazy<Task<Link>>(() => OpenAsync(key)));
        }

        try
        {
            var link = await lazy.Value.WaitAsync(token).ConfigureAwait(false);
            return await link.AskAsync(request, token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
            // A peer that is hung, or behind a dead network, keeps the connection open for ever: the next request opens a new one.
            if (lazy.Value is { IsCompletedSuccessfully: true, Result: var silent } && silent.SinceReceived > SilenceLimit)
            {
                links.TryRemove(new KeyValuePair<EndPoint, Lazy<Task<Link>>>(peer, lazy));
                silent.Dispose();
            }

            throw;
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException
            or System.Security.Authentication.AuthenticationException or InvalidDataException || (e is OperationCanceledException && !token.IsCancellationRequested))
        {
            links.TryRemove(new KeyValuePair<EndPoint, Lazy<Task<Link>>>(peer, lazy));
            throw e as IOException ?? new IOException($"{RaftAddress.Format(peer)}: {e.Message}", e);
        }
    }

    private async Task<Link> OpenAsync(EndPoint peer)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        var (stream, _) = await dialer.DialAsync(peer, ConnectionPurpose.Requests, timeout.Token).ConfigureAwait(false);
        return new Link(stream);
    }

    private sealed class Link : IDisposable
    {
        private readonly Stream stream;
        private readonly SemaphoreSlim writing = new(1);
        private readonly ConcurrentDictionary<long, TaskCompletionSource<byte[]>> waiting = new();
        private long lastNumber;
        private long lastReceived = Stopwatch.GetTimestamp();
        private volatile bool broken;

        public Link(Stream stream)
        {
            this.stream = stream;
            _ = ReadLoopAsync();
        }

        public bool IsBroken => broken;

        public TimeSpan SinceReceived => Stopwatch.GetElapsedTime(Volatile.Read(ref lastReceived));

        public async Task<byte[]> AskAsync(byte[] request, CancellationToken token)
        {
            var number = Interlocked.Increment(ref lastNumber);
            var completion = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
            waiting[number] = completion;
            try
            {
                var message = new byte[8 + request.Length];
                BinaryPrimitives.WriteInt64LittleEndian(message, number);
                request.CopyTo(message, 8);
                await writing.WaitAsync(token).ConfigureAwait(false);
                try
                {
                    // Not cancellable: half a message would spoil the connection for the others.
                    await Framing.WriteAsync(stream, message, CancellationToken.None).ConfigureAwait(false);
                }
                finally
                {
                    writing.Release();
                }

                if (broken)
                {
                    throw new IOException("The connection broke.");
                }

                return await completion.Task.WaitAsync(token).ConfigureAwait(false);
            }
            finally
            {
                waiting.TryRemove(number, out _);
            }
        }

        public void Dispose() => stream.Dispose();

        private async Task ReadLoopAsync()
        {
            try
            {
                while (true)
                {
                    var message = await Framing.ReadAsync(stream, PeerRequestServer.MessageBytesLimit, CancellationToken.None).ConfigureAwait(false);
                    Volatile.Write(ref lastReceived, Stopwatch.GetTimestamp());
                    if (waiting.TryRemove(BinaryPrimitives.ReadInt64LittleEndian(message), out var completion))
                    {
                        completion.TrySetResult(message[8..]);
                    }
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidDataException)
            {
                broken = true;
                stream.Dispose();
                foreach (var completion in waiting.Values)
                {
                    completion.TrySetException(new IOException("The connection broke.", e));
                }
            }
        }
    }
}
