using System.Diagnostics;
using DotNext.Net.Cluster;
using Patroni.Raft.Consensus.Storage;

namespace Patroni.Raft.Consensus.Log;

/// <summary>
/// The durable log: one writer thread executes operations in order, writes all that are waiting with one fsync (group
/// commit), publishes, and only then answers. After a failed write or fsync it stops for good: what the disk holds
/// then is unknown, and an fsync that is tried again may report success over lost pages.
/// </summary>
internal sealed class LogStore : IAsyncDisposable
{
    private readonly Lock queueLock = new();
    private readonly Queue<LogOperation> queue = new();
    private readonly SemaphoreSlim wakeup = new(0);
    private readonly ILogDirectory directory;
    private readonly LogWriter writer;
    private readonly Thread thread;
    private readonly TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource threadEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Exception? failure;
    private volatile bool closing;
    private volatile TermBox published;
    private long lastIndex;
    private long commitIndex;
    private long snapshotIndex;
    private long fileLength;
    private long fsyncTicks;
    private long fsyncCount;

    private LogStore(ILogDirectory directory, RecoveredLog recovered, LogStoreOptions options, ClusterMemberId self)
    {
        this.directory = directory;
        CutBytes = recovered.CutBytes;
        commitIndex = recovered.Header.SnapshotIndex;
        writer = new LogWriter(directory, recovered, options, () => Volatile.Read(ref commitIndex))
        {
            Self = self,
            Truncating = from => Volatile.Write(ref lastIndex, from - 1),
        };
        published = new TermBox(recovered.Term);
        snapshotIndex = recovered.Header.SnapshotIndex;
        Publish();
        thread = new Thread(Run) { IsBackground = true, Name = "raft-log" };
        thread.Start();
    }

    /// <summary>Bytes of a torn last frame that recovery cut off.</summary>
    public long CutBytes { get; }

    /// <summary>Last durable index; entries still being written are not counted, because the leader counts its own log by it.</summary>
    public long LastIndex => Volatile.Read(ref lastIndex);

    public long CommitIndex => Volatile.Read(ref commitIndex);

    public long BaseIndex => writer.Tail.BaseIndex;

    public long SnapshotIndex => Volatile.Read(ref snapshotIndex);

    public long FileLength => Volatile.Read(ref fileLength);

    public TermState Term => published.State;

    public (long Index, GroupConfiguration Members) Configuration => writer.Tail.Configuration;

    /// <summary>Ends when the log is closed; faults when it stopped itself.</summary>
    public Task Stopped => stopped.Task;

    /// <summary>Total time and number of fsyncs.</summary>
    public (TimeSpan Total, long Count) Fsyncs => (Stopwatch.GetElapsedTime(0, Volatile.Read(ref fsyncTicks)), Volatile.Read(ref fsyncCount));

    /// <summary>Raised on the writer thread after the member list in force changed.</summary>
    public event Action<GroupConfiguration>? ConfigurationChanged;

    /// <summary>Creates the log of a new node.</summary>
    public static void Create(ILogDirectory directory, GroupConfiguration configuration)
    {
        var header = new SegmentHeader(1, 0, 0, 0, default, 0, configuration);
        var (file, _) = SegmentFile.Create(directory, header, new LogTail(0, 0, 0, configuration), int.MaxValue);
        file.Dispose();
    }

    /// <summary>Recovers the log of a directory and starts the writer.</summary>
    /// <exception cref="LogDamagedException">The files cannot be trusted.</exception>
    public static LogStore Open(ILogDirectory directory, LogStoreOptions options, ClusterMemberId self)
        => new(directory, LogRecovery.Run(directory), options, self);

    public Task<long> AppendOwnAsync(LogEntry entry) => Enqueue(w => w.AppendOwn(entry));

    public Task<long> AppendReplicatedAsync(long startIndex, IReadOnlyList<LogEntry> entries)
        => Enqueue(w => w.AppendReplicated(startIndex, entries));

    public Task<long> IncrementTermAsync(ClusterMemberId vote) => Enqueue(w => w.IncrementTerm(vote));

    public Task UpdateTermAsync(long term) => Enqueue(w => w.UpdateTerm(term));

    public Task VoteAsync(ClusterMemberId member) => Enqueue(w => w.Vote(member));

    public Task<long> OpenTermAsync() => Enqueue(w => w.OpenTerm());

    /// <summary>Takes a snapshot of the applied state into use and drops entries that it covers.</summary>
    public async Task CompactAsync(long index, long term, ReadOnlyMemory<byte> state, GroupIdentity identity)
    {
        var configuration = writer.Tail.ConfigurationAt(index);
        var content = new SnapshotContent(configuration.Index, configuration.Members, identity, state);
        await WriteSnapshotAsync(index, term, content).ConfigureAwait(false);
        await Enqueue(w => w.Compact(index), replacesSegment: true).ConfigureAwait(false);
    }

    /// <summary>Installs the leader's snapshot; on return it is durable and counts as committed.</summary>
    public async Task InstallAsync(long index, long term, SnapshotContent content)
    {
        if (index <= CommitIndex)
        {
            throw new LogRefusedException($"The snapshot of index {index} is not ahead of the committed index {CommitIndex}.");
        }

        await WriteSnapshotAsync(index, term, content).ConfigureAwait(false);
        await Enqueue(w => w.Install(index, term, content), replacesSegment: true).ConfigureAwait(false);
        TryCommit(index);
    }

    /// <summary>The snapshot that the log stands on; null if there is none.</summary>
    public (long Index, long Term, SnapshotContent Content)? ReadSnapshot()
    {
        while (true)
        {
            var index = SnapshotIndex;
            if (index == 0)
            {
                return null;
            }

            try
            {
                var (term, content) = SnapshotFile.Read(directory, index);
                return (index, term, SnapshotContent.Decode(content.Span));
            }
            catch (IOException) when (index != SnapshotIndex)
            {
                // Replaced by a later one meanwhile: read that.
            }
        }
    }

    /// <summary>Marks entries as committed; never beyond what is durable here.</summary>
    /// <returns>How many entries became committed.</returns>
    public long TryCommit(long index)
    {
        while (true)
        {
            var current = CommitIndex;
            var target = Math.Min(index, LastIndex);
            if (target <= current)
            {
                return 0;
            }

            if (Interlocked.CompareExchange(ref commitIndex, target, current) == current)
            {
                return target - current;
            }
        }
    }

    public long? TermAt(long index) => index <= LastIndex ? writer.Tail.TermAt(index) : null;

    public LogEntry? EntryAt(long index) => index <= LastIndex ? writer.Tail.EntryAt(index) : null;

    /// <summary>Durable entries of a range, capped by bytes (finding 7).</summary>
    public LogEntry[] Slice(long start, long end, long bytesLimit) => writer.Tail.Slice(start, Math.Min(end, LastIndex), bytesLimit);

    public async ValueTask DisposeAsync()
    {
        closing = true;
        wakeup.Release();
        await threadEnded.Task.ConfigureAwait(false);
        stopped.TrySetResult();
    }

    private Task WriteSnapshotAsync(long index, long term, SnapshotContent content) => Task.Run(() =>
    {
        try
        {
            SnapshotFile.Write(directory, index, term, content.Encode());
        }
        catch (Exception e)
        {
            // Handing the failure to the writer thread keeps one place where the log stops.
            _ = Enqueue<bool>(_ => throw new IOException($"Writing a snapshot failed: {e.Message}", e));
            throw;
        }
    });

    private Task<T> Enqueue<T>(Func<LogWriter, T> execute, bool replacesSegment = false)
    {
        var operation = new LogOperation<T>(execute, replacesSegment);
        lock (queueLock)
        {
            if (failure is not null || closing)
            {
                return Task.FromException<T>(Refusal());
            }

            queue.Enqueue(operation);
        }

        wakeup.Release();
        return operation.Task;
    }

    private RaftStoppedException Refusal() => failure is null
        ? new RaftStoppedException("The log is closed.")
        : new RaftStoppedException($"The log in {directory.Path} has stopped: {failure.Message}", failure);

    private void Run()
    {
        var done = new List<LogOperation>();
        try
        {
            while (true)
            {
                wakeup.Wait();
                while (TryDequeue(out var operation))
                {
                    done.Clear();
                    Process(operation, done);
                }

                if (closing)
                {
                    break;
                }
            }
        }
        catch (Exception e)
        {
            Stop(e, done);
        }
        finally
        {
            writer.Dispose();
            FailRest();
            threadEnded.TrySetResult();
        }
    }

    private void Process(LogOperation first, List<LogOperation> done)
    {
        var before = writer.Tail.Configuration.Members;
        Execute(first, done);
        while (!first.ReplacesSegment && !writer.IsFull && TryDequeueShareable() is { } next)
        {
            Execute(next, done);
        }

        if (writer.HasPending)
        {
            var start = Stopwatch.GetTimestamp();
            writer.Flush();
            Interlocked.Add(ref fsyncTicks, Stopwatch.GetTimestamp() - start);
            Interlocked.Increment(ref fsyncCount);
        }

        Publish();
        if (writer.Tail.Configuration is var after && !ReferenceEquals(after.Members, before))
        {
            ConfigurationChanged?.Invoke(after.Members);
        }

        foreach (var operation in done)
        {
            operation.Complete();
        }

        done.Clear();
    }

    private void Execute(LogOperation operation, List<LogOperation> done)
    {
        try
        {
            operation.Execute(writer);
            done.Add(operation);
        }
        catch (Exception e) when (e is LogRefusedException or InvalidDataException or FormatException)
        {
            operation.Fail(e);
        }
        catch (Exception e)
        {
            operation.Fail(new RaftStoppedException($"The log in {directory.Path} has stopped: {e.Message}", e));
            throw;
        }
    }

    private bool TryDequeue(out LogOperation operation)
    {
        lock (queueLock)
        {
            return queue.TryDequeue(out operation!);
        }
    }

    private LogOperation? TryDequeueShareable()
    {
        lock (queueLock)
        {
            return queue.TryPeek(out var next) && !next.ReplacesSegment ? queue.Dequeue() : null;
        }
    }

    private void Publish()
    {
        if (published.State != writer.State)
        {
            published = new TermBox(writer.State);
        }

        Volatile.Write(ref snapshotIndex, writer.Header.SnapshotIndex);
        Volatile.Write(ref fileLength, writer.FileLength);
        Volatile.Write(ref lastIndex, writer.Tail.LastIndex);
    }

    private void Stop(Exception error, List<LogOperation> done)
    {
        lock (queueLock)
        {
            failure = error;
        }

        foreach (var operation in done)
        {
            operation.Fail(Refusal());
        }

        stopped.TrySetException(Refusal());
        _ = stopped.Task.Exception;
    }

    private void FailRest()
    {
        lock (queueLock)
        {
            closing = true;
        }

        while (TryDequeue(out var operation))
        {
            operation.Fail(Refusal());
        }
    }

    private sealed record TermBox(TermState State);
}
