using System.Globalization;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Provisioning;

/// <summary>Whether a stopped directory's WAL is a prefix of a leader's.</summary>
public abstract record DivergenceResult
{
    private DivergenceResult() { }
    /// <summary>It can follow as it is.</summary>
    public sealed record Contained(string Reason) : DivergenceResult;
    /// <summary>It holds WAL that the leader does not have.</summary>
    public sealed record Diverged(string Reason) : DivergenceResult;
    /// <summary>It could not be found out.</summary>
    public sealed record Unknown(string Reason) : DivergenceResult;
}

/// <summary>
/// Compares the WAL files of a stopped directory with a leader's history. Not the control file alone: a standby replays
/// whatever valid WAL its pg_wal holds, and the control file tells only how far it had been replayed or checkpointed.
/// </summary>
public static class Divergence
{
    /// <summary>Judges every timeline of which WAL is present.</summary>
    /// <param name="settings">Instance.</param>
    /// <param name="control">Its control data.</param>
    /// <param name="leader">The leader's history.</param>
    /// <param name="cancel">Cancels.</param>
    public static async Task<DivergenceResult> CheckAsync(
        PostgresSettings settings, ControlData control, TimelineHistory leader, CancellationToken cancel = default)
    {
        TimelineId local = new(Math.Max(control.CheckpointTimeline.Value, control.MinRecoveryEndTimeline.Value));
        if (leader.EndOf(local) is not { } limit)
            return new DivergenceResult.Diverged($"timeline {local} of this node is not in the history of the leader's timeline {leader.Timeline}");
        Lsn reached = Lsn.Max(control.MinRecoveryEnd, control.CheckpointRedo);
        if (local != leader.Timeline && (reached > limit || control.CheckpointLocation >= limit && control.CheckpointTimeline == local))
            return new DivergenceResult.Diverged($"this node wrote timeline {local} up to {Lsn.Max(reached, control.CheckpointLocation)}, but the leader left it at {limit}");
        foreach (uint timeline in TimelinesInWal(settings.DataDir).Where(timeline => timeline >= local.Value))
        {
            if (timeline == leader.Timeline.Value) continue;
            if (leader.EndOf(new(timeline)) is not { } end)
                return new DivergenceResult.Diverged($"this node holds WAL of timeline {timeline}, which is not in the history of the leader's timeline {leader.Timeline}");
            (bool? beyond, string? error) = await HasRecordAtAsync(settings, control, new(timeline), end, cancel);
            if (beyond is null) return new DivergenceResult.Unknown(error!);
            if (beyond.Value) return new DivergenceResult.Diverged($"this node holds WAL of timeline {timeline} beyond {end}, where the leader left it");
        }
        return new DivergenceResult.Contained($"its WAL ends on timeline {local} not beyond {(local == leader.Timeline ? "the leader's" : limit.ToString())}");
    }

    // The leader's switch point is the end of a record; both WALs are equal up to there, so a valid record that begins there is one the leader lacks.
    private static async Task<(bool? Beyond, string? Error)> HasRecordAtAsync(
        PostgresSettings settings, ControlData control, TimelineId timeline, Lsn position, CancellationToken cancel)
    {
        string wal = Path.Combine(settings.DataDir, "pg_wal");
        if (!File.Exists(Path.Combine(wal, SegmentName(timeline, position, control.WalSegmentSizeBytes)))) return (false, null);
        ToolResult result = await Tool.RunAsync(new()
        {
            File = settings.Binary("pg_waldump"),
            Arguments = ["-p", wal, "-t", timeline.ToString(), "-s", position.ToString(), "-n", "1"],
            WorkingDirectory = "/",
            Environment = Tool.CLocale,
        }, TimeSpan.FromSeconds(30), cancel: cancel);
        // Without a valid record there it ends with an error; killed or not started is not an answer.
        return result.Exit is { Code: not null }
            ? (result.Output.Contains("lsn: ", StringComparison.Ordinal), null)
            : (null, $"pg_waldump could not look for a record at {position}: {result.Describe()}");
    }

    private static IEnumerable<uint> TimelinesInWal(string dataDir) => Directory
        .EnumerateFiles(Path.Combine(dataDir, "pg_wal"))
        .Select(path => Path.GetFileName(path))
        .Where(name => name.Length == 24 && name.All(char.IsAsciiHexDigitUpper))
        .Select(name => uint.Parse(name.AsSpan(0, 8), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))
        .Distinct().Order().ToArray();

    /// <summary>The name of the segment file that holds a position (xlog_internal.h, XLogFileName).</summary>
    internal static string SegmentName(TimelineId timeline, Lsn position, int segmentSizeBytes)
    {
        ulong segment = position.Value / (ulong)segmentSizeBytes, perId = 0x100000000UL / (ulong)segmentSizeBytes;
        return string.Create(CultureInfo.InvariantCulture, $"{timeline.Value:X8}{segment / perId:X8}{segment % perId:X8}");
    }
}
