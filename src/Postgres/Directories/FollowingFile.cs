using System.Globalization;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Directories;

/// <summary>
/// The mark of the recorded promotion to which a replica was pointed, kept in the data directory and flushed before the first WAL can arrive. Like the
/// marker of a promotion it names node and incarnation: a copied file says nothing about this directory.
/// </summary>
public static class FollowingFile
{
    /// <summary>Name of the file in the data directory.</summary>
    public const string FileName = "patroni.raft.following";

    /// <summary>Writes it durably, when it says something else.</summary>
    /// <exception cref="IOException">It may not be on disk: nothing may be received.</exception>
    public static void Write(string dataDir, FollowMark mark, NodeName self, Incarnation incarnation) =>
        DurableFile.WriteIfChanged(Path.Combine(dataDir, FileName), string.Create(CultureInfo.InvariantCulture,
            $"epoch {mark.Epoch}\ntimeline {mark.Timeline.Value}\nevents {mark.Events}\nincarnation {incarnation}\nnode {self.Value}\n"));

    /// <summary>The mark of this node and this life of the directory; null when there is none; one without an epoch when it cannot be read.</summary>
    public static FollowMark? Read(string dataDir, NodeName self, Incarnation incarnation) => Find(dataDir) switch
    {
        null => null,
        { Mark: null } => new(Epoch.None, default, 0),
        var found => found.Node == self && found.Incarnation == incarnation.ToString() ? found.Mark : null,
    };

    /// <summary>Whoever's mark it is: in a copy of a replica's directory it says how well known the replica's own WAL was.</summary>
    public static FollowMark? ReadCopied(string dataDir) => Find(dataDir)?.Mark;

    private static Content? Find(string dataDir)
    {
        if (DurableFile.ReadOrNull(Path.Combine(dataDir, FileName)) is not { } text) return null;
        string[][] lines = [.. text.Split('\n').Select(static line => line.Split(' ', 2))];
        return lines is [["epoch", var e], ["timeline", var t], ["events", var n], ["incarnation", var life], ["node", var node], ..]
            && Epoch.TryParse(e, out Epoch epoch) && epoch.IsKnown && uint.TryParse(t, NumberStyles.None, CultureInfo.InvariantCulture, out uint timeline)
            && long.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out long events)
                ? new(new(epoch, new(timeline), events), life, new(node))
                : new(null, "", default);
    }

    private sealed record Content(FollowMark? Mark, string Incarnation, NodeName Node);
}
