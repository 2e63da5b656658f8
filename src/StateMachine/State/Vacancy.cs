using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>An open election.</summary>
/// <param name="Id">Identity of the vacancy.</param>
/// <param name="Reason">Why leadership fell vacant.</param>
/// <param name="Detail">The reason in words.</param>
/// <param name="FormerHolder">Who led before, and whose answer is therefore not waited for; nobody after adoption.</param>
/// <param name="Candidate">The only node that may win until the first fruitless close; nobody when the election is open to all.</param>
/// <param name="RequiredLsn">Shutdown checkpoint of the former primary, which a named candidate must have reached.</param>
/// <param name="LastLeaderLsn">Last known write position of the former primary, for the lag limit.</param>
/// <param name="Stands">Who stood, by name.</param>
/// <param name="Declines">Who declined, by name.</param>
/// <param name="Barred">Nodes whose promotion or start failed in this series of vacancies; they win only when nobody else can.</param>
/// <param name="LastAnswerIndex">Log index of the last stand, refusal or withdrawal; 0 when there was none.</param>
/// <param name="LastFruitlessIndex">Log index of the last close that found no winner; 0 when there was none.</param>
public sealed record Vacancy(
    VacancyId Id,
    VacancyReason Reason,
    string Detail,
    NodeName? FormerHolder,
    NodeName? Candidate,
    Lsn RequiredLsn,
    Lsn LastLeaderLsn,
    ImmutableSortedDictionary<NodeName, Stand> Stands,
    ImmutableSortedDictionary<NodeName, Decline> Declines,
    ImmutableSortedSet<NodeName> Barred,
    long LastAnswerIndex,
    long LastFruitlessIndex)
{
    /// <summary>The leadership that ended; none after adoption.</summary>
    public Epoch FormerEpoch { get; init; }

    /// <summary>Whether the former holder gave leadership up itself, after a verified stop: nothing of its instance is left that could write.</summary>
    [JsonIgnore] public bool IsReleased => Reason is not (VacancyReason.LeaseExpired or VacancyReason.Adopted);

    /// <summary>The proposal of each node's newest stand, refusal or withdrawal: an older one that was delayed no longer counts.</summary>
    public ImmutableSortedDictionary<NodeName, CommandId> NewestAnswers { get; init; } = ImmutableSortedDictionary<NodeName, CommandId>.Empty;
}

/// <summary>A node's candidature: everything the election compares.</summary>
/// <param name="Id">The proposal; the winner's clock capture belongs to it.</param>
/// <param name="Node">Who stands.</param>
/// <param name="Incarnation">The life of its data directory.</param>
/// <param name="Timeline">Its timeline.</param>
/// <param name="EndOfWal">Proven end of its local WAL.</param>
/// <param name="ReplayLsn">How far it replayed.</param>
/// <param name="FailoverPriority">Its <c>failover_priority</c>; 0 or less never wins.</param>
/// <param name="History">Its timeline history: every earlier timeline and where it was left, oldest first, bounded to the newest.</param>
/// <param name="Index">Log index of the stand.</param>
public sealed record Stand(
    CommandId Id,
    NodeName Node,
    Incarnation Incarnation,
    TimelineId Timeline,
    Lsn EndOfWal,
    Lsn ReplayLsn,
    int FailoverPriority,
    ImmutableArray<TimelineFork> History,
    long Index);

/// <summary>A node's refusal to stand.</summary>
/// <param name="Node">Who declines.</param>
/// <param name="Incarnation">The life of its data directory.</param>
/// <param name="Reason">Why, in words.</param>
/// <param name="Index">Log index of the refusal.</param>
public sealed record Decline(NodeName Node, Incarnation Incarnation, string Reason, long Index);

/// <summary>A line of a timeline history file: this timeline was left at this position.</summary>
/// <param name="Timeline">The timeline that was left.</param>
/// <param name="SwitchLsn">Where it was left.</param>
public sealed record TimelineFork(TimelineId Timeline, Lsn SwitchLsn);

/// <summary>Why leadership fell vacant.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<VacancyReason>))]
public enum VacancyReason
{
    /// <summary>Existing data directories were adopted.</summary>
    Adopted,
    /// <summary>The holder's lease ran out.</summary>
    LeaseExpired,
    /// <summary>A switchover was requested.</summary>
    Switchover,
    /// <summary>A manual failover was requested.</summary>
    Failover,
    /// <summary>The holder shut down cleanly.</summary>
    Shutdown,
    /// <summary>The holder could not be promoted.</summary>
    PromotionFailed,
    /// <summary>The holder's PostgreSQL could not be started or crashed for good.</summary>
    StartFailed,
    /// <summary>A disk of the holder is full, fails or hangs.</summary>
    DiskTrouble,
}
