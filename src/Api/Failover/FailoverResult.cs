using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Failover;

/// <summary>
/// What became of an accepted request, read from the state alone: events may be skipped by a snapshot, and leadership may have moved
/// more than once between two looks.
/// </summary>
/// <param name="RequestIndex">Log index of the request.</param>
/// <param name="Before">Leadership when it was made.</param>
/// <param name="Candidate">Who was asked for.</param>
/// <param name="Action">switchover or failover.</param>
internal sealed record FailoverResult(long RequestIndex, LeaderLease? Before, NodeName? Candidate, string Action)
{
    /// <summary>The answer that this state decides, or null while it decides none.</summary>
    public (int Status, string Text)? Of(ClusterState state)
    {
        if (state.AppliedIndex < RequestIndex) return null;
        bool pending = state.Failover?.RequestIndex == RequestIndex;
        if (state.Leadership is Led { Lease: var lease } && (Before is null || lease.Epoch > Before.Epoch))
        {
            if (lease.Holder == Before?.Holder) return (503, $"{Title} failed: {lease.Holder} was elected again{Reason(state)}");
            return Candidate is null || Candidate == lease.Holder
                ? (200, $"Successfully {Verb} over to \"{lease.Holder}\"")
                : (200, $"{Capital(Verb)} over to \"{lease.Holder}\" instead of \"{Candidate}\"");
        }
        if (pending) return null;
        // Dropped while the old leader still leads, or while there is no leader and none was there before: nobody will act on it any more.
        bool unchanged = Before is null ? state.Lease is null : state.Lease?.Epoch == Before.Epoch;
        return unchanged ? (503, $"{Title} failed{Reason(state)}") : null;
    }

    /// <summary>The answer when the state decided none in time.</summary>
    public (int Status, string Text) Unknown(int seconds) =>
        (503, $"{Title} status unknown after {seconds} seconds; operation may still be in progress");

    private string Title => Capital(Action);

    private string Verb => Action == "switchover" ? "switched" : "failed";

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    /// <summary>Why the request was dropped, when the history still tells.</summary>
    private string Reason(ClusterState state)
    {
        for (int i = state.Events.Length - 1; i >= 0 && state.Events[i].Index >= RequestIndex; i--)
            if (state.Events[i].Event is FailoverCleared cleared && cleared.RequestIndex == RequestIndex) return $": {cleared.Reason}";
        return "";
    }
}
