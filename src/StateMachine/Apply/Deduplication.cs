using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// A proposal is applied once however often it is proposed. The window is bounded: the newest outcomes of the proposers used last.
/// What fell out of the window is refused as too old, never applied a second time.
/// </summary>
internal static class Deduplication
{
    public const int OutcomesPerProposer = 128;
    public const int Proposers = 64;

    public static Outcome? Find(ClusterState state, CommandId id)
    {
        if (!state.Proposers.TryGetValue(id.Proposer, out ProposerWindow? window)) return null;
        if (window.Outcomes.TryGetValue(id.Sequence, out Outcome? outcome)) return outcome;
        return window.Highest >= OutcomesPerProposer && id.Sequence <= window.Highest - OutcomesPerProposer
            ? new(OutcomeCode.TooOld, state.AppliedIndex, $"Proposal {id} is older than the {OutcomesPerProposer} newest of its proposer; it was applied once or never.")
            : null;
    }

    public static ClusterState Remember(ClusterState state, CommandId id, Outcome outcome)
    {
        ProposerWindow window = state.Proposers.TryGetValue(id.Proposer, out ProposerWindow? known)
            ? known
            : new(0, 0, ImmutableSortedDictionary<ulong, Outcome>.Empty);
        ulong highest = Math.Max(window.Highest, id.Sequence);
        ImmutableSortedDictionary<ulong, Outcome> outcomes = window.Outcomes.Add(id.Sequence, outcome);
        while (outcomes.Count > 0 && highest >= OutcomesPerProposer && First(outcomes) <= highest - OutcomesPerProposer)
            outcomes = outcomes.Remove(First(outcomes));
        ImmutableSortedDictionary<ulong, ProposerWindow> all = state.Proposers.SetItem(id.Proposer, new(state.AppliedIndex, highest, outcomes));
        return state with { Proposers = all.Count > Proposers ? DropLongestUnused(all) : all };
    }

    private static ulong First(ImmutableSortedDictionary<ulong, Outcome> outcomes)
    {
        foreach (ulong sequence in outcomes.Keys) return sequence;
        return 0;
    }

    private static ImmutableSortedDictionary<ulong, ProposerWindow> DropLongestUnused(ImmutableSortedDictionary<ulong, ProposerWindow> all)
    {
        ulong oldest = 0;
        long oldestIndex = long.MaxValue;
        foreach ((ulong proposer, ProposerWindow window) in all)
        {
            if (window.LastIndex >= oldestIndex) continue;
            oldestIndex = window.LastIndex;
            oldest = proposer;
        }
        return all.Remove(oldest);
    }
}
