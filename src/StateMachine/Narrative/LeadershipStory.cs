using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// One change of leadership, told from the event log alone. All times are Unix milliseconds by the wall clock of the node that said it:
/// durations between two nodes are as good as their clocks agree.
/// </summary>
public sealed record LeadershipStory
{
    /// <summary>1 for the last change, 2 for the one before.</summary>
    public required int Ago { get; init; }
    /// <summary>Why leadership changed; null for the first leader of a new cluster, or when that event is no longer kept.</summary>
    public VacancyReason? Cause { get; init; }
    /// <summary>The whole change in one sentence.</summary>
    public required string Headline { get; init; }
    /// <summary>The vacancy; null for the first leader of a new cluster.</summary>
    public VacancyId? Vacancy { get; init; }
    /// <summary>Epoch of the new leadership; null while nobody is elected.</summary>
    public Epoch? Epoch { get; init; }
    /// <summary>Who led before; null for nobody.</summary>
    public NodeName? From { get; init; }
    /// <summary>Who was elected; null while nobody is.</summary>
    public NodeName? To { get; init; }
    /// <summary>The timeline that the new primary writes; unknown (0) before its promotion.</summary>
    public TimelineId Timeline { get; init; }
    /// <summary>Who noticed the vacancy; null when nobody says.</summary>
    public NodeName? NoticedBy { get; init; }
    /// <summary>False when events of this change are no longer kept.</summary>
    public required bool Complete { get; init; }
    /// <summary>Who stood or declined, with numbers and verdicts, best first: of the election that was won, else of the last fruitless one.</summary>
    public ImmutableArray<CandidateVerdict> Candidates { get; init; } = [];
    /// <summary>Nodes with PostgreSQL that had not answered when the election closed.</summary>
    public ImmutableArray<NodeName> Unanswered { get; init; } = [];
    /// <summary>Why the election closed when it did; null while it is open.</summary>
    public ElectionEnd? ClosedBy { get; init; }
    /// <summary>Why the winner won; null while nobody did.</summary>
    public WinningRule? Decision { get; init; }
    /// <summary>How long each phase took.</summary>
    public required StoryPhases Phases { get; init; }
    /// <summary>What could be lost.</summary>
    public required LossVerdict Loss { get; init; }
    /// <summary>What the guard of the former leader did when the lease ended; null when it did nothing, or nobody has told of it yet.</summary>
    public FenceFacts? Fenced { get; init; }
    /// <summary>What became of the former leader; null when there was none.</summary>
    public FormerLeader? Former { get; init; }
    /// <summary>The other members, and when each streamed from the new primary.</summary>
    public ImmutableArray<FollowerReturn> Followers { get; init; } = [];
    /// <summary>What happened, in order.</summary>
    public ImmutableArray<StoryStep> Steps { get; init; } = [];
}

/// <summary>One line of the story.</summary>
/// <param name="UnixMs">When.</param>
/// <param name="Id">The event; 0 for what is told by another event.</param>
/// <param name="Rule">The rule that produced it; empty when it has none.</param>
/// <param name="Sentence">In words.</param>
public sealed record StoryStep(long UnixMs, long Id, string Rule, string Sentence);

/// <summary>Why an election closed.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ElectionEnd>))]
public enum ElectionEnd
{
    /// <summary>Everybody who is waited for had answered.</summary>
    Answered,
    /// <summary>The Raft leader closed it after the wait.</summary>
    Waited,
}

/// <summary>Durations in milliseconds; null for what did not happen (yet) or is not known.</summary>
public sealed record StoryPhases
{
    /// <summary>From the request of an operator to the vacancy: the old primary stops.</summary>
    public long? RequestToVacancyMs { get; init; }
    /// <summary>From the last renewal to the expiry.</summary>
    public long? LastRenewalToVacancyMs { get; init; }
    /// <summary>From the vacancy to the first stand.</summary>
    public long? VacancyToFirstStandMs { get; init; }
    /// <summary>From the first stand to the election.</summary>
    public long? FirstStandToElectedMs { get; init; }
    /// <summary>From the election to the recorded promotion.</summary>
    public long? ElectedToPromotedMs { get; init; }
    /// <summary>From the promotion to the first checkpoint.</summary>
    public long? PromotedToCheckpointedMs { get; init; }
    /// <summary>From the promotion until all other members stream from the new primary.</summary>
    public long? PromotedToAllStreamingMs { get; init; }
    /// <summary>From the last sign of the old primary (last renewal, else the vacancy) to the promotion: no write was possible for at most about this long.</summary>
    public long? WithoutPrimaryMs { get; init; }
}

/// <summary>What a change of leadership may have lost.</summary>
/// <param name="Kind">How sure that is.</param>
/// <param name="MissingBytes">Bytes of WAL that the former primary is known to have written and the winner did not have.</param>
/// <param name="LeaderLsn">The former primary's last known position.</param>
/// <param name="WinnerLsn">The end of the winner's WAL.</param>
/// <param name="UnseenMs">Milliseconds before the vacancy in which the former primary may have written more than is known; 0 for none.</param>
/// <param name="Sentence">In words.</param>
public sealed record LossVerdict(LossKind Kind, long MissingBytes, Lsn LeaderLsn, Lsn WinnerLsn, long UnseenMs, string Sentence);

/// <summary>Kinds of <see cref="LossVerdict"/>.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LossKind>))]
public enum LossKind
{
    /// <summary>There was nothing to lose, or nobody has won yet.</summary>
    NotApplicable,
    /// <summary>The former primary stopped cleanly and the winner had all of its WAL.</summary>
    Nothing,
    /// <summary>The winner was synchronous: every commit that waited for the synchronous set is there.</summary>
    NothingAcknowledged,
    /// <summary>Nothing is known to be missing; what was written after the last renewal may be.</summary>
    Possible,
    /// <summary>The winner is known to have had less WAL than the former primary wrote.</summary>
    Known,
}

/// <summary>What became of the former leader.</summary>
/// <param name="Node">Its name.</param>
/// <param name="Fate">What.</param>
/// <param name="UnixMs">When it was last seen to change; null when it was not seen since.</param>
/// <param name="Sentence">In words.</param>
public sealed record FormerLeader(NodeName Node, FormerFate Fate, long? UnixMs, string Sentence);

/// <summary>Fates of a former leader.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FormerFate>))]
public enum FormerFate
{
    /// <summary>Nothing was heard of it since.</summary>
    Unheard,
    /// <summary>It won again.</summary>
    LeadsAgain,
    /// <summary>It streams with the data that it had.</summary>
    Rejoined,
    /// <summary>It was rewound and streams.</summary>
    Rewound,
    /// <summary>It was cloned and streams.</summary>
    Cloned,
    /// <summary>It reports and does not stream yet.</summary>
    Waits,
    /// <summary>An operator removed it.</summary>
    Removed,
}

/// <summary>A member after a change of leadership.</summary>
/// <param name="Node">Its name.</param>
/// <param name="StreamingUnixMs">When it streamed on the new primary's timeline; null for not yet.</param>
/// <param name="Note">What it said it waits for when it was last seen; empty for nothing.</param>
public sealed record FollowerReturn(NodeName Node, long? StreamingUnixMs, string Note);
