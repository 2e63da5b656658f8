using System.Collections.Immutable;
using System.Net;

namespace Patroni.Raft.Consensus;

/// <summary>Everything that one node of the group needs to know before it starts.</summary>
public sealed record RaftOptions
{
    /// <summary>The address to listen on.</summary>
    public required IPEndPoint BindEndPoint { get; init; }

    /// <summary>The address under which the others reach this node (<see cref="RaftAddress.Parse"/>); its identity in the group.</summary>
    public required EndPoint SelfEndPoint { get; init; }

    /// <summary>Self and partners, identical on all nodes of the first formation; not looked at once the log exists.</summary>
    public ImmutableArray<EndPoint> InitialMembers { get; init; } = [];

    /// <summary>Start empty and wait to be added by the leader of an existing group.</summary>
    public bool Join { get; init; }

    /// <summary>Directory of the log, owned by this node alone; created if missing.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>How the Raft port is protected. Anything but <see cref="RaftSecurity.None"/> is needed beyond loopback.</summary>
    public RaftSecurity Security { get; init; } = RaftSecurity.None;

    /// <summary>Lower bound of the election timeout; request and connect timeouts are 90 % of it.</summary>
    public TimeSpan ElectionTimeoutLower { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Upper bound of the election timeout.</summary>
    public TimeSpan ElectionTimeoutUpper { get; init; } = TimeSpan.FromMilliseconds(1000);

    /// <summary>A snapshot is taken when the log file has grown by this many bytes.</summary>
    public int SnapshotAfterBytes { get; init; } = 6 * 1024 * 1024;

    /// <summary>A snapshot is taken after this many entries at the latest.</summary>
    public int SnapshotAfterEntries { get; init; } = 50_000;

    /// <summary>Entries of about this many bytes are kept behind a snapshot, so that a briefly absent node needs no snapshot.</summary>
    public int RetainedBytes { get; init; } = 1024 * 1024;

    /// <summary>Most bytes of entries in one replication request (finding 7 of docs/raft-log.md).</summary>
    public int BatchBytesLimit { get; init; } = 1024 * 1024;

    /// <summary>The biggest accepted proposal, in bytes.</summary>
    public int ProposalBytesLimit { get; init; } = 4 * 1024 * 1024;

    /// <summary>Told to the other nodes on request (node name, API URL); see <see cref="RaftNode.GetPeerAsync"/>.</summary>
    public ImmutableDictionary<string, string> Metadata { get; init; } = ImmutableDictionary<string, string>.Empty;
}
