namespace Patroni.Raft.Simulation;

/// <summary>
/// A safety rule broken on purpose, in the simulated agent, log or instance around the product's code and never in it: the oracle must find each.
/// </summary>
internal enum Mutation
{
    None,

    // The lease.
    /// <summary>The deadline forgets the drift margin.</summary>
    NoDriftMargin,
    /// <summary>Fencing starts at the deadline, not the kill budget before it.</summary>
    NoKillBudget,
    /// <summary>The clock is captured when the renewal is seen accepted, not before it is proposed.</summary>
    CaptureAfterAccept,
    /// <summary>A retry of a renewal under the same id brings a new capture.</summary>
    RetryWithNewCapture,
    /// <summary>An expiry counts although the lease was renewed since the observation.</summary>
    ExpireWithoutIndexCheck,
    /// <summary>An expiry counts for whatever leadership is in force.</summary>
    ExpireWithoutEpochCheck,
    /// <summary>An expiry counts although the lease has no end.</summary>
    UnboundedLeaseExpired,
    /// <summary>A new generation of the group does not get a new number.</summary>
    EpochsReused,
    /// <summary>A running primary is adopted, and writes until the log says whether it leads, however long that takes.</summary>
    AdoptedWithoutDeadline,
    /// <summary>/primary is answered by the role alone, whatever the deadline.</summary>
    PrimaryAnsweredPastDeadline,

    // Fencing.
    /// <summary>The guard is off and only the agent is killed.</summary>
    AgentKilledWithoutGuard,
    /// <summary>The guard is off and only the agent is stopped for a while.</summary>
    AgentStoppedWithoutGuard,
    /// <summary>A guard that died is not replaced.</summary>
    GuardNotRestored,
    /// <summary>The guard is armed after a promotion was observed, not before it is ordered.</summary>
    ArmedByObservation,
    /// <summary>Processes without a postmaster are taken for an empty scan.</summary>
    OrphansUnseen,
    /// <summary>A release is proposed while the instance still stops.</summary>
    ReleaseBeforeStopped,

    // Elections.
    /// <summary>A restarted standby stands with its replay position before recovery read all of its WAL.</summary>
    StandWithUnknownEnd,
    /// <summary>What a node stood with changes before the election closes, without a withdrawal.</summary>
    StandNotFrozen,
    /// <summary>A stand of an earlier vacancy counts in the open one: its node, which believes to have stood with what it has now, waits for ever.</summary>
    StaleStandCounted,
    /// <summary>A candidate whose history lacks a recorded promotion may win.</summary>
    LineageCheckOff,
    /// <summary>The marker of a promotion that was never recorded is ignored.</summary>
    MarkerCheckOff,
    /// <summary>The mark of the recorded promotion to which a replica was pointed is ignored.</summary>
    FollowMarkOff,
    /// <summary>
    /// pg_rewind runs before the new primary's first checkpoint, finds nothing to do, and is believed: alone the break does no harm, because PostgreSQL does
    /// not stream across the fork and a running standby is judged again.
    /// </summary>
    RewindBeforeCheckpoint,

    // Failsafe mode.
    /// <summary>A node stands, and expires, although it promised not to.</summary>
    PromiseNotKept,
    /// <summary>A promise does not outlive the agent.</summary>
    PromiseNotDurable,
    /// <summary>
    /// A node promises although it stands for election already, and that one stand counts in whatever vacancy it arrives, and whatever the lineage. Alone the
    /// break does no harm: a holder lives by promises beyond its lease only if everybody who can win promised before the lease expired, so that none of them can
    /// have stood in the vacancy that followed; only a node that lags behind stands in an earlier one, whose stands are stale and lack the holder's promotion.
    /// </summary>
    PromiseWhileStanding,
    /// <summary>A node outside of the topology may win.</summary>
    TopologyNotEnforced,
    /// <summary>The holder asks the members of the topology it knows, not of those that may be in force.</summary>
    PendingTopologyNotAsked,
    /// <summary>The answers of most members are enough.</summary>
    MajorityPromises,
    /// <summary>The deadline by promises counts from the answers, not from before the question.</summary>
    CaptureAfterPromises,

    // The synchronous set.
    /// <summary>A standby joins the set before it has what was flushed when commits began to wait for it.</summary>
    SyncAddBeforeFlush,
    /// <summary>PostgreSQL stops waiting for a standby before the log knows that it left the set.</summary>
    SyncRemovalReversed,
}
