using System.Globalization;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Directories;

/// <summary>
/// Written and fsynced before a promotion: this directory may have become a timeline of its own under that epoch. A directory
/// whose marker is not in the log's lineage is recloned: two nodes promoted to the same timeline number have identical history
/// files, so pg_rewind sees no difference. pg_basebackup and pg_rewind copy files, hence node and incarnation are in it:
/// a marker that names others says nothing about this directory.
/// </summary>
/// <param name="Epoch">The leadership under which promotion was ordered.</param>
/// <param name="TimelineBefore">The timeline it starts from.</param>
/// <param name="Node">Who promotes.</param>
/// <param name="Incarnation">The life of its data directory.</param>
public sealed record PromotionMarker(Epoch Epoch, TimelineId TimelineBefore, NodeName Node, Incarnation Incarnation)
{
    /// <summary>Name of the file in the data directory.</summary>
    public const string FileName = "patroni.raft.promoting";

    /// <summary>Writes it durably.</summary>
    /// <exception cref="IOException">It may not be on disk: do not promote.</exception>
    public void Write(string dataDir) => DurableFile.Write(Path.Combine(dataDir, FileName), string.Create(CultureInfo.InvariantCulture,
        $"epoch {Epoch.Generation} {Epoch.Index}\ntimeline_before {TimelineBefore.Value}\nincarnation {Incarnation.Value:x16}\nnode {Node.Value}\n"));

    /// <summary>Reads the marker of this node and this life of the directory.</summary>
    public static PromotionMarkerState Read(string dataDir, NodeName self, Incarnation incarnation)
    {
        string path = Path.Combine(dataDir, FileName);
        if (DurableFile.ReadOrNull(path) is not { } text) return new PromotionMarkerState.None();
        if (Parse(text) is not { } marker) return new PromotionMarkerState.Damaged(path);
        return marker.Node == self && marker.Incarnation == incarnation
            ? new PromotionMarkerState.Own(marker)
            : new PromotionMarkerState.Foreign(marker);
    }

    /// <summary>Removes it, durably.</summary>
    public static void Remove(string dataDir) => DurableFile.Delete(Path.Combine(dataDir, FileName));

    internal static PromotionMarker? Parse(string text)
    {
        string[] lines = text.Split('\n');
        if (lines.Length < 5) return null;
        string[] epoch = lines[0].Split(' '), timeline = lines[1].Split(' '), incarnation = lines[2].Split(' ');
        return epoch is ["epoch", var g, var i] && uint.TryParse(g, out uint generation) && long.TryParse(i, out long index)
            && timeline is ["timeline_before", var t] && uint.TryParse(t, out uint before)
            && incarnation is ["incarnation", var n]
            && ulong.TryParse(n, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong life)
            && lines[3].StartsWith("node ", StringComparison.Ordinal)
            ? new(new(generation, index), new(before), new(lines[3][5..]), new(life))
            : null;
    }
}

/// <summary>What a look for the promotion marker found.</summary>
public abstract record PromotionMarkerState
{
    private PromotionMarkerState() { }
    /// <summary>No promotion was ordered here.</summary>
    public sealed record None : PromotionMarkerState;
    /// <summary>This node, in this life of the directory, ordered a promotion.</summary>
    public sealed record Own(PromotionMarker Marker) : PromotionMarkerState;
    /// <summary>A copy of somebody else's, or of a former life; without meaning here.</summary>
    public sealed record Foreign(PromotionMarker Marker) : PromotionMarkerState;
    /// <summary>It cannot be read: treat the directory as promoted outside the lineage.</summary>
    public sealed record Damaged(string Path) : PromotionMarkerState;
}
