using System.Globalization;

namespace Patroni.Raft.StateMachine;

/// <summary>Every event as one English sentence without a full stop, with the numbers that it carries.</summary>
public static class EventSentences
{
    /// <summary>The sentence.</summary>
    /// <exception cref="InvalidOperationException">The event is of a kind without a sentence; a test walks all kinds.</exception>
    public static string Of(ClusterEvent happened) => happened switch
    {
        InitializationClaimed e => $"{e.Node} claimed to initialize the cluster{(e.HasData ? " from the data that it has" : "")}",
        InitializationAbandoned e => $"the claim of {e.Node} to initialize the cluster {(e.Expired ? "expired" : "was given back")}: {e.Reason}",
        InitializationCompleted e => $"{e.Node} initialized the cluster with system identifier {e.SystemIdentifier}",
        VacancyOpened e => Opened(e),
        NodeStood e => $"{e.Node} stood for election: timeline {e.Timeline}, WAL to {e.EndOfWal}, failover_priority {e.FailoverPriority}",
        NodeDeclined e => $"{e.Node} declined to stand: {e.Reason}",
        NodeWithdrew e => $"{e.Node} withdrew from the election: {e.Reason}",
        ElectionFruitless e => Fruitless(e),
        LeaderElected { Vacancy.Index: 0 } e => $"{e.Winner} became leader of the new cluster under epoch {e.Epoch}",
        LeaderElected e => $"{e.Winner} was elected leader under epoch {e.Epoch}: {WinningRule.Of(e.Winner, e.Candidates).Sentence}",
        LeaseBoundChanged e => e.Unbounded
            ? $"the lease of {e.Holder} needs no renewals from now on (pause)"
            : $"the lease of {e.Holder} must be renewed again",
        LeaderPromoted { Promotion: var p } => p.ParentTimeline.IsKnown
            ? $"{p.Node} became primary on timeline {p.Timeline}, which left timeline {p.ParentTimeline} at {p.ForkLsn}"
            : $"{p.Node} became primary on timeline {p.Timeline}",
        LeaderCheckpointed e => $"{e.Node} wrote its first checkpoint as primary, at {e.CheckpointLsn}; pg_rewind may use it from now on",
        MemberJoined e => e.AfterSilence ? $"{e.Node} reports again" : $"{e.Node} reported for the first time",
        MemberChanged e => Changed(e),
        MemberWentSilent e => $"{e.Node} stopped reporting",
        ConfigChanged e => $"the dynamic configuration was changed to version {e.Version}: {e.Json}",
        FailoverRequested { Request: var r } => Requested(r),
        FailoverCleared e => $"the request for a switchover or failover ended: {e.Reason}",
        RestartScheduled e => $"a restart of {e.Node} was scheduled for {e.Restart.AtText}",
        RestartCleared e => $"the scheduled restart of {e.Node} ended: {e.Reason}",
        SyncStateChanged { Sync: var s } => s.Leader is null
            ? "synchronous mode ended"
            : $"the synchronous standbys of {s.Leader} are {Names(s.Standbys.Select(static m => m.Node))}{(s.Quorum > 0 ? $", quorum {s.Quorum}" : "")}",
        FailsafeTopologyChanged e => $"the topology of failsafe mode is {Names(e.Members)}",
        PeerRegistered { Peer: var p } => $"{p.Name} at {p.RaftAddress} was registered as a {(p.Kind == PeerKind.Witness ? "witness" : "node with PostgreSQL")}",
        PeerRemoved e => $"{e.Node} was removed from the cluster",
        FeatureLevelRaised e => $"the feature level was raised to {e.Level}",
        GenerationRaised e => $"an operator forced a new group, generation {e.Generation}: {e.Reason}",
        GuardFenced { Fence: var f } e => $"the guard of {e.Node} killed {f.Killed} processes of its PostgreSQL under epoch {f.Epoch}: {f.Reason}; the last was signalled after {Seconds(f.SignalledMs)}, "
            + (f.Left > 0 ? $"{f.Left} were left after {Seconds(f.ElapsedMs)}" : $"none was left after {Seconds(f.ElapsedMs)}"),
        ClusterWiped e => $"the cluster was removed: {e.Reason}",
        _ => throw new InvalidOperationException($"{happened.GetType().Name} has no sentence."),
    };

    /// <summary>Names with commas, or "nobody".</summary>
    internal static string Names(IEnumerable<NodeName> names)
    {
        string text = string.Join(", ", names);
        return text.Length == 0 ? "nobody" : text;
    }

    /// <summary>Milliseconds as seconds with three digits: <c>5.011 s</c>.</summary>
    internal static string Seconds(long ms) => (ms / 1000m).ToString("0.000", CultureInfo.InvariantCulture) + " s";

    private static string Opened(VacancyOpened e)
    {
        string noticed = e.NoticedBy is { } by && by != e.FormerHolder ? $"; noticed by {by}" : "";
        string only = e.Candidate is { } candidate ? $"; {candidate} may take over first" : "";
        string end = e.ShutdownLsn.IsValid ? $"; it stopped cleanly, its last checkpoint is at {e.ShutdownLsn}" : "";
        return $"leadership fell vacant: {e.Detail}{end}{noticed}{only}";
    }

    private static string Fruitless(ElectionFruitless e)
    {
        string refusals = string.Join("; ", e.Refusals.Select(static verdict => $"{verdict.Node}: {verdict.Reason}"));
        string open = e.NarrowingLapsed is { } only ? $"; the election is open to all, no longer to {only} only" : "";
        return $"nobody who answered may lead ({(refusals.Length == 0 ? "nobody did" : refusals)}){open}";
    }

    private static string Changed(MemberChanged e)
    {
        string timeline = e.Timeline.IsKnown ? $" on timeline {e.Timeline}" : "";
        string replication = e.Replication.Length > 0 ? $", {e.Replication}" : "";
        string note = e.Note.Length > 0 ? $": {e.Note}" : "";
        return $"{e.Node} is {Words(e.Role.ToString())}, {Words(e.State.ToString())}{timeline}{replication}{note}";
    }

    private static string Requested(FailoverRequest r)
    {
        string from = r.Leader is { } leader ? $" from {leader}" : "";
        string to = r.Candidate is { } candidate ? $" to {candidate}" : "";
        string at = r.ScheduledAtText is { } time ? $" at {time}" : "";
        return $"a {r.Kind.ToString().ToLowerInvariant()}{from}{to} was requested{at}";
    }

    /// <summary>Words of a name in the code: "creating replica" of CreatingReplica.</summary>
    internal static string Words(string name) =>
        string.Concat(name.Select((letter, i) => char.IsUpper(letter) && i > 0 ? $" {char.ToLowerInvariant(letter)}" : char.ToLowerInvariant(letter).ToString()));
}
