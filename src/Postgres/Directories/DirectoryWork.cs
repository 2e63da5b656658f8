using System.Globalization;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Directories;

/// <summary>Work that leaves a data directory unusable when it is interrupted.</summary>
public enum DirectoryWorkKind
{
    /// <summary>initdb or a custom bootstrap, up to the clean stop after the users were created.</summary>
    Initialize,
    /// <summary>pg_basebackup or another replica method.</summary>
    Clone,
    /// <summary>pg_rewind.</summary>
    Rewind,
}

/// <summary>
/// Marker in the state directory, on disk before the work starts and removed after its result was made durable: whoever finds
/// it knows that the data directory is half done. It is not in the data directory: initdb and pg_basebackup want that empty,
/// and pg_rewind removes what its source does not have.
/// </summary>
/// <param name="Kind">What was started.</param>
/// <param name="DataDir">On which directory; a marker for another one is ignored.</param>
/// <param name="Source">From where, for messages.</param>
/// <param name="StartedAt">When, by the wall clock; for messages.</param>
public sealed record DirectoryWork(DirectoryWorkKind Kind, string DataDir, string Source, DateTimeOffset StartedAt)
{
    /// <summary>Name of the file in the state directory.</summary>
    public const string FileName = "data-directory-work";

    /// <summary>Its path.</summary>
    public static string PathIn(string stateDirectory) => Path.Combine(stateDirectory, FileName);

    internal static void Begin(string stateDirectory, DirectoryWorkKind kind, string dataDir, string source)
    {
        Directory.CreateDirectory(stateDirectory);
        DurableFile.Write(PathIn(stateDirectory), string.Create(CultureInfo.InvariantCulture,
            $"{kind}\n{DateTimeOffset.UtcNow.ToUnixTimeSeconds()}\n{source.ReplaceLineEndings(" ")}\n{dataDir}\n"));
    }

    /// <summary>Makes the work's result durable, then removes the marker.</summary>
    internal static void Complete(string stateDirectory, string dataDir)
    {
        DurableFile.SyncFileSystem(dataDir);
        Abandon(stateDirectory);
    }

    /// <summary>Ends a clone or a rewind: what was copied along is about the source; from here on the directory is this node's, in a new life, and starts as a standby.</summary>
    /// <param name="settings">Whose.</param>
    /// <param name="mark">The newest promotion of which its WAL is known; null when nobody keeps a record.</param>
    internal static Incarnation CompleteCopy(PostgresSettings settings, FollowMark? mark)
    {
        PromotionMarker.Remove(settings.DataDir);
        SignalFiles.Prepare(settings.DataDir, LaunchMode.Standby);
        Incarnation incarnation = DataIncarnation.Draw(settings.DataDir, settings.Name);
        // A copied mark names the source and its life: it counts for nothing here, also when it is not replaced.
        if (mark is not null) FollowingFile.Write(settings.DataDir, mark, settings.Name, incarnation);
        Complete(settings.StateDirectory, settings.DataDir);
        return incarnation;
    }

    /// <summary>Removes the marker: the directory was emptied or moved away.</summary>
    internal static void Abandon(string stateDirectory) => DurableFile.Delete(PathIn(stateDirectory));

    /// <summary>The unfinished work on this directory, if any. A marker that cannot be parsed counts as an unfinished clone.</summary>
    public static DirectoryWork? Find(string stateDirectory, string dataDir)
    {
        if (DurableFile.ReadOrNull(PathIn(stateDirectory)) is not { } text) return null;
        string[] lines = text.Split('\n');
        if (lines.Length < 4 || !Enum.TryParse(lines[0], out DirectoryWorkKind kind) || !long.TryParse(lines[1], out long seconds))
            return new(DirectoryWorkKind.Clone, dataDir, "unknown (the marker is damaged)", DateTimeOffset.UnixEpoch);
        return lines[3] == dataDir ? new(kind, lines[3], lines[2], DateTimeOffset.FromUnixTimeSeconds(seconds)) : null;
    }
}
