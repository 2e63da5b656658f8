using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>A significant event in the replicated history.</summary>
/// <param name="Id">Number of the event, from 1, without gaps.</param>
/// <param name="Index">Log index of the command that caused it.</param>
/// <param name="UnixMs">Wall clock of the proposer, Unix milliseconds.</param>
/// <param name="Rule">Stable id of the rule that produced it.</param>
/// <param name="Event">What happened.</param>
public sealed record EventRecord(long Id, long Index, long UnixMs, string Rule, ClusterEvent Event);

/// <summary>Something that happened, in the past tense.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(InitializationClaimed), "initialization_claimed")]
[JsonDerivedType(typeof(InitializationAbandoned), "initialization_abandoned")]
[JsonDerivedType(typeof(InitializationCompleted), "initialization_completed")]
[JsonDerivedType(typeof(VacancyOpened), "vacancy_opened")]
[JsonDerivedType(typeof(NodeStood), "node_stood")]
[JsonDerivedType(typeof(NodeDeclined), "node_declined")]
[JsonDerivedType(typeof(NodeWithdrew), "node_withdrew")]
[JsonDerivedType(typeof(ElectionFruitless), "election_fruitless")]
[JsonDerivedType(typeof(LeaderElected), "leader_elected")]
[JsonDerivedType(typeof(LeaseBoundChanged), "lease_bound_changed")]
[JsonDerivedType(typeof(LeaderPromoted), "leader_promoted")]
[JsonDerivedType(typeof(LeaderCheckpointed), "leader_checkpointed")]
[JsonDerivedType(typeof(MemberJoined), "member_joined")]
[JsonDerivedType(typeof(MemberChanged), "member_changed")]
[JsonDerivedType(typeof(MemberWentSilent), "member_went_silent")]
[JsonDerivedType(typeof(ConfigChanged), "config_changed")]
[JsonDerivedType(typeof(FailoverRequested), "failover_requested")]
[JsonDerivedType(typeof(FailoverCleared), "failover_cleared")]
[JsonDerivedType(typeof(RestartScheduled), "restart_scheduled")]
[JsonDerivedType(typeof(RestartCleared), "restart_cleared")]
[JsonDerivedType(typeof(SyncStateChanged), "sync_state_changed")]
[JsonDerivedType(typeof(FailsafeTopologyChanged), "failsafe_topology_changed")]
[JsonDerivedType(typeof(PeerRegistered), "peer_registered")]
[JsonDerivedType(typeof(PeerRemoved), "peer_removed")]
[JsonDerivedType(typeof(FeatureLevelRaised), "feature_level_raised")]
[JsonDerivedType(typeof(GenerationRaised), "generation_raised")]
[JsonDerivedType(typeof(ClusterWiped), "cluster_wiped")]
[JsonDerivedType(typeof(GuardFenced), "guard_fenced")]
public abstract record ClusterEvent;

/// <summary>A node claimed the right to create the cluster.</summary>
/// <param name="Node">Who.</param>
/// <param name="HasData">Whether it adopts existing data.</param>
public sealed record InitializationClaimed(NodeName Node, bool HasData) : ClusterEvent;
/// <summary>A claim ended without a cluster.</summary>
/// <param name="Node">Whose.</param>
/// <param name="Expired">Whether it expired rather than being given back.</param>
/// <param name="Reason">Why.</param>
public sealed record InitializationAbandoned(NodeName Node, bool Expired, string Reason) : ClusterEvent;
/// <summary>The cluster exists.</summary>
/// <param name="Node">Who created or adopted it.</param>
/// <param name="SystemIdentifier">Its identity.</param>
public sealed record InitializationCompleted(NodeName Node, ulong SystemIdentifier) : ClusterEvent;
/// <summary>Leadership fell vacant and an election opened.</summary>
/// <param name="Vacancy">The vacancy.</param>
/// <param name="Reason">Why.</param>
/// <param name="Detail">In words.</param>
/// <param name="FormerHolder">Who led.</param>
/// <param name="FormerEpoch">Its epoch.</param>
/// <param name="LastLeaderLsn">Its last known write position.</param>
/// <param name="ShutdownLsn">Its shutdown checkpoint, or 0/0.</param>
/// <param name="Candidate">Who may take over first.</param>
public sealed record VacancyOpened(
    VacancyId Vacancy, VacancyReason Reason, string Detail, NodeName? FormerHolder, Epoch FormerEpoch, Lsn LastLeaderLsn, Lsn ShutdownLsn, NodeName? Candidate) : ClusterEvent
{
    /// <summary>Who noticed it: the holder that released, the Raft leader that saw the lease run out; null when nobody says.</summary>
    public NodeName? NoticedBy { get; init; }
    /// <summary>When the former holder proposed its last renewal, by its own wall clock in Unix milliseconds; 0 when there was none.</summary>
    public long LastRenewalUnixMs { get; init; }
    /// <summary>The ttl that was in force, in milliseconds; 0 when nobody held a lease.</summary>
    public long TtlMs { get; init; }
    /// <summary>The synchronous set at that moment: who may hold every acknowledged commit.</summary>
    public SyncState Sync { get; init; } = SyncState.None;
    /// <summary>Whether the cluster was paused, so that nobody stands by himself.</summary>
    public bool Paused { get; init; }
}
/// <summary>A node stood for election.</summary>
/// <param name="Vacancy">The vacancy.</param>
/// <param name="Node">Who.</param>
/// <param name="Timeline">Its timeline.</param>
/// <param name="EndOfWal">Its end of WAL.</param>
/// <param name="FailoverPriority">Its priority.</param>
public sealed record NodeStood(VacancyId Vacancy, NodeName Node, TimelineId Timeline, Lsn EndOfWal, int FailoverPriority) : ClusterEvent;
/// <summary>A node declined to stand.</summary>
/// <param name="Vacancy">The vacancy.</param>
/// <param name="Node">Who.</param>
/// <param name="Reason">Why.</param>
public sealed record NodeDeclined(VacancyId Vacancy, NodeName Node, string Reason) : ClusterEvent;
/// <summary>A node withdrew.</summary>
/// <param name="Vacancy">The vacancy.</param>
/// <param name="Node">Who.</param>
/// <param name="Reason">Why.</param>
public sealed record NodeWithdrew(VacancyId Vacancy, NodeName Node, string Reason) : ClusterEvent;
/// <summary>A close found nobody fit to lead.</summary>
/// <param name="Vacancy">The vacancy.</param>
/// <param name="Refusals">Everybody and why not.</param>
/// <param name="NarrowingLapsed">The candidate to whom the election was narrowed until now.</param>
public sealed record ElectionFruitless(VacancyId Vacancy, ImmutableArray<CandidateVerdict> Refusals, NodeName? NarrowingLapsed) : ClusterEvent
{
    /// <summary>Registered nodes with data that had not answered, by name.</summary>
    public ImmutableArray<NodeName> Unanswered { get; init; } = [];
}
/// <summary>A leader was elected.</summary>
/// <param name="Vacancy">The vacancy; zero when the creator of the cluster became leader.</param>
/// <param name="Winner">Who.</param>
/// <param name="Epoch">The new epoch.</param>
/// <param name="Candidates">Everybody who answered, with numbers and verdicts, best first.</param>
public sealed record LeaderElected(VacancyId Vacancy, NodeName Winner, Epoch Epoch, ImmutableArray<CandidateVerdict> Candidates) : ClusterEvent
{
    /// <summary>Registered nodes with data that had not answered, by name.</summary>
    public ImmutableArray<NodeName> Unanswered { get; init; } = [];
}
/// <summary>A lease became bounded or unbounded.</summary>
/// <param name="Holder">Whose.</param>
/// <param name="Epoch">Its epoch.</param>
/// <param name="Unbounded">Whether it needs no renewals now.</param>
public sealed record LeaseBoundChanged(NodeName Holder, Epoch Epoch, bool Unbounded) : ClusterEvent;
/// <summary>The leader's PostgreSQL became primary.</summary>
/// <param name="Promotion">The record.</param>
public sealed record LeaderPromoted(Promotion Promotion) : ClusterEvent;
/// <summary>The first checkpoint after promotion is on disk.</summary>
/// <param name="Node">Whose.</param>
/// <param name="Epoch">Its epoch.</param>
/// <param name="CheckpointLsn">Where.</param>
public sealed record LeaderCheckpointed(NodeName Node, Epoch Epoch, Lsn CheckpointLsn) : ClusterEvent;
/// <summary>A node reported for the first time or again after silence.</summary>
/// <param name="Node">Who.</param>
/// <param name="AfterSilence">Whether it had gone silent.</param>
public sealed record MemberJoined(NodeName Node, bool AfterSilence) : ClusterEvent;
/// <summary>A node's role, state, timeline, replication or data changed.</summary>
/// <param name="Node">Who.</param>
/// <param name="State">State now.</param>
/// <param name="Role">Role now.</param>
/// <param name="Timeline">Timeline now.</param>
/// <param name="Note">What it waits for.</param>
public sealed record MemberChanged(NodeName Node, PostgresState State, PostgresRole Role, TimelineId Timeline, string Note) : ClusterEvent
{
    /// <summary><c>streaming</c>, <c>in archive recovery</c>, or empty.</summary>
    public string Replication { get; init; } = "";
    /// <summary>Life of its data directory now.</summary>
    public Incarnation Incarnation { get; init; }
    /// <summary>How that life came about.</summary>
    public DataOrigin Origin { get; init; }
}
/// <summary>A node stopped reporting.</summary>
/// <param name="Node">Who.</param>
public sealed record MemberWentSilent(NodeName Node) : ClusterEvent;
/// <summary>The dynamic configuration changed.</summary>
/// <param name="Version">Its version now.</param>
/// <param name="Json">The change (patch or whole).</param>
public sealed record ConfigChanged(long Version, string Json) : ClusterEvent;
/// <summary>A switchover or failover was requested.</summary>
/// <param name="Request">The request.</param>
public sealed record FailoverRequested(FailoverRequest Request) : ClusterEvent;
/// <summary>A request was dropped or fulfilled.</summary>
/// <param name="RequestIndex">Which.</param>
/// <param name="Reason">Why.</param>
public sealed record FailoverCleared(long RequestIndex, string Reason) : ClusterEvent;
/// <summary>A restart of a member was scheduled.</summary>
/// <param name="Node">The member.</param>
/// <param name="Restart">The request.</param>
public sealed record RestartScheduled(NodeName Node, ScheduledRestart Restart) : ClusterEvent;
/// <summary>A scheduled restart was dropped or done.</summary>
/// <param name="Node">The member.</param>
/// <param name="RequestIndex">Which.</param>
/// <param name="Reason">Why.</param>
public sealed record RestartCleared(NodeName Node, long RequestIndex, string Reason) : ClusterEvent;
/// <summary>The synchronous set changed.</summary>
/// <param name="Sync">The set now.</param>
public sealed record SyncStateChanged(SyncState Sync) : ClusterEvent;
/// <summary>The topology of failsafe mode changed.</summary>
/// <param name="Members">Its members.</param>
public sealed record FailsafeTopologyChanged(ImmutableArray<NodeName> Members) : ClusterEvent;
/// <summary>A voter was registered.</summary>
/// <param name="Peer">The voter.</param>
public sealed record PeerRegistered(Peer Peer) : ClusterEvent;
/// <summary>A voter was forgotten.</summary>
/// <param name="Node">Its name.</param>
public sealed record PeerRemoved(NodeName Node) : ClusterEvent;
/// <summary>The feature level rose.</summary>
/// <param name="Level">To what.</param>
public sealed record FeatureLevelRaised(int Level) : ClusterEvent;
/// <summary>The generation rose: an operator forced a new group.</summary>
/// <param name="Generation">To what.</param>
/// <param name="Reason">What was done.</param>
public sealed record GenerationRaised(uint Generation, string Reason) : ClusterEvent;
/// <summary>The PostgreSQL cluster was forgotten.</summary>
/// <param name="Reason">Why.</param>
public sealed record ClusterWiped(string Reason) : ClusterEvent;

/// <summary>One node's showing in an election.</summary>
/// <param name="Node">Who.</param>
/// <param name="Eligible">Whether it could win.</param>
/// <param name="Rule">The rule that refused it, or that ranked it.</param>
/// <param name="Reason">In words, with numbers.</param>
/// <param name="Timeline">Its timeline.</param>
/// <param name="EndOfWal">Its end of WAL.</param>
/// <param name="FailoverPriority">Its priority.</param>
public sealed record CandidateVerdict(
    NodeName Node, bool Eligible, string Rule, string Reason, TimelineId Timeline, Lsn EndOfWal, int FailoverPriority);
/// <summary>A guard killed its PostgreSQL, because the lease was over and nobody renewed it.</summary>
/// <param name="Node">Whose.</param>
/// <param name="Fence">What it did. It was done before the event was recorded: by the next agent that found the guard's report.</param>
public sealed record GuardFenced(NodeName Node, FenceFacts Fence) : ClusterEvent;
