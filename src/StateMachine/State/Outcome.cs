using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>What became of a proposal, computed where it was applied.</summary>
/// <param name="Code">Accepted, or the rule that refused it.</param>
/// <param name="Index">Log index at which it was first applied.</param>
/// <param name="Reason">Empty when accepted; else one sentence with the numbers that decided.</param>
public sealed record Outcome(OutcomeCode Code, long Index, string Reason)
{
    /// <summary>Whether the command took effect.</summary>
    [JsonIgnore] public bool IsAccepted => Code == OutcomeCode.Accepted;
}

/// <summary>Stable codes of outcomes; numbers are part of the wire format.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OutcomeCode>))]
public enum OutcomeCode : ushort
{
    /// <summary>It took effect.</summary>
    Accepted = 0,
    /// <summary>The lifecycle has no such transition from the present phase.</summary>
    IllegalTransition = 1,
    /// <summary>The epoch named is not the one in force.</summary>
    StaleEpoch = 2,
    /// <summary>The version named is not the one in force.</summary>
    StaleVersion = 3,
    /// <summary>The vacancy named is not the open one.</summary>
    StaleVacancy = 4,
    /// <summary>The lease was renewed since the observation.</summary>
    LeaseRenewed = 5,
    /// <summary>The lease is unbounded (pause).</summary>
    LeaseUnbounded = 6,
    /// <summary>The proposer is not the holder.</summary>
    NotHolder = 7,
    /// <summary>The dynamic configuration would be invalid.</summary>
    InvalidConfiguration = 8,
    /// <summary>The node named is not known.</summary>
    UnknownNode = 9,
    /// <summary>The name is taken by another node.</summary>
    NameTaken = 10,
    /// <summary>Another request is pending, or none is.</summary>
    RequestConflict = 11,
    /// <summary>Not all initial members are here, or one of them has data.</summary>
    NotReady = 12,
    /// <summary>The proposal is older than the deduplication window; it was either applied once or never.</summary>
    TooOld = 13,
    /// <summary>The command needs a higher feature level.</summary>
    FeatureLevel = 14,
    /// <summary>The data belongs to another database cluster.</summary>
    SystemIdentifierMismatch = 15,
    /// <summary>A field of the command is invalid.</summary>
    Invalid = 16,
}
