using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Patroni.Raft.Consensus.Transport;

/// <summary>A handshaken connection, as the library's transport wants it.</summary>
internal sealed class PeerConnection : ConnectionContext
{
    /// <summary>The library sizes its transmission blocks by the writer's buffer.</summary>
    private const int BufferBytes = 64 * 1024;

    private readonly Stream stream;
    private readonly CancellationTokenSource closed = new();
    private int disposed;

    public PeerConnection(Stream stream, EndPoint? local, EndPoint remote, PeerContacts.Contact contact)
    {
        this.stream = stream;
        LocalEndPoint = local;
        RemoteEndPoint = remote;
        ConnectionClosed = closed.Token;
        Transport = new Pipe(
            PipeReader.Create(new ContactStream(stream, contact), new StreamPipeReaderOptions(bufferSize: BufferBytes, leaveOpen: true)),
            PipeWriter.Create(stream, new StreamPipeWriterOptions(minimumBufferSize: BufferBytes, leaveOpen: true)));
    }

    public override IDuplexPipe Transport { get; set; }

    public override string ConnectionId { get; set; } = Guid.NewGuid().ToString("N");

    public override IFeatureCollection Features { get; } = new FeatureCollection();

    public override IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();

    public override EndPoint? LocalEndPoint { get; set; }

    public override EndPoint? RemoteEndPoint { get; set; }

    public override CancellationToken ConnectionClosed { get; set; }

    public override void Abort(ConnectionAbortedException abortReason) => Close();

    public override ValueTask DisposeAsync()
    {
        Close();
        return ValueTask.CompletedTask;
    }

    private void Close()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            closed.Cancel();
            stream.Dispose();
        }
    }

    private sealed record Pipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>Notes every arrival.</summary>
    private sealed class ContactStream(Stream inner, PeerContacts.Contact contact) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            if (count > 0)
            {
                contact.Touch();
            }

            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
