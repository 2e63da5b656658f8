using System.Buffers.Binary;
using System.Net;
using Patroni.Raft.Consensus.Log;

namespace Patroni.Raft.Consensus.Transport;

/// <summary>Serves one request connection: requests run concurrently, answers carry the request's number.</summary>
internal static class PeerRequestServer
{
    public const int MessageBytesLimit = 64 * 1024 * 1024;

    public static async Task RunAsync(Stream stream, IPeerRequests requests, bool sameGroup, CancellationToken token)
    {
        using var closing = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var writing = new SemaphoreSlim(1);
        var running = new List<Task>();
        try
        {
            while (true)
            {
                var message = await Framing.ReadAsync(stream, MessageBytesLimit, token).ConfigureAwait(false);
                running.RemoveAll(task => task.IsCompleted);
                running.Add(AnswerAsync(stream, message, requests, sameGroup, writing, closing.Token));
            }
        }
        finally
        {
            await closing.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task AnswerAsync(
        Stream stream, byte[] message, IPeerRequests requests, bool sameGroup, SemaphoreSlim writing, CancellationToken token)
    {
        var number = BinaryPrimitives.ReadInt64LittleEndian(message);
        var answer = new ByteWriter();
        answer.Int64(number);
        try
        {
            await ExecuteAsync(message.AsMemory(8), requests, sameGroup, answer, token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or FormatException)
        {
            // No answer is possible: the caller learns it from the broken connection instead of waiting.
            stream.Dispose();
            return;
        }

        await writing.WaitAsync(token).ConfigureAwait(false);
        try
        {
            await Framing.WriteAsync(stream, answer.ToArray(), token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The caller is gone; it treats the outcome as unknown.
        }
        finally
        {
            writing.Release();
        }
    }

    private static async Task ExecuteAsync(
        ReadOnlyMemory<byte> request, IPeerRequests requests, bool sameGroup, ByteWriter answer, CancellationToken token)
    {
        var kind = (RequestKind)request.Span[0];
        switch (kind)
        {
            case RequestKind.Identity:
                answer.Block(requests.Facts.Encode());
                break;
            case RequestKind.Invite when sameGroup:
                requests.Invite();
                break;
            case RequestKind.Snapshot:
                var (snapshotIndex, content) = sameGroup ? requests.ReadSnapshot() : (-1, default);
                answer.Int64(snapshotIndex);
                answer.Block(content.Span);
                break;
            case RequestKind.StandAside when sameGroup:
                var (target, duration) = ReadStandAside(request.Span);
                await requests.StandAsideAsync(target, duration, token).ConfigureAwait(false);
                break;
            case RequestKind.Forward when sameGroup:
                var (id, timeout, payload) = ReadForward(request);
                var (status, outcome) = await requests.ProposeForwardedAsync(id, payload, timeout, token).ConfigureAwait(false);
                answer.Byte((byte)status);
                answer.Block(outcome.Span);
                break;
            case RequestKind.ReadIndex when sameGroup:
                var wait = TimeSpan.FromMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(request.Span[1..]));
                var index = await requests.ReadIndexAsync(wait, token).ConfigureAwait(false);
                answer.Int64(index ?? -1);
                break;
            case RequestKind.Invite or RequestKind.StandAside:
                break;
            case RequestKind.Forward:
                answer.Byte((byte)ForwardStatus.NotLeader);
                answer.Block([]);
                break;
            case RequestKind.ReadIndex:
                answer.Int64(-1);
                break;
            default:
                throw new InvalidDataException($"Request {(byte)kind} is not known to this version.");
        }
    }

    private static (EndPoint Target, TimeSpan Duration) ReadStandAside(ReadOnlySpan<byte> request)
    {
        var reader = new ByteReader(request[1..]);
        var duration = TimeSpan.FromMilliseconds(reader.Int64());
        return (RaftAddress.Parse(reader.Text()), duration);
    }

    private static (ProposalId Id, TimeSpan Timeout, ReadOnlyMemory<byte> Payload) ReadForward(ReadOnlyMemory<byte> request)
    {
        var span = request.Span;
        var id = new ProposalId(BinaryPrimitives.ReadUInt64LittleEndian(span[1..]), BinaryPrimitives.ReadUInt64LittleEndian(span[9..]));
        return (id, TimeSpan.FromMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(span[17..])), request[25..]);
    }
}
