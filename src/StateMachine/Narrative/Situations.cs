using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>Answers "why is nobody leader now" and "why did it not fail over" from the replicated state, the events and the voters' health.</summary>
public static class Situations
{
    /// <summary>The situation.</summary>
    /// <param name="state">The replicated state.</param>
    /// <param name="events">The event log, oldest first.</param>
    /// <param name="voters">The Raft group; empty when nobody could tell.</param>
    /// <param name="unixNowMs">Wall clock of whoever asks, Unix milliseconds.</param>
    public static Situation Of(ClusterState state, ImmutableArray<EventRecord> events, ImmutableArray<VoterHealth> voters, long unixNowMs)
    {
        var reasons = ImmutableArray.CreateBuilder<string>();
        if (NoQuorum(state, voters, reasons) is { } headline) return new(SituationKind.NoQuorum, headline, reasons.ToImmutable());
        (SituationKind kind, string text) = state.Leadership switch
        {
            Led led => WhenLed(state, led, events, unixNowMs, reasons),
            Elected elected => WhenElected(state, elected, events, unixNowMs, reasons),
            Vacant { Vacancy: var vacancy } => WhenVacant(state, vacancy, events, unixNowMs, reasons),
            Initializing { Claim: var claim } => (SituationKind.Initializing, $"{claim.Node} initializes the cluster; the others wait and clone from it afterwards"),
            _ => WhenUninitialized(state, events, reasons),
        };
        return new(kind, text, reasons.ToImmutable());
    }

    private static string? NoQuorum(ClusterState state, ImmutableArray<VoterHealth> voters, ImmutableArray<string>.Builder reasons)
    {
        if (voters.IsEmpty || voters.Any(static voter => voter.SeesLeader)) return null;
        int answering = voters.Count(static voter => voter.Answers), needed = voters.Length / 2 + 1;
        foreach (VoterHealth voter in voters) reasons.Add($"{voter.Name} {(voter.Answers ? "answers and knows no leader of the Raft group" : "does not answer")}");
        if (answering < needed)
            reasons.Add("bring back enough nodes with their Raft directories; when they are gone for good, one survivor can go on alone: patroni-raft raft force-new-cluster");
        string last = state.Lease is { } lease ? $"; {lease.Holder} led last, and may write only until the lease that it renewed last is over" : "";
        return answering < needed
            ? $"the Raft group has no quorum: {answering} of {voters.Length} voters answer and {needed} are needed, so nothing can be decided{last}"
            : $"the Raft group has no leader at this moment although {answering} of {voters.Length} voters answer; that lasts for an election, or their Raft ports cannot reach each other{last}";
    }

    private static (SituationKind, string) WhenLed(
        ClusterState state, Led led, ImmutableArray<EventRecord> events, long unixNowMs, ImmutableArray<string>.Builder reasons)
    {
        LeaderLease lease = led.Lease;
        long age = Math.Max(0, unixNowMs - lease.RenewedUnixMs);
        if (lease.Unbounded)
            reasons.Add(state.Settings.Pause
                ? $"the cluster is paused and the lease of {lease.Holder} needs no renewals: nothing fails over until it is resumed"
                : $"the pause is over, but {lease.Holder} has not renewed since: its lease has no end, and only an operator who knows that it does not run may end it");
        else if (age >= lease.TtlMs)
            reasons.Add($"the lease was renewed {EventSentences.Seconds(age)} ago, more than its ttl of {EventSentences.Seconds(lease.TtlMs)}: it expires as soon as the Raft leader has counted the ttl on its own clock");
        else if (lease.RenewedUnixMs > 0)
            reasons.Add($"its lease was renewed {EventSentences.Seconds(age)} ago and lasts {EventSentences.Seconds(lease.TtlMs)}; as long as it is renewed nothing fails over");
        AddHolder(state, led, reasons);
        AddRequest(state, events, led, reasons);
        foreach (Member member in state.Members.Values)
        {
            if (member.Name == lease.Holder) continue;
            reasons.Add(SwitchoverRules.WhyUnfit(state, member, led.Promotion.Timeline) is { } unfit
                ? $"{member.Name} could not take over: {unfit}{(member.Report.Note.Length > 0 ? $" ({member.Report.Note})" : "")}"
                : $"{member.Name} could take over");
        }
        return (SituationKind.Led, $"{lease.Holder} leads under epoch {lease.Epoch}, primary on timeline {led.Promotion.Timeline}");
    }

    private static void AddHolder(ClusterState state, Led led, ImmutableArray<string>.Builder reasons)
    {
        if (!state.Members.TryGetValue(led.Lease.Holder, out Member? holder)) return;
        if (holder.Presence == MemberPresence.Silent) reasons.Add($"{holder.Name} stopped reporting");
        else if (holder.Report.State != PostgresState.Running)
        {
            string limit = EventSentences.Seconds(state.Settings.PrimaryStartTimeoutMs);
            reasons.Add($"its PostgreSQL is {EventSentences.Words(holder.Report.State.ToString())}; its agent keeps the lease and starts it again in place, and gives leadership away when that fails or takes more than primary_start_timeout ({limit})");
        }
        if (holder.Report.Note.Length > 0) reasons.Add($"{holder.Name} says: {holder.Report.Note}");
    }

    private static void AddRequest(ClusterState state, ImmutableArray<EventRecord> events, Led led, ImmutableArray<string>.Builder reasons)
    {
        if (state.Failover is { } pending) reasons.Add($"pending: {EventSentences.Of(new FailoverRequested(pending))}");
        // Dropped since the promotion, hence not what brought this leader.
        for (int i = events.Length - 1; i >= 0 && events[i].Index > led.Promotion.Index; i--)
        {
            if (events[i].Event is not FailoverCleared dropped) continue;
            reasons.Add($"the last requested switchover or failover did not happen: {dropped.Reason}");
            return;
        }
    }

    private static (SituationKind, string) WhenElected(
        ClusterState state, Elected elected, ImmutableArray<EventRecord> events, long unixNowMs, ImmutableArray<string>.Builder reasons)
    {
        LeaderLease lease = elected.Lease;
        long? since = SinceMs(events, lease.Epoch.Index);
        if (!lease.OwnRenewal) reasons.Add("it has not renewed the lease itself yet, and must not become writable before");
        else if (state.Members.TryGetValue(lease.Holder, out Member? holder))
            reasons.Add($"its PostgreSQL is {EventSentences.Words(holder.Report.Role.ToString())}, {EventSentences.Words(holder.Report.State.ToString())}{(holder.Report.Note.Length > 0 ? $": {holder.Report.Note}" : "")}");
        reasons.Add($"if it does not renew for {EventSentences.Seconds(lease.TtlMs)} the lease expires and another is elected");
        return (SituationKind.BeingPromoted, $"{lease.Holder} was elected under epoch {lease.Epoch} and is being promoted{For(since, unixNowMs)}");
    }

    private static (SituationKind, string) WhenVacant(
        ClusterState state, Vacancy vacancy, ImmutableArray<EventRecord> events, long unixNowMs, ImmutableArray<string>.Builder reasons)
    {
        string headline = $"nobody leads{For(SinceMs(events, vacancy.Id.Index), unixNowMs)}: {vacancy.Detail}";
        if (vacancy.Candidate is { } only) reasons.Add($"only {only} may take over, until it answered");
        foreach (Stand stand in vacancy.Stands.Values)
            reasons.Add($"{stand.Node} stands with timeline {stand.Timeline}, WAL to {stand.EndOfWal}, failover_priority {stand.FailoverPriority}{Refusal(events, vacancy, stand.Node)}");
        foreach (Decline decline in vacancy.Declines.Values) reasons.Add($"{decline.Node} declined: {decline.Reason}");
        int awaited = 0;
        foreach (Peer peer in state.Peers.Values)
        {
            if (peer.Kind != PeerKind.Data || vacancy.Stands.ContainsKey(peer.Name) || vacancy.Declines.ContainsKey(peer.Name)) continue;
            bool former = peer.Name == vacancy.FormerHolder;
            if (!former) awaited++;
            reasons.Add($"{peer.Name} {(former ? "led before and is not waited for" : "is awaited")}: {Doing(state, peer.Name)}");
        }
        if (state.Settings.Pause)
        {
            reasons.Add("the cluster is paused, so nobody stands by himself: resume it, or name who shall lead with 'failover --candidate'");
            return (SituationKind.Paused, headline);
        }
        if ((vacancy.LastFruitlessIndex > 0 && vacancy.LastFruitlessIndex >= vacancy.LastAnswerIndex) || (awaited == 0 && vacancy.Stands.IsEmpty))
        {
            reasons.Add("the round stays open: it is decided again when somebody answers anew, and an operator may name a candidate with 'failover --candidate'");
            return (SituationKind.NobodyEligible, headline);
        }
        return (SituationKind.ElectionOpen, headline);
    }

    /// <summary>Why the last close refused a node.</summary>
    private static string Refusal(ImmutableArray<EventRecord> events, Vacancy vacancy, NodeName node)
    {
        for (int i = events.Length - 1; i >= 0; i--)
        {
            if (events[i].Event is not ElectionFruitless fruitless || fruitless.Vacancy != vacancy.Id) continue;
            CandidateVerdict? verdict = fruitless.Refusals.FirstOrDefault(refused => refused.Node == node);
            return verdict is null ? "" : $"; refused: {verdict.Reason}";
        }
        return "";
    }

    private static string Doing(ClusterState state, NodeName node)
    {
        if (!state.Members.TryGetValue(node, out Member? member)) return "it has never reported";
        if (member.Presence == MemberPresence.Silent) return "it stopped reporting";
        string note = member.Report.Note.Length > 0 ? $" ({member.Report.Note})" : "";
        return $"it last reported its PostgreSQL as {EventSentences.Words(member.Report.State.ToString())}{note}";
    }

    private static (SituationKind, string) WhenUninitialized(ClusterState state, ImmutableArray<EventRecord> events, ImmutableArray<string>.Builder reasons)
    {
        foreach (Peer peer in state.Peers.Values)
        {
            if (peer.Kind == PeerKind.Data) reasons.Add($"{peer.Name}: {Doing(state, peer.Name)}");
        }
        if (events.LastOrDefault(static record => record.Event is InitializationAbandoned) is { } abandoned) reasons.Add($"the last attempt: {EventSentences.Of(abandoned.Event)}");
        reasons.Add("the first formation needs all initial members, registered and reporting");
        return (SituationKind.Uninitialized, "there is no PostgreSQL cluster yet");
    }

    private static long? SinceMs(ImmutableArray<EventRecord> events, long index)
    {
        foreach (EventRecord record in events)
            if (record.Index == index) return record.UnixMs;
        return null;
    }

    private static string For(long? sinceMs, long unixNowMs) =>
        sinceMs is { } since ? $", for {EventSentences.Seconds(Math.Max(0, unixNowMs - since))} now" : "";
}
