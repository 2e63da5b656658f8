using System.Net;
using DotNext.IO.Log;
using DotNext.Net.Cluster;
using DotNext.Net.Cluster.Consensus.Raft;
using DotNext.Net.Cluster.Consensus.Raft.StateMachine;
using Patroni.Raft.Consensus.Log;
using LogEntry = Patroni.Raft.Consensus.Log.LogEntry;

namespace Patroni.Raft.Consensus.Node;

/// <summary>
/// Our log as the library sees it. IPersistentState cannot be implemented outside of the library (its setter is internal), but a
/// class that derives from its log and names the interface again re-implements every member; the base class stays
/// idle in a directory of its own. Written against exactly version 6.12.0.
/// </summary>
internal sealed class DurableLog(
    LogStore store, Applier applier, SnapshotFetcher fetcher, EndPoint self, string idlePath, long batchBytesLimit)
    : WriteAheadLog(new Options { Location = idlePath, ChunkSize = 4096 }, IStateMachine.CreateNoOp()), IPersistentState
{
    private long reportedCommit;

    bool IAuditTrail.IsLogEntryLengthAlwaysPresented => true;

    /// <summary>
    /// The commit index as far as a leader told it (or this node, leading, found it) since the start; behind the real one after a snapshot or a
    /// restart. The library rejects a snapshot that is not ahead of it, and a leader whose request had timed out while the
    /// snapshot was being installed would then offer it for ever.
    /// </summary>
    long IAuditTrail.LastCommittedEntryIndex => Volatile.Read(ref reportedCommit);

    long IAuditTrail.LastEntryIndex => store.LastIndex;

    long IPersistentState.Term => store.Term.Term;

    int IPersistentState.Version => 0;

    Task IAuditTrail.InitializeAsync(CancellationToken token) => Task.CompletedTask;

    bool IPersistentState.IsVotedFor(in ClusterMemberId id) => store.Term.VotedFor is not { } given || given == id;

    async ValueTask<long> IPersistentState.IncrementTermAsync(ClusterMemberId member, CancellationToken token)
        => await store.IncrementTermAsync(member).ConfigureAwait(false);

    // The vote is forgotten only together with a higher term, whatever the caller asks for: see LogWriter.UpdateTerm.
    async ValueTask IPersistentState.UpdateTermAsync(long term, bool resetLastVote, CancellationToken token)
        => await store.UpdateTermAsync(term).ConfigureAwait(false);

    async ValueTask IPersistentState.UpdateVotedForAsync(ClusterMemberId member, CancellationToken token)
        => await store.VoteAsync(member).ConfigureAwait(false);

    async ValueTask<long> IAuditTrail<IRaftLogEntry>.AppendAsync<TEntryImpl>(TEntryImpl entry, CancellationToken token)
        => await store.AppendOwnAsync(await LogEntry.CopyAsync(entry, token).ConfigureAwait(false)).ConfigureAwait(false);

    async ValueTask IAuditTrail<IRaftLogEntry>.AppendAsync<TEntryImpl>(
        ILogEntryProducer<TEntryImpl> entries, long startIndex, bool skipCommitted, CancellationToken token)
    {
        var received = new List<LogEntry>();
        while (await entries.MoveNextAsync().ConfigureAwait(false))
        {
            received.Add(await LogEntry.CopyAsync(entries.Current, token).ConfigureAwait(false));
        }

        if (received.Count > 0)
        {
            await store.AppendReplicatedAsync(startIndex, received).ConfigureAwait(false);
        }
    }

    async ValueTask IAuditTrail<IRaftLogEntry>.AppendAsync<TEntryImpl>(TEntryImpl entry, long startIndex, CancellationToken token)
    {
        var received = await LogEntry.CopyAsync(entry, token).ConfigureAwait(false);
        if (!received.IsSnapshot)
        {
            await store.AppendReplicatedAsync(startIndex, [received]).ConfigureAwait(false);
            return;
        }

        if (startIndex <= store.CommitIndex)
        {
            // Everything up to there is held and committed: installed by an earlier request whose answer got lost.
            return;
        }

        var holder = SnapshotReference.Decode(received.Payload.Span).Holder;
        var content = await fetcher.TryGetAsync(holder, startIndex).ConfigureAwait(false)
            ?? throw new LogRefusedException($"The snapshot of index {startIndex} is still being fetched from {RaftAddress.Format(holder)}.");
        await store.InstallAsync(startIndex, received.Term, content).ConfigureAwait(false);
        applier.Signal();
    }

    ValueTask<long> IAuditTrail.CommitAsync(long endIndex, CancellationToken token)
    {
        var count = store.TryCommit(endIndex);
        var known = Math.Min(endIndex, store.CommitIndex);
        if (known > reportedCommit)
        {
            Volatile.Write(ref reportedCommit, known);
        }

        if (count > 0)
        {
            applier.Signal();
        }

        return new ValueTask<long>(count);
    }

    ValueTask IAuditTrail.WaitForApplyAsync(CancellationToken token) => new(applier.WaitAsync(applier.AppliedIndex + 1, token));

    ValueTask IAuditTrail.WaitForApplyAsync(long index, CancellationToken token) => new(applier.WaitAsync(index, token));

    ValueTask<TResult> IAuditTrail<IRaftLogEntry>.ReadAsync<TResult>(
        ILogEntryConsumer<IRaftLogEntry, TResult> reader, long startIndex, long endIndex, CancellationToken token)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(startIndex);
        if (reader.LogEntryMetadataOnly && startIndex == endIndex && store.TermAt(startIndex) is { } term)
        {
            return reader.ReadAsync<LogEntry, LogEntry[]>([new LogEntry(term, EntryKind.NoOp, default)], null, token);
        }

        if (startIndex > endIndex)
        {
            return reader.ReadAsync<LogEntry, LogEntry[]>([], null, token);
        }

        return startIndex > store.BaseIndex
            ? reader.ReadAsync<LogEntry, LogEntry[]>(store.Slice(startIndex, endIndex, batchBytesLimit), null, token)
            : ReadSnapshotAsync(reader, token);
    }

    private ValueTask<TResult> ReadSnapshotAsync<TResult>(ILogEntryConsumer<IRaftLogEntry, TResult> reader, CancellationToken token)
    {
        var index = store.SnapshotIndex;
        if (index == 0 || store.TermAt(index) is not { } term)
        {
            // An index before the base of a log without snapshot does not exist.
            return reader.ReadAsync<LogEntry, LogEntry[]>([], null, token);
        }

        var entry = new LogEntry(term, EntryKind.NoOp, new SnapshotReference(self).Encode(), IsSnapshot: true);
        return reader.ReadAsync<LogEntry, LogEntry[]>([entry], index, token);
    }
}
