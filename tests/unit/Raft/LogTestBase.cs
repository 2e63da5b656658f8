using System.Text;
using DotNext.Net.Cluster;
using Patroni.Raft.Consensus;
using Patroni.Raft.Consensus.Log;
using Patroni.Raft.Consensus.Storage;

namespace Patroni.Raft.UnitTests.Raft;

/// <summary>Short names for what the log's tests do all the time.</summary>
public abstract class LogTestBase
{
    internal static readonly ClusterMemberId Self = ClusterMemberId.FromEndPoint(RaftAddress.Parse("127.0.0.1:1"));
    internal static readonly ClusterMemberId Other = ClusterMemberId.FromEndPoint(RaftAddress.Parse("127.0.0.1:2"));
    internal static readonly GroupConfiguration Trio = Group(3);
    internal static readonly GroupConfiguration Four = Group(4);

    internal static GroupConfiguration Group(int members)
        => new(Enumerable.Range(1, members).Select(i => RaftAddress.Parse($"127.0.0.1:{i}")));

    internal static LogEntry Command(long term, string text) => new(term, EntryKind.Command, Encoding.UTF8.GetBytes(text));

    internal static LogEntry Members(long term, GroupConfiguration members) => new(term, EntryKind.Configuration, members.Encoded);

    internal static LogEntry NoOp(long term) => new(term, EntryKind.NoOp, default);

    internal static SnapshotContent Snapshot(string state, GroupConfiguration? members = null, long configurationIndex = 0)
        => new(configurationIndex, members ?? Trio, default, Encoding.UTF8.GetBytes(state));

    internal static FaultDisk NewDisk()
    {
        var disk = new FaultDisk();
        LogStore.Create(disk, Trio);
        return disk;
    }

    internal static LogStore Open(ILogDirectory disk, LogStoreOptions? options = null)
        => LogStore.Open(disk, options ?? new LogStoreOptions(), Self);

    /// <summary>Everything that the log promises to keep, as text.</summary>
    internal static string Describe(LogStore log)
    {
        var text = new StringBuilder();
        text.Append($"term {log.Term.Term} vote {log.Term.VotedFor} members {log.Configuration.Members} snapshot {log.SnapshotIndex}");
        for (var index = log.SnapshotIndex + 1; index <= log.LastIndex; index++)
        {
            var entry = log.EntryAt(index)!.Value;
            text.Append($"\n{index}:{entry.Term}:{entry.Kind}:{Convert.ToHexString(entry.Payload.Span)}");
        }

        return text.ToString();
    }

    internal static async Task<string> DescribeAsync(ILogDirectory disk)
    {
        await using var log = Open(disk);
        return Describe(log);
    }
}
