using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>Which criterion put the winner before the next best, with the numbers.</summary>
/// <param name="Rule">Stable id.</param>
/// <param name="Sentence">In words.</param>
public sealed record WinningRule(string Rule, string Sentence)
{
    /// <summary>The first criterion, in the order of <see cref="ElectionRules"/>, in which the two best candidates differ.</summary>
    public static WinningRule Of(NodeName winner, ImmutableArray<CandidateVerdict> candidates)
    {
        CandidateVerdict? best = candidates.FirstOrDefault(verdict => verdict.Node == winner);
        CandidateVerdict? next = candidates.FirstOrDefault(verdict => verdict.Eligible && verdict.Node != winner);
        if (best is null) return new("election.by-creation", "it created the cluster");
        if (next is null) return new("election.by-default", $"it was the only eligible candidate, with WAL to {best.EndOfWal}");
        if (best.Timeline != next.Timeline)
            return new("election.by-timeline", $"its timeline {best.Timeline} is above {next.Timeline} of {next.Node}");
        if (best.EndOfWal != next.EndOfWal)
            return new("election.by-end-of-wal", $"its WAL goes to {best.EndOfWal}, that of {next.Node} to {next.EndOfWal} ({Lsn.Lag(next.EndOfWal, best.EndOfWal)} bytes less)");
        if (best.FailoverPriority != next.FailoverPriority)
            return new("election.by-priority", $"its WAL is as long as that of {next.Node} ({best.EndOfWal}), and its failover_priority {best.FailoverPriority} is above {next.FailoverPriority}");
        return new("election.by-name", $"it equals {next.Node} in WAL ({best.EndOfWal}) and failover_priority ({best.FailoverPriority}), and its name comes first");
    }
}
