using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>A voter of the Raft group as whoever asks sees it.</summary>
/// <param name="Name">Its name, or its Raft address when it has none yet.</param>
/// <param name="Answers">Whether it answers now.</param>
/// <param name="SeesLeader">Whether it knows a leader of the Raft group.</param>
public sealed record VoterHealth(string Name, bool Answers, bool SeesLeader);

/// <summary>Who leads now or why nobody does, and what keeps a failover from happening.</summary>
/// <param name="Kind">Which of the cases.</param>
/// <param name="Headline">One sentence.</param>
/// <param name="Reasons">Further sentences, most important first.</param>
public sealed record Situation(SituationKind Kind, string Headline, ImmutableArray<string> Reasons);

/// <summary>Cases of <see cref="Situation"/>.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SituationKind>))]
public enum SituationKind
{
    /// <summary>A primary leads.</summary>
    Led,
    /// <summary>A leader is elected and not promoted yet.</summary>
    BeingPromoted,
    /// <summary>The Raft group has no quorum: nothing can be decided.</summary>
    NoQuorum,
    /// <summary>An election is open and somebody is still awaited.</summary>
    ElectionOpen,
    /// <summary>An election is open and nobody who answered may lead.</summary>
    NobodyEligible,
    /// <summary>Leadership is vacant and the cluster is paused.</summary>
    Paused,
    /// <summary>A node initializes the cluster.</summary>
    Initializing,
    /// <summary>There is no PostgreSQL cluster yet.</summary>
    Uninitialized,
}
