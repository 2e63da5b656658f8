namespace Patroni.Raft.StateMachine;

/// <summary>What a change of leadership may have lost, as far as the log can tell: positions at renewals, a clean stop, the synchronous set.</summary>
internal static class StoryLoss
{
    /// <summary>The verdict.</summary>
    /// <param name="primaryLost">The vacancy that the last primary left, before any winner that never became one.</param>
    /// <param name="elected">The election.</param>
    /// <param name="fence">What the guard of that primary did; null when nothing is known of it.</param>
    public static LossVerdict Of(EventRecord? primaryLost, LeaderElected? elected, FenceFacts? fence)
    {
        if (primaryLost?.Event is not VacancyOpened { FormerHolder: { } former } opening)
            return Nothing(LossKind.NotApplicable, "there was no primary before");
        if (elected is null)
            return Nothing(LossKind.NotApplicable, $"nobody has won yet; {former} had written up to {opening.LastLeaderLsn}") with { LeaderLsn = opening.LastLeaderLsn };
        Lsn had = elected.Candidates.FirstOrDefault(verdict => verdict.Node == elected.Winner)?.EndOfWal ?? default;
        if (elected.Winner == former)
            return new(LossKind.Nothing, 0, opening.LastLeaderLsn, had, 0, $"{former} leads again with its own WAL, to {had}: nothing is lost");
        long missing = Lsn.Lag(had, opening.LastLeaderLsn);
        if (opening.ShutdownLsn.IsValid && had > opening.ShutdownLsn)
            return new(LossKind.Nothing, 0, opening.ShutdownLsn, had, 0,
                $"nothing: {former} stopped cleanly with its last checkpoint at {opening.ShutdownLsn}, and {elected.Winner} had its WAL to {had}");
        long unseen = opening.ShutdownLsn.IsValid || opening.LastRenewalUnixMs == 0 ? 0 : Math.Max(0, End(primaryLost, fence) - opening.LastRenewalUnixMs);
        if (opening.Sync.Leader is not null)
            return new(LossKind.NothingAcknowledged, missing, opening.LastLeaderLsn, had, unseen,
                $"no commit that waited for the synchronous standbys ({EventSentences.Names(opening.Sync.Standbys.Select(static m => m.Node))}): "
                + $"{elected.Winner} may lead only because it has all of them{Behind(missing, former, opening.LastLeaderLsn, had)}");
        return missing > 0
            ? new(LossKind.Known, missing, opening.LastLeaderLsn, had, unseen,
                $"{missing} bytes of WAL at least: {former} had written up to {opening.LastLeaderLsn}, the WAL of {elected.Winner} ended at {had}; replication was asynchronous as far as the cluster manages it{Tail(unseen, former)}")
            : new(LossKind.Possible, 0, opening.LastLeaderLsn, had, unseen,
                $"nothing is known to be missing: {former} had written up to {opening.LastLeaderLsn} when it last said so, and the WAL of {elected.Winner} went to {had}{Tail(unseen, former)}");
    }

    /// <summary>When the former primary could not commit any more: its own clock says so when its guard killed all of it, else the vacancy does.</summary>
    private static long End(EventRecord vacancy, FenceFacts? fence) => fence is { Left: 0 } ? Math.Min(vacancy.UnixMs, fence.AtUnixMs + fence.SignalledMs) : vacancy.UnixMs;

    private static LossVerdict Nothing(LossKind kind, string sentence) => new(kind, 0, default, default, 0, sentence);

    private static string Behind(long missing, NodeName former, Lsn wrote, Lsn had) =>
        missing > 0 ? $"; {missing} bytes that {former} wrote up to {wrote} and that nobody was told are committed are not in its WAL to {had}" : "";

    private static string Tail(long unseenMs, NodeName former) => unseenMs > 0
        ? $"; what {former} committed within the {EventSentences.Seconds(unseenMs)} after its last renewal is there only if a standby received it before"
        : "";
}
