using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>How an election would end now.</summary>
/// <param name="Winner">The winner, or null when nobody may lead.</param>
/// <param name="Verdicts">Everybody who answered: eligible ones best first, then the refused by name.</param>
public sealed record ElectionResult(Stand? Winner, ImmutableArray<CandidateVerdict> Verdicts);

/// <summary>
/// Who may lead, and who of them leads. Refusals in this order: narrowing to a candidate, priority, failsafe topology, synchronous
/// eligibility, lineage, lag; then the order: timeline, end of WAL, failover_priority, name. Pure arithmetic over what stands in the log.
/// </summary>
public static class ElectionRules
{
    /// <summary>Judges an open election.</summary>
    public static ElectionResult Judge(ClusterState state, Vacancy vacancy)
    {
        List<Stand> eligible = [];
        List<CandidateVerdict> refused = [];
        TimelineId highest = vacancy.Stands.Values.Select(static stand => stand.Timeline).DefaultIfEmpty().Max();
        foreach (Stand stand in vacancy.Stands.Values)
        {
            if (Refusal(state, vacancy, stand, highest) is { } refusal) refused.Add(Verdict(stand, false, refusal.Rule, refusal.Reason));
            else eligible.Add(stand);
        }
        BarUnlessAlone(vacancy, eligible, refused);
        foreach (Decline decline in vacancy.Declines.Values)
            refused.Add(new(decline.Node, false, "election.declined", decline.Reason, default, default, 0));

        eligible.Sort(Compare);
        refused.Sort(static (left, right) => left.Node.CompareTo(right.Node));
        var verdicts = ImmutableArray.CreateBuilder<CandidateVerdict>(eligible.Count + refused.Count);
        for (int i = 0; i < eligible.Count; i++)
            verdicts.Add(Verdict(eligible[i], true, "election.eligible", i == 0 ? "won" : WhyBehind(eligible[0], eligible[i])));
        verdicts.AddRange(refused);
        return new(eligible.Count > 0 ? eligible[0] : null, verdicts.ToImmutable());
    }

    private static CandidateVerdict Verdict(Stand stand, bool eligible, string rule, string reason) =>
        new(stand.Node, eligible, rule, reason, stand.Timeline, stand.EndOfWal, stand.FailoverPriority);

    /// <summary>Best first. A timeline that is higher than the recorded lineage is a promotion whose report was lost; it holds everything the lower one held at the fork.</summary>
    private static int Compare(Stand left, Stand right)
    {
        int order = right.Timeline.CompareTo(left.Timeline);
        if (order == 0) order = right.EndOfWal.CompareTo(left.EndOfWal);
        if (order == 0) order = right.FailoverPriority.CompareTo(left.FailoverPriority);
        return order != 0 ? order : left.Node.CompareTo(right.Node);
    }

    private static string WhyBehind(Stand winner, Stand other)
    {
        if (winner.Timeline != other.Timeline) return $"timeline {other.Timeline} is below the winner's {winner.Timeline}";
        if (winner.EndOfWal != other.EndOfWal) return $"{Lsn.Lag(other.EndOfWal, winner.EndOfWal)} bytes behind the winner";
        if (winner.FailoverPriority != other.FailoverPriority) return $"failover_priority {other.FailoverPriority} is below the winner's {winner.FailoverPriority}";
        return "equal to the winner; the name decided";
    }

    private static (string Rule, string Reason)? Refusal(ClusterState state, Vacancy vacancy, Stand stand, TimelineId highest)
    {
        if (vacancy.Candidate is { } candidate)
        {
            if (stand.Node != candidate) return ("election.narrowed", $"the election is open to {candidate} only, until it fails once");
            if (vacancy.RequiredLsn.IsValid && stand.EndOfWal <= vacancy.RequiredLsn)
                return ("election.shutdown-lsn", $"its WAL ends at {stand.EndOfWal}, before the end of the shutdown checkpoint at {vacancy.RequiredLsn}");
        }
        else if (state.Settings.Pause)
        {
            return ("election.paused", "automatic failover is paused; a failover to a named candidate is possible");
        }
        if (stand.FailoverPriority <= 0) return ("election.nofailover", $"failover_priority is {stand.FailoverPriority}");
        return FailsafeRefusal(state, stand) ?? SyncRefusal(state, vacancy, stand) ?? LineageRefusal(state, stand, highest) ?? LagRefusal(state, vacancy, stand);
    }

    /// <summary>In synchronous mode only the set and the primary it belongs to may hold every acknowledged commit; in quorum mode enough of them must have answered without being ahead.</summary>
    private static (string, string)? SyncRefusal(ClusterState state, Vacancy vacancy, Stand stand)
    {
        SyncState sync = state.Sync;
        if (sync.Leader is not { } leader || (stand.Node == leader && stand.Incarnation == sync.LeaderIncarnation)) return null;
        if (!sync.Contains(stand.Node, stand.Incarnation))
            return ("election.not-synchronous", $"it is not in the synchronous set of {leader}, and may miss acknowledged commits");
        if (sync.Quorum == 0) return null;
        int votes = 0;
        foreach (Stand other in vacancy.Stands.Values)
        {
            if (other.Node != stand.Node && sync.Covers(other.Node, other.Incarnation) && ContainsWalOf(stand, other)) votes++;
        }
        return votes >= sync.Quorum
            ? null
            : ("election.no-quorum", $"{votes} of {sync.Quorum} needed synchronous nodes answered without being ahead");
    }

    /// <summary>Whether everything in the WAL of one node is in that of another: on one timeline the end decides, else where the one left the other's timeline.</summary>
    private static bool ContainsWalOf(Stand stand, Stand other) =>
        other.Timeline == stand.Timeline
            ? other.EndOfWal <= stand.EndOfWal
            : stand.History.Any(fork => fork.Timeline == other.Timeline && fork.SwitchLsn >= other.EndOfWal);

    /// <summary>A primary without quorum may go on as long as this topology promises not to stand; nobody outside of it promised anything.</summary>
    private static (string, string)? FailsafeRefusal(ClusterState state, Stand stand) =>
        state.FailsafeTopology.IsEmpty || state.FailsafeTopology.ContainsKey(stand.Node)
            ? null
            : ("election.failsafe", "it is not in the topology of failsafe mode, which the former leader may still rely on");

    private static (string, string)? LineageRefusal(ClusterState state, Stand stand, TimelineId highest)
    {
        if (state.LatestPromotion is not { } promotion)
            return stand.Timeline == highest ? null : ("election.lineage", $"timeline {stand.Timeline} is below {highest} of another candidate");
        if (stand.Timeline < promotion.Timeline)
            return ("election.lineage", $"its timeline {stand.Timeline} does not contain the promotion of {promotion.Node} to timeline {promotion.Timeline}");
        if (stand.Timeline > promotion.Timeline && !stand.History.Any(fork => fork.Timeline == promotion.Timeline))
            return ("election.lineage", $"the history of its timeline {stand.Timeline} does not contain timeline {promotion.Timeline}");
        if (promotion.ParentTimeline.IsKnown
            && !stand.History.Any(fork => fork.Timeline == promotion.ParentTimeline && fork.SwitchLsn == promotion.ForkLsn))
            return ("election.lineage", $"its history does not leave timeline {promotion.ParentTimeline} at {promotion.ForkLsn}, as the promotion of {promotion.Node} did");
        return null;
    }

    private static (string, string)? LagRefusal(ClusterState state, Vacancy vacancy, Stand stand)
    {
        if (vacancy.Candidate is not null || !vacancy.LastLeaderLsn.IsValid) return null;
        long lag = Lsn.Lag(stand.EndOfWal, vacancy.LastLeaderLsn);
        long limit = state.Settings.MaximumLagOnFailover;
        return lag > limit ? ("election.lag", $"{lag} bytes behind the former leader's {vacancy.LastLeaderLsn}; maximum_lag_on_failover is {limit}") : null;
    }

    private static void BarUnlessAlone(Vacancy vacancy, List<Stand> eligible, List<CandidateVerdict> refused)
    {
        if (eligible.All(stand => vacancy.Barred.Contains(stand.Node))) return;
        foreach (Stand stand in eligible.Where(stand => vacancy.Barred.Contains(stand.Node)).ToArray())
        {
            eligible.Remove(stand);
            refused.Add(Verdict(stand, false, "election.barred", "its promotion failed in this series of vacancies"));
        }
    }
}
