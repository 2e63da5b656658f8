using System.Collections.Immutable;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Output;

/// <summary>Orders members as a tree: replicas below the leader, or below the replica their <c>replicatefrom</c> tag names.</summary>
public static class Topology
{
    /// <summary>The members with their names indented by their depth.</summary>
    public static ImmutableArray<(string Name, SettingMap Member)> Order(ImmutableArray<SettingMap> members)
    {
        var leader = members.FirstOrDefault(IsLeader);
        var replicas = members.Where(m => !IsLeader(m)).Select(ClusterView.Name).ToHashSet(StringComparer.Ordinal);
        var leaderName = leader is null ? "" : ClusterView.Name(leader);
        string Parent(SettingMap m) =>
            SettingReader.Text(ClusterView.Tag(m, "replicatefrom")) is { Length: > 0 } from && from != ClusterView.Name(m) && replicas.Contains(from) ? from : leaderName;
        var below = members.Where(m => !IsLeader(m)).ToLookup(Parent, StringComparer.Ordinal);

        var result = ImmutableArray.CreateBuilder<(string, SettingMap)>();
        var seen = new HashSet<string>(StringComparer.Ordinal); // Tags can name each other in a circle.
        void Add(SettingMap? member, string name, int level)
        {
            if (!seen.Add(name))
            {
                return;
            }

            if (member is not null)
            {
                result.Add((level == 0 ? name : new string(' ', (level - 1) * 2) + "+ " + name, member));
            }

            foreach (var child in below[name])
            {
                Add(child, ClusterView.Name(child), level + 1);
            }
        }

        Add(leader, leaderName, 0);
        foreach (var member in members.Where(m => !seen.Contains(ClusterView.Name(m))))
        {
            Add(member, ClusterView.Name(member), 1); // In a circle; shown rather than lost.
        }

        return result.ToImmutable();
    }

    private static bool IsLeader(SettingMap member) => ClusterView.Role(member).EndsWith("leader", StringComparison.Ordinal);
}
