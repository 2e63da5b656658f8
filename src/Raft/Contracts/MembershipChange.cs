using System.Net;

namespace Patroni.Raft.Consensus;

/// <summary>The result of a change of the group's membership.</summary>
public enum MembershipChangeStatus
{
    /// <summary>Committed by the group.</summary>
    Done,

    /// <summary>This node does not lead; ask the leader.</summary>
    NotLeader,

    /// <summary>Another change is running; only one at a time.</summary>
    AnotherChangeRuns,

    /// <summary>The node is a member already.</summary>
    AlreadyMember,

    /// <summary>The node is not a member.</summary>
    NotMember,

    /// <summary>The new node does not answer on its Raft address, or could not catch up.</summary>
    Unreachable,

    /// <summary>The new node carries data of another group, or of a former membership.</summary>
    NotEmpty,

    /// <summary>A leader cannot remove itself: transfer leadership first.</summary>
    IsLeader,

    /// <summary>Not finished in time or leadership lost meanwhile: look at the members, then ask again.</summary>
    Unknown,
}

/// <summary>The result of a membership operation.</summary>
/// <param name="Status">What happened.</param>
/// <param name="Reason">One sentence for the operator.</param>
public sealed record MembershipChange(MembershipChangeStatus Status, string Reason)
{
    /// <summary>Whether the change is committed.</summary>
    public bool Succeeded => Status == MembershipChangeStatus.Done;
}
