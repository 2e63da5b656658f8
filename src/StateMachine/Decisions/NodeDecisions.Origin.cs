using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// Where the WAL of a replica came from. Two nodes that are promoted at the same position write the same timeline number with the same history, and PostgreSQL and
/// pg_rewind compare numbers: what came from a promotion that the log never recorded must be known by other means.
/// </summary>
public static partial class NodeDecisions
{
    /// <summary>
    /// WAL of a timeline number of the leader's history that came from elsewhere: it was streamed from a promotion that the log never recorded.
    /// PostgreSQL and pg_rewind compare numbers and would go on from it.
    /// </summary>
    private static string? ForeignOrigin(NodeView view)
    {
        if (view.State.LatestPromotion is not { ParentTimeline.IsKnown: true } latest) return null;
        (TimelineId timeline, ImmutableArray<TimelineFork> history) = view switch
        {
            { Server: StandbyServer standby } => (standby.Timeline, standby.History),
            { Data: PresentData data } => (data.Timeline, data.History),
            _ => (default, []),
        };
        // A timeline that the leader's history does not have is one that pg_rewind sees.
        if (timeline != latest.Timeline && WhereLeft(view.State, timeline) is null) return null;
        foreach (TimelineFork fork in history)
        {
            if (WhereLeft(view.State, fork.Timeline) is { } left && fork.SwitchLsn != left)
                return $"its timeline {timeline} left timeline {fork.Timeline} at {fork.SwitchLsn}, the recorded one did at {left}";
        }
        return null;
    }

    /// <summary>
    /// Why the WAL here may be of a promotion that the log never recorded, or null. A replica whose agent heard nothing of the group went on receiving, and has a timeline above
    /// the one that it was pointed to; since then somebody was elected, may have been promoted, and never said so; and another was recorded. What the log tells completely
    /// needs no doubt; a history that no longer reaches back to the mark, and a mark that cannot be read, are doubted. Of a group that was formed anew nobody knows what its log lacks:
    /// there doubt is enough to clone from a leader, and never enough to keep what may be the best copy out of an election.
    /// </summary>
    private static string? UnknownOrigin(NodeView view)
    {
        if (view.Followed is not { } known || view.State.LatestPromotion is not { } latest || latest.Epoch <= known.Epoch) return null;
        // It won and was promoted after it was last pointed to anybody: what it had was looked at when it stood, and what followed is its own.
        if (view.Mark is { } own && own.Epoch > known.Epoch) return null;
        TimelineId newest = NewestTimeline(view.Data, view.Server);
        if (newest <= known.Timeline) return null;
        if (known.Epoch.Generation != view.State.Generation && view.State.Leadership is not Led) return null;
        if (!known.Epoch.IsKnown) return $"the mark of whom it followed cannot be read, and it has WAL of timeline {newest}";
        string received = $"it received WAL of timeline {newest} after it was pointed to timeline {known.Timeline} of epoch {known.Epoch}";
        if (known.Epoch.Generation != view.State.Generation) return $"{received}, and the group was formed anew since";
        if (!HistoryReachesBackTo(view.State, known)) return $"{received}, and the recorded history no longer reaches back to that";
        return UnpromotedSince(view.State, known.Epoch, latest.Epoch) is { } unpromoted
            ? $"{received}, and since then epoch {unpromoted} ended without a recorded promotion: no tool can tell whose WAL it is"
            : null;
    }

    /// <summary>
    /// Whether others may take WAL from this replica: all that is here is of promotions that the log told of before it could arrive. What it reports as its state of
    /// replication says so.
    /// </summary>
    public static bool IsOfKnownOrigin(ClusterState state, FollowMark? followed, DataView data, ServerView server) =>
        state.LatestPromotion is { } latest && followed is not null && followed.IsFor(latest) && NewestTimeline(data, server) <= followed.Timeline;

    /// <summary>
    /// Whether a replica that has not reached the group in this life of its agent streams a timeline that it was not pointed to. Until it is known whose it is, nothing
    /// more is received: the same address may soon serve another's.
    /// </summary>
    private static bool ReceivesUnheard(NodeView view) =>
        view is { Server: StandbyServer { Upstream: not null }, Data: PresentData, Followed: { } known }
        && NewestTimeline(view.Data, view.Server) > known.Timeline && !view.State.Settings.Pause && !TooSoon(view, ActionKind.Follow);

    private static TimelineId NewestTimeline(DataView data, ServerView server)
    {
        TimelineId running = server is StandbyServer standby ? standby.Timeline : default;
        if (data is not PresentData present) return running;
        TimelineId stored = present.NewestWal > present.Timeline ? present.NewestWal : present.Timeline;
        return running > stored ? running : stored;
    }

    private static bool HistoryReachesBackTo(ClusterState state, FollowMark known) =>
        state.EventCount - state.Events.Length <= known.Events;

    /// <summary>Whether the mark is written anew, so that the history still reaches back to it if this agent hears nothing for long.</summary>
    private static bool GrowsOld(ClusterState state, FollowMark known) => state.EventCount - known.Events > MaximumUntold;

    /// <summary>Of the thousand events that are kept.</summary>
    private const int MaximumUntold = 300;

    private static Epoch? UnpromotedSince(ClusterState state, Epoch after, Epoch before)
    {
        foreach (EventRecord record in state.Events)
        {
            if (record.Event is LeaderElected elected && elected.Epoch > after && elected.Epoch < before && !IsRecorded(state, elected.Epoch)) return elected.Epoch;
        }
        return null;
    }

    private static bool IsRecorded(ClusterState state, Epoch epoch)
    {
        foreach (Promotion promotion in state.Lineage)
            if (promotion.Epoch == epoch) return true;
        return false;
    }
}
