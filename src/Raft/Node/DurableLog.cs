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
internal sealed class DurableLog(LogStore store, Applier applier, string idlePath, long batchBytesLimit)
    : WriteAheadLog(new Options { Location = idlePath, ChunkSize = 4096 }, IStateMachine.CreateNoOp()), IPersistentState
{
    bool IAuditTrail.IsLogEntryLengthAlwaysPresented => true;

    long IAuditTrail.LastCommittedEntryIndex => store.CommitIndex;

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

        await store.InstallAsync(startIndex, received.Term, SnapshotContent.Decode(received.Payload.Span)).ConfigureAwait(false);
        applier.Signal();
    }

    ValueTask<long> IAuditTrail.CommitAsync(long endIndex, CancellationToken token)
    {
        var count = store.TryCommit(endIndex);
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
        if (store.ReadSnapshot() is not { } snapshot)
        {
            // An index before the base of a log without snapshot does not exist.
            return reader.ReadAsync<LogEntry, LogEntry[]>([], null, token);
        }

        var entry = new LogEntry(snapshot.Term, EntryKind.NoOp, snapshot.Content.Encode(), IsSnapshot: true);
        return reader.ReadAsync<LogEntry, LogEntry[]>([entry], snapshot.Index, token);
    }
}
