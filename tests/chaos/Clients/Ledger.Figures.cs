using Patroni.Raft.ChaosTests.Checking;

namespace Patroni.Raft.ChaosTests.Clients;

/// <summary>Figures of one fault, from what clients saw since it struck; nanoseconds.</summary>
internal sealed partial class Ledger
{
    /// <summary>The longest time between two acknowledged appends, whoever acknowledged them.</summary>
    public long LongestOutage(long since)
    {
        long longest = 0, last = since;
        foreach (long at in appends.Where(append => append.Accepted is not null).Select(append => append.Span.End).Where(end => end >= since).Order())
        {
            longest = Math.Max(longest, at - last);
            last = at;
        }
        return longest;
    }

    /// <summary>From the last acknowledgement of a node to the first write that another accepted; null when one of them accepted none.</summary>
    public long? BetweenPrimaries(string old, long since)
    {
        List<(Span Span, string Node)> accepted =
        [
            .. appends.Where(append => append.Accepted is not null && append.Span.End >= since).Select(append => (append.Span, append.Node)),
            .. pulses.Where(pulse => pulse.Span.End >= since).Select(pulse => (pulse.Span, pulse.Reign.Node)),
        ];
        if (accepted.All(write => write.Node == old) || accepted.All(write => write.Node != old)) return null;
        return accepted.Where(write => write.Node != old).Min(write => write.Span.Begin) - accepted.Where(write => write.Node == old).Max(write => write.Span.End);
    }

    /// <summary>Writes that failed at a node that was not simply a standby.</summary>
    public int FailedSince(long since) => failedAt.Count(at => at >= since);
}
