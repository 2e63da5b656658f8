using DotNext.IO;
using DotNext.Net.Cluster.Consensus.Raft;

namespace Patroni.Raft.Consensus.Log;

/// <summary>What an entry is for.</summary>
internal enum EntryKind : byte
{
    /// <summary>Opens a term, or is a barrier before a membership change.</summary>
    NoOp = 0,

    /// <summary>A proposal: id and payload, see <see cref="CommandEnvelope"/>.</summary>
    Command = 1,

    /// <summary>The member list (<see cref="GroupConfiguration"/>); in force as soon as it is in the log.</summary>
    Configuration = 2,

    /// <summary>Cluster id and generation (<see cref="GroupIdentity"/>), applied by this layer.</summary>
    Identity = 3,
}

/// <summary>
/// One entry, or a snapshot in the place of all entries up to its index. An entry type of our own is needed, because the
/// library's does not let an implementation outside of it mark configuration entries.
/// </summary>
internal readonly record struct LogEntry(long Term, EntryKind Kind, ReadOnlyMemory<byte> Payload, bool IsSnapshot = false) : IRaftLogEntry
{
    /// <summary>The kind travels as the library's command identifier.</summary>
    public int? CommandId => Kind is EntryKind.NoOp || IsSnapshot ? null : (int)Kind;

    public bool IsConfiguration => Kind is EntryKind.Configuration && !IsSnapshot;

    bool IDataTransferObject.IsReusable => true;

    long? IDataTransferObject.Length => Payload.Length;

    bool IDataTransferObject.TryGetMemory(out ReadOnlyMemory<byte> memory)
    {
        memory = Payload;
        return true;
    }

    ValueTask IDataTransferObject.WriteToAsync<TWriter>(TWriter writer, CancellationToken token)
        => Payload.IsEmpty ? ValueTask.CompletedTask : writer.WriteAsync(Payload, null, token);

    /// <summary>Copies an entry that was received or proposed.</summary>
    /// <exception cref="LogRefusedException">A kind that this version does not know.</exception>
    public static async ValueTask<LogEntry> CopyAsync<TEntry>(TEntry source, CancellationToken token)
        where TEntry : IRaftLogEntry
    {
        if (source is LogEntry own)
        {
            return own;
        }

        var kind = KindOf(source);
        var payload = await DataTransferObject.ToByteArrayAsync(source, null, token).ConfigureAwait(false);
        return new LogEntry(source.Term, kind, payload, source.IsSnapshot);
    }

    private static EntryKind KindOf<TEntry>(TEntry source)
        where TEntry : IRaftLogEntry
    {
        if (source.IsSnapshot)
        {
            return EntryKind.NoOp;
        }

        if (source.IsConfiguration)
        {
            return EntryKind.Configuration;
        }

        return source.CommandId switch
        {
            null => EntryKind.NoOp,
            (int)EntryKind.Command => EntryKind.Command,
            (int)EntryKind.Identity => EntryKind.Identity,
            { } other => throw new LogRefusedException($"An entry of kind {other} was received; this version does not know it. Upgrade this node."),
        };
    }
}
