using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>What the holder remembers of failsafe mode; nothing of it outlives the agent.</summary>
public sealed record FailsafeMemory
{
    /// <summary>Nothing asked, nothing proposed.</summary>
    public static FailsafeMemory Empty { get; } = new();

    /// <summary>When the last round of questions began, CLOCK_BOOTTIME milliseconds.</summary>
    public long AskedAtMs { get; init; }

    /// <summary>Topologies proposed; each may be in force unknown as long as the version it names is the newest known.</summary>
    private ImmutableList<SetFailsafeTopology> Proposed { get; init; } = [];

    /// <summary>Notes a topology before it is proposed: from then on it may be in force.</summary>
    public FailsafeMemory Propose(SetFailsafeTopology topology) =>
        Proposed.Contains(topology) ? this : this with { Proposed = Proposed.RemoveAll(other => other.ExpectedVersion != topology.ExpectedVersion || other.Epoch != topology.Epoch).Add(topology) };

    /// <summary>Every topology that may be in force under an epoch.</summary>
    internal IEnumerable<ImmutableSortedDictionary<NodeName, string>> MayBeInForce(ClusterState state, Epoch epoch) =>
        Proposed.Where(topology => topology.Epoch == epoch && topology.ExpectedVersion == state.FailsafeVersion)
            .Select(static topology => topology.Topology).Prepend(state.FailsafeTopology);
}

/// <summary>A round of questions.</summary>
/// <param name="Question">What is asked.</param>
/// <param name="Members">Name and API URL of those who all must say yes.</param>
/// <param name="Others">API URLs of the other voters: they cannot win, and their no counts for nothing; their yes keeps them from proposing the lease's end.</param>
/// <param name="TimeoutMs">How long to wait for answers.</param>
public sealed record FailsafeRound(
    FailsafeQuestion Question, ImmutableArray<(NodeName Name, string ApiUrl)> Members, ImmutableArray<(NodeName Name, string ApiUrl)> Others, long TimeoutMs);

/// <summary>
/// The holder's side of failsafe mode. Without renewals it goes on only by promises of everybody who could win an election: the members of the recorded
/// topology, and of every topology that it proposed and that may be recorded without its knowing.
/// </summary>
public static class FailsafeRules
{
    private const long LongestTimeoutMs = 2000;

    /// <summary>The change of the recorded topology that is due, or null: the holder and every member that reports; nobody when the mode is off.</summary>
    public static SetFailsafeTopology? Topology(NodeView view)
    {
        // Who carries the lease by a promise stays the one who is asked: a new member has promised nothing.
        if (!Leads(view) || view.Lease!.ByPromises || !view.Lease.Permits(view.NowMs) || view.State.Lease is not { } lease) return null;
        var wanted = ImmutableSortedDictionary.CreateBuilder<NodeName, string>();
        if (view.State.Settings.FailsafeMode)
        {
            foreach (Member member in view.State.Members.Values)
                if (member.Name != view.Self && member.Presence == MemberPresence.Alive && member.Report.ApiUrl.Length > 0) wanted[member.Name] = member.Report.ApiUrl;
            wanted[view.Self] = view.Report.ApiUrl;
        }
        return wanted.SequenceEqual(view.State.FailsafeTopology) ? null : new(lease.Epoch, view.State.FailsafeVersion, wanted.ToImmutable());
    }

    /// <summary>The round of questions that is due, or null.</summary>
    public static FailsafeRound? Round(NodeView view, FailsafeMemory memory)
    {
        if (!Leads(view) || !view.State.Settings.FailsafeMode || !view.Lease!.Permits(view.NowMs) || view.NowMs < RoundDueMs(view, memory)) return null;
        var members = ImmutableSortedDictionary.CreateBuilder<NodeName, string>();
        foreach (ImmutableSortedDictionary<NodeName, string> topology in memory.MayBeInForce(view.State, view.Lease.Epoch))
        {
            // Without a topology anybody may win, and one without this node was recorded for another.
            if (!topology.ContainsKey(view.Self)) return null;
            members.AddRange(topology.Where(member => member.Key != view.Self && !members.ContainsKey(member.Key)));
        }
        var others = view.State.Peers.Values.Where(peer => peer.Name != view.Self && !members.ContainsKey(peer.Name) && peer.ApiUrl.Length > 0);
        long left = view.Lease.FenceStartMs - view.NowMs;
        return new(new(view.Self, view.Lease.Epoch, view.State.Settings.TtlMs), [.. members.Select(static member => (member.Key, member.Value))],
            [.. others.Select(static peer => (peer.Name, peer.ApiUrl))], Math.Clamp(left, 1, LongestTimeoutMs));
    }

    /// <summary>Whether everybody who may win now was asked: a topology proposed since the round began may let others win.</summary>
    public static bool Covers(FailsafeRound round, NodeName self, ClusterState state, FailsafeMemory memory) =>
        memory.MayBeInForce(state, round.Question.Epoch).All(topology =>
            topology.ContainsKey(self) && topology.Keys.All(name => name == self || round.Members.Any(member => member.Name == name)));

    /// <summary>
    /// When the next round is due, CLOCK_BOOTTIME milliseconds: in the second half of a lease that nobody renewed; while promises carry it, every loop_wait.
    /// </summary>
    public static long RoundDueMs(NodeView view, FailsafeMemory memory)
    {
        if (view.Lease is not { } held) return long.MaxValue;
        DynamicConfiguration settings = view.State.Settings;
        long usable = LeaseTimings.UsableMs(settings.TtlMs);
        long next = memory.AskedAtMs + Math.Min(settings.LoopWaitMs, usable / 4);
        return held.ByPromises ? next : Math.Max(next, held.FenceStartMs - (usable / 2));
    }

    /// <summary>Whether this node holds leadership, is recorded as primary, and renewed in this life of the agent: what an earlier life proposed is refused from then on.</summary>
    private static bool Leads(NodeView view) =>
        view.StateIsCurrent && view.State.Leadership is Led { Lease: var lease } && lease.Holder == view.Self && view.Released?.Epoch != lease.Epoch
        && view.RenewedEpoch == lease.Epoch && view.Lease?.Epoch == lease.Epoch;
}
