using System.Collections.Immutable;
using System.Globalization;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Status;

/// <summary>One line of a history file: <paramref name="Timeline"/> ended at <paramref name="SwitchPoint"/>.</summary>
/// <param name="Timeline">The parent timeline.</param>
/// <param name="SwitchPoint">Where its child begins; WAL of the parent beyond it is not part of the child.</param>
/// <param name="Reason">Free text.</param>
public sealed record TimelineSwitch(TimelineId Timeline, Lsn SwitchPoint, string Reason);

/// <summary>A timeline and its ancestors, oldest first, as its history file says.</summary>
/// <param name="Timeline">The timeline itself.</param>
/// <param name="Ancestors">Its ancestors; empty for timeline 1.</param>
public sealed record TimelineHistory(TimelineId Timeline, ImmutableArray<TimelineSwitch> Ancestors)
{
    /// <summary>Parses a history file (timeline.c: "TLI, tab, switch point, tab, reason"; blank lines and # comments are skipped). Null when malformed.</summary>
    public static TimelineHistory? Parse(TimelineId timeline, string text)
    {
        var ancestors = ImmutableArray.CreateBuilder<TimelineSwitch>();
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.Trim();
            if (line.Length == 0 || line[0] == '#') continue;
            string[] fields = line.Split((char[])[' ', '\t'], 3, StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length < 2 || !uint.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out uint parent)
                || !Lsn.TryParse(fields[1], out Lsn point) || parent >= timeline.Value
                || ancestors.Count != 0 && parent <= ancestors[^1].Timeline.Value)
                return null;
            ancestors.Add(new(new(parent), point, fields.Length > 2 ? fields[2].Trim() : ""));
        }
        return new(timeline, ancestors.ToImmutable());
    }

    /// <summary>Where WAL of a timeline stops being part of this history: null when it is not an ancestor; the maximum for the timeline itself.</summary>
    public Lsn? EndOf(TimelineId timeline) =>
        timeline == Timeline ? new Lsn(ulong.MaxValue) : Ancestors.FirstOrDefault(a => a.Timeline == timeline)?.SwitchPoint;

    /// <summary>Whether a node whose WAL ends at a position of a timeline can follow this history without a rewind.</summary>
    public bool Contains(TimelineId timeline, Lsn end) => EndOf(timeline) is { } limit && end <= limit;

    /// <summary>Name of the history file, for example 00000002.history.</summary>
    public static string FileName(TimelineId timeline) => string.Create(CultureInfo.InvariantCulture, $"{timeline.Value:X8}.history");
}
