using System.Net;
using DotNext.Net.Cluster;
using Patroni.Raft.Consensus.Identity;
using Patroni.Raft.Consensus.Log;

namespace Patroni.Raft.Consensus;

/// <summary>
/// The way out of a lost quorum: offline, one surviving node becomes the only member of a new generation of the group. What the lost nodes
/// had acknowledged and this one had not received is gone; the others must be emptied and joined again.
/// </summary>
public static class ForceNewCluster
{
    /// <summary>Rewrites the member list of a stopped node to itself and raises the generation.</summary>
    /// <param name="dataDirectory">The node's Raft directory.</param>
    /// <param name="self">Its advertised address.</param>
    /// <returns>The new generation.</returns>
    /// <exception cref="RaftStartException">In use, damaged, or not a member's directory.</exception>
    public static async Task<long> RunAsync(string dataDirectory, EndPoint self)
    {
        using var directory = NodeDirectory.Open(dataDirectory);
        if (directory.ReadMeta(self) is not { HasLog: true } meta)
        {
            throw new RaftStartException(RaftStartFailure.DirectoryLost, $"{dataDirectory} holds no log: there is nothing to continue with.");
        }

        var identity = meta.Identity.IsKnown
            ? meta.Identity with { Generation = meta.Identity.Generation + 1 }
            : new GroupIdentity(Guid.NewGuid(), 1);
        var member = ClusterMemberId.FromEndPoint(self);
        try
        {
            // The member list comes last: without it in the log, a crash before leaves the old group.
            await using var store = LogStore.Open(directory.Files, new LogStoreOptions(), member);
            await store.OpenTermAsync().ConfigureAwait(false);
            var term = store.Term.Term;
            await store.AppendOwnAsync(new LogEntry(term, EntryKind.Identity, identity.Encode())).ConfigureAwait(false);
            await store.AppendOwnAsync(new LogEntry(term, EntryKind.Configuration, new GroupConfiguration([self]).Encoded)).ConfigureAwait(false);
        }
        catch (LogDamagedException e)
        {
            throw new RaftStartException(RaftStartFailure.LogDamaged, e.Message, e);
        }

        (meta with { Identity = identity }).Write(directory.Files);
        return identity.Generation;
    }
}
