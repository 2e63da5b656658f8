using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>Properties of a node, with Patroni's rules for those that contradict each other.</summary>
public sealed record TagSettings
{
    /// <summary>Never elected: nofailover when it is given, else a failover_priority of 0 or less.</summary>
    public required bool NoFailover { get; init; }

    /// <summary>Preferred among equals; 0 with <see cref="NoFailover"/>.</summary>
    public required int FailoverPriority { get; init; }

    /// <summary>Not a replica for load balancers.</summary>
    public required bool NoLoadBalance { get; init; }

    /// <summary>New replicas are cloned from here.</summary>
    public required bool CloneFrom { get; init; }

    /// <summary>Node to stream from.</summary>
    public required string? ReplicateFrom { get; init; }

    /// <summary>Never a synchronous standby: nosync when it is given, else a sync_priority of 0 or less.</summary>
    public required bool NoSync { get; init; }

    /// <summary>Preferred as synchronous standby; 0 with <see cref="NoSync"/>.</summary>
    public required int SyncPriority { get; init; }

    /// <summary>Recover from the archive only.</summary>
    public required bool NoStream { get; init; }

    /// <summary>
    /// What the API shows: the user's tags as written, false booleans left out - but a nofailover or nosync beside its priority.
    /// </summary>
    public required SettingMap Reported { get; init; }

    /// <summary>No tags.</summary>
    public static TagSettings None { get; } = From(SettingMap.Empty);

    /// <summary>Reads a checked section.</summary>
    public static TagSettings From(SettingMap tags)
    {
        var (noFailover, failoverPriority) = Priority(tags, "nofailover", "failover_priority");
        var (noSync, syncPriority) = Priority(tags, "nosync", "sync_priority");
        return new TagSettings
        {
            NoFailover = noFailover,
            FailoverPriority = failoverPriority,
            NoSync = noSync,
            SyncPriority = syncPriority,
            NoLoadBalance = SettingReader.Boolean(tags["noloadbalance"]) ?? false,
            CloneFrom = SettingReader.Boolean(tags["clonefrom"]) ?? false,
            ReplicateFrom = SettingReader.Text(tags["replicatefrom"]) is { Length: > 0 } name ? name : null,
            NoStream = SettingReader.Boolean(tags["nostream"]) ?? false,
            Reported = Report(tags),
        };
    }

    /// <summary>A sentence for every pair that contradicts itself; the boolean wins.</summary>
    public static IEnumerable<string> Contradictions(SettingMap tags)
    {
        foreach (var (flag, priority) in new[] { ("nofailover", "failover_priority"), ("nosync", "sync_priority") })
        {
            if (SettingReader.Boolean(tags[flag]) is { } no && SettingReader.Integer(tags[priority]) is { } number && no == number > 0)
            {
                yield return $"tags.{flag} ({(no ? "true" : "false")}) and tags.{priority} ({number}) contradict each other; {flag} counts";
            }
        }
    }

    private static (bool No, int Priority) Priority(SettingMap tags, string flag, string priority)
    {
        var number = (int)Math.Clamp(SettingReader.Integer(tags[priority]) ?? 1, int.MinValue, int.MaxValue);
        var no = SettingReader.Boolean(tags[flag]) ?? number <= 0;
        return (no, no ? 0 : Math.Max(number, 1));
    }

    private static SettingMap Report(SettingMap tags)
    {
        bool Shown(SettingEntry entry) => entry.Key switch
        {
            "nofailover" => SettingReader.Boolean(entry.Value) == true || tags["failover_priority"] is not null,
            "nosync" => SettingReader.Boolean(entry.Value) == true || tags["sync_priority"] is not null,
            "clonefrom" or "noloadbalance" or "nostream" => SettingReader.Boolean(entry.Value) == true,
            _ => entry.Value is not SettingNull,
        };
        return tags with { Entries = [.. tags.Entries.Where(Shown)] };
    }
}
