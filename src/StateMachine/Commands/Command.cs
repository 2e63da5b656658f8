using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>A proposal as it stands in the log.</summary>
/// <param name="Id">Identity for deduplication.</param>
/// <param name="UnixMs">The proposer's wall clock in Unix milliseconds; only ever shown, never compared.</param>
/// <param name="Command">What is asked.</param>
public sealed record CommandEnvelope(CommandId Id, long UnixMs, Command Command);

/// <summary>An imperative request to change the cluster state. Encoded by <see cref="CommandCodec"/>.</summary>
public abstract record Command;

/// <summary>Claim (or, with <paramref name="ClaimIndex"/>, keep) the right to create the PostgreSQL cluster.</summary>
/// <param name="Node">Who claims.</param>
/// <param name="ClaimIndex">0 for a new claim; the claim's index to renew it.</param>
/// <param name="HasData">Whether the claimant has a data directory to adopt.</param>
/// <param name="ExpectedPeers">How many voters the initial group has; all must be registered, and all data members reported.</param>
/// <param name="TtlMs">Milliseconds after which an unrenewed claim may be expired.</param>
public sealed record ClaimInitialization(NodeName Node, long ClaimIndex, bool HasData, int ExpectedPeers, long TtlMs) : Command;

/// <summary>Give the claim back: the bootstrap failed.</summary>
/// <param name="ClaimIndex">The claim.</param>
/// <param name="Reason">Why.</param>
public sealed record AbandonInitialization(long ClaimIndex, string Reason) : Command;

/// <summary>Expire a claim that was not renewed for its ttl on the Raft leader's clock.</summary>
/// <param name="ClaimIndex">The claim.</param>
/// <param name="LastRenewalIndex">Its last renewal as observed.</param>
public sealed record ExpireInitialization(long ClaimIndex, long LastRenewalIndex) : Command;

/// <summary>The PostgreSQL cluster exists: record its identity.</summary>
/// <param name="ClaimIndex">The claim this completes.</param>
/// <param name="Node">The claimant.</param>
/// <param name="SystemIdentifier">Database system identifier.</param>
/// <param name="GrantLeadership">Whether the claimant becomes leader at once (it created the cluster or holds a primary's data), or an election opens (all that exists is standbys).</param>
/// <param name="ConfigJson">Initial dynamic configuration.</param>
public sealed record CompleteInitialization(long ClaimIndex, NodeName Node, ulong SystemIdentifier, bool GrantLeadership, string ConfigJson) : Command;

/// <summary>Stand for election.</summary>
/// <param name="Vacancy">The vacancy.</param>
/// <param name="Node">Who stands.</param>
/// <param name="Incarnation">The life of its data directory.</param>
/// <param name="Timeline">Its timeline.</param>
/// <param name="EndOfWal">Proven end of its local WAL.</param>
/// <param name="ReplayLsn">How far it replayed.</param>
/// <param name="FailoverPriority">Its failover priority.</param>
/// <param name="History">Its timeline history, oldest first.</param>
public sealed record StandForElection(
    VacancyId Vacancy, NodeName Node, Incarnation Incarnation, TimelineId Timeline, Lsn EndOfWal, Lsn ReplayLsn,
    int FailoverPriority, ImmutableArray<TimelineFork> History) : Command;

/// <summary>Decline to stand.</summary>
/// <param name="Vacancy">The vacancy.</param>
/// <param name="Node">Who declines.</param>
/// <param name="Incarnation">The life of its data directory.</param>
/// <param name="Reason">Why.</param>
public sealed record DeclineElection(VacancyId Vacancy, NodeName Node, Incarnation Incarnation, string Reason) : Command;

/// <summary>Withdraw a stand or a refusal, before doing anything that would make it untrue.</summary>
/// <param name="Vacancy">The vacancy.</param>
/// <param name="Node">Who withdraws.</param>
/// <param name="Reason">Why.</param>
public sealed record WithdrawFromElection(VacancyId Vacancy, NodeName Node, string Reason) : Command;

/// <summary>Close the election for the members that answered so far.</summary>
/// <param name="Vacancy">The vacancy.</param>
public sealed record CloseElection(VacancyId Vacancy) : Command;

/// <summary>Renew the lease.</summary>
/// <param name="Epoch">The leadership.</param>
/// <param name="Node">The holder.</param>
/// <param name="TtlMs">The ttl to be in force from now on, in milliseconds.</param>
/// <param name="Unbounded">Whether the lease needs no renewals from now on (pause).</param>
/// <param name="LastLsn">The primary's write position.</param>
/// <param name="Slots">Positions of replication slots, sorted by name.</param>
public sealed record RenewLeader(
    Epoch Epoch, NodeName Node, long TtlMs, bool Unbounded, Lsn LastLsn, ImmutableArray<SlotPosition> Slots) : Command
{
    /// <summary>
    /// The last renewal as the holder saw it; 0 for any. A renewal that an earlier life of the agent left on its way names an older one, and must
    /// not put its ttl, or its lack of a bound, in the place of what the present life relies on.
    /// </summary>
    public long LastRenewalIndex { get; init; }
}

/// <summary>Give leadership up after a verified stop.</summary>
/// <param name="Epoch">The leadership.</param>
/// <param name="Node">The holder.</param>
/// <param name="Reason">Why.</param>
/// <param name="Detail">The reason in words.</param>
/// <param name="ShutdownLsn">Location of the shutdown checkpoint; 0/0 when there was none.</param>
/// <param name="Candidate">Who may take over first, or null.</param>
public sealed record ReleaseLeader(Epoch Epoch, NodeName Node, VacancyReason Reason, string Detail, Lsn ShutdownLsn, NodeName? Candidate) : Command;

/// <summary>Expire a lease that was not renewed for its ttl on the Raft leader's clock.</summary>
/// <param name="Epoch">The leadership.</param>
/// <param name="LastRenewalIndex">Its last renewal as observed.</param>
/// <param name="Force">An operator's explicit order to expire an unbounded lease whose holder does not report any more.</param>
/// <param name="By">The Raft leader that noticed it, for the record; null when nobody says.</param>
public sealed record ExpireLeader(Epoch Epoch, long LastRenewalIndex, bool Force, NodeName? By = null) : Command;

/// <summary>The holder's PostgreSQL is primary now.</summary>
/// <param name="Epoch">The leadership.</param>
/// <param name="Node">The holder.</param>
/// <param name="Timeline">The timeline it writes.</param>
/// <param name="ParentTimeline">The timeline it came from; 0 for a new or adopted cluster.</param>
/// <param name="ForkLsn">Where it branched off.</param>
public sealed record ReportPromoted(Epoch Epoch, NodeName Node, TimelineId Timeline, TimelineId ParentTimeline, Lsn ForkLsn) : Command;

/// <summary>The first checkpoint after the promotion is on disk.</summary>
/// <param name="Epoch">The leadership.</param>
/// <param name="Node">The holder.</param>
/// <param name="CheckpointLsn">Its location.</param>
public sealed record ReportCheckpointed(Epoch Epoch, NodeName Node, Lsn CheckpointLsn) : Command;

/// <summary>Report a node's status.</summary>
/// <param name="Node">Who reports.</param>
/// <param name="Report">The status.</param>
public sealed record TouchMember(NodeName Node, MemberReport Report) : Command;

/// <summary>Note that a node stopped reporting.</summary>
/// <param name="Node">The node.</param>
/// <param name="LastTouchIndex">Its last report as observed.</param>
public sealed record ExpireMember(NodeName Node, long LastTouchIndex) : Command;

/// <summary>Merge into the dynamic configuration (RFC 7396; null removes).</summary>
/// <param name="PatchJson">The patch.</param>
/// <param name="ExpectedVersion">Version seen, or 0 for any.</param>
public sealed record PatchConfig(string PatchJson, long ExpectedVersion) : Command;

/// <summary>Replace the dynamic configuration.</summary>
/// <param name="ConfigJson">The new configuration.</param>
/// <param name="ExpectedVersion">Version seen, or 0 for any.</param>
public sealed record ReplaceConfig(string ConfigJson, long ExpectedVersion) : Command;

/// <summary>Request a switchover or failover.</summary>
/// <param name="Kind">Which of the two.</param>
/// <param name="Leader">The leader it is meant for, or null.</param>
/// <param name="Candidate">The node to promote, or null.</param>
/// <param name="ScheduledAtUnixMs">When, in Unix milliseconds; null for at once.</param>
/// <param name="ScheduledAtText">The time as written; null for at once.</param>
public sealed record RequestFailover(
    FailoverKind Kind, NodeName? Leader, NodeName? Candidate, long? ScheduledAtUnixMs, string? ScheduledAtText) : Command;

/// <summary>Drop a requested switchover or failover.</summary>
/// <param name="RequestIndex">The request, or 0 for whichever is pending.</param>
/// <param name="Reason">Why.</param>
public sealed record ClearFailover(long RequestIndex, string Reason) : Command;

/// <summary>Schedule a restart of a member's PostgreSQL.</summary>
/// <param name="Node">The member.</param>
/// <param name="AtUnixMs">When, in Unix milliseconds.</param>
/// <param name="AtText">The time as written.</param>
/// <param name="Conditions">What must hold then.</param>
/// <param name="TimeoutMs">How long PostgreSQL may take to start, in milliseconds; null for the configured time.</param>
/// <param name="PostmasterStartUnixUs">Start of the postmaster that is to be restarted, in Unix microseconds; 0 when it is not known.</param>
public sealed record ScheduleRestart(
    NodeName Node, long AtUnixMs, string AtText, RestartConditions Conditions, long? TimeoutMs, long PostmasterStartUnixUs) : Command;

/// <summary>Drop a member's scheduled restart.</summary>
/// <param name="Node">The member.</param>
/// <param name="RequestIndex">The request, or 0 for whichever is scheduled.</param>
/// <param name="Reason">Why.</param>
public sealed record ClearRestart(NodeName Node, long RequestIndex, string Reason) : Command;

/// <summary>Change the synchronous set.</summary>
/// <param name="Epoch">The leadership.</param>
/// <param name="ExpectedVersion">Version seen.</param>
/// <param name="Leader">The primary, or null to turn it off.</param>
/// <param name="Standbys">Synchronous standbys, sorted by name.</param>
/// <param name="Quorum">Quorum number.</param>
public sealed record SetSyncState(Epoch Epoch, long ExpectedVersion, NodeName? Leader, ImmutableArray<SyncMember> Standbys, int Quorum) : Command;

/// <summary>Record earlier switches of timeline of an adopted cluster.</summary>
/// <param name="Epoch">The leadership.</param>
/// <param name="Entries">Rows, oldest first.</param>
public sealed record AppendHistory(Epoch Epoch, ImmutableArray<HistoryEntry> Entries) : Command
{
    /// <summary>Equal when the rows are: an equal proposal that is under way is not made twice.</summary>
    public bool Equals(AppendHistory? other) => other is not null && Epoch == other.Epoch && Entries.AsSpan().SequenceEqual(other.Entries.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => Epoch.GetHashCode();
}

/// <summary>Record the topology of failsafe mode.</summary>
/// <param name="Epoch">The leadership.</param>
/// <param name="ExpectedVersion">Version seen: of all changes that name one version at most one is ever accepted, so the holder knows which may be in force.</param>
/// <param name="Topology">Member names and API URLs; empty turns failsafe mode off.</param>
public sealed record SetFailsafeTopology(Epoch Epoch, long ExpectedVersion, ImmutableSortedDictionary<NodeName, string> Topology) : Command
{
    /// <summary>Equal when the members are: an equal proposal that is under way is not made twice.</summary>
    public bool Equals(SetFailsafeTopology? other) =>
        other is not null && Epoch == other.Epoch && ExpectedVersion == other.ExpectedVersion && Topology.SequenceEqual(other.Topology);

    /// <inheritdoc/>
    public override int GetHashCode() => Epoch.GetHashCode();
}

/// <summary>The node's guard fenced its PostgreSQL; told by the next agent that finds the guard's report. From feature level <see cref="ClusterStateMachine.FencesReportedLevel"/> on.</summary>
/// <param name="Node">Whose.</param>
/// <param name="Fence">What it did.</param>
public sealed record ReportFenced(NodeName Node, FenceFacts Fence) : Command;

/// <summary>Register a voter.</summary>
/// <param name="Peer">The voter.</param>
public sealed record RegisterPeer(Peer Peer) : Command;

/// <summary>Forget a voter and its member record.</summary>
/// <param name="Node">Its name.</param>
public sealed record RemovePeer(NodeName Node) : Command;

/// <summary>Raise the feature level.</summary>
/// <param name="Level">The new level.</param>
public sealed record RaiseFeatureLevel(int Level) : Command;

/// <summary>Raise the generation after <c>force-new-cluster</c>.</summary>
/// <param name="Generation">The new generation.</param>
/// <param name="Reason">What was done, for the record.</param>
public sealed record RaiseGeneration(uint Generation, string Reason) : Command;

/// <summary>Forget the PostgreSQL cluster (patronictl remove): everything but the voters.</summary>
/// <param name="Reason">Why.</param>
public sealed record WipeCluster(string Reason) : Command;
