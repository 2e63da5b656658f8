using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>Everything one decision of a node looks at. Nothing else is read while it is made.</summary>
public sealed record NodeView
{
    /// <summary>This node.</summary>
    public required NodeName Self { get; init; }
    /// <summary>The Raft address that this node registers with its name; empty in models that have no addresses.</summary>
    public string RaftAddress { get; init; } = "";
    /// <summary>CLOCK_BOOTTIME, milliseconds.</summary>
    public required long NowMs { get; init; }
    /// <summary>Wall clock, Unix milliseconds; only for schedules.</summary>
    public required long UnixNowMs { get; init; }
    /// <summary>The replicated state applied here.</summary>
    public required ClusterState State { get; init; }
    /// <summary>Whether that state was current at some time since this agent started (a read barrier succeeded).</summary>
    public required bool StateIsCurrent { get; init; }
    /// <summary>The lease proof, or null.</summary>
    public HeldLease? Lease { get; init; }
    /// <summary>Under which leadership a renewal of this life of the agent was accepted; see <see cref="LeaseKeeper.RenewedEpoch"/>.</summary>
    public Epoch RenewedEpoch { get; init; }
    /// <summary>The release this agent proposed, or null; see <see cref="LeaseKeeper.Released"/>.</summary>
    public ReleaseLeader? Released { get; init; }
    /// <summary>What this node promised in failsafe mode, or null.</summary>
    public FailsafePromise? Promise { get; init; }
    /// <summary>The data directory.</summary>
    public required DataView Data { get; init; }
    /// <summary>The processes.</summary>
    public required ServerView Server { get; init; }
    /// <summary>
    /// Whether <see cref="Server"/> was looked at before the open vacancy was known here: the last WAL of a primary that stopped, which comes with its
    /// stop, is then missing from it (<see cref="ApplyClock.IsBeforeVacancy"/>).
    /// </summary>
    public bool SeenBeforeVacancy { get; init; }
    /// <summary>
    /// Whether anything of the instance may commit: launched as primary, promoted, or simply not known to be a standby. Declared intent,
    /// not observation: it is true from before the launch until an empty scan.
    /// </summary>
    public required bool MayBeWritable { get; init; }
    /// <summary>The running long action, or null.</summary>
    public ActionKind? Running { get; init; }
    /// <summary>How the last action ended, or null when none did since the agent started.</summary>
    public ActionResult? LastAction { get; init; }
    /// <summary>The durable mark of the last promotion begun in this data directory, or null.</summary>
    public PromotionMark? Mark { get; init; }
    /// <summary>The durable mark of the recorded promotion for which this data directory was last pointed to an upstream, or null.</summary>
    public FollowMark? Followed { get; init; }
    /// <summary>The node's tags and settings that decisions need.</summary>
    public required NodeTraits Traits { get; init; }
    /// <summary>The disks, as probes found them.</summary>
    public DiskView Disks { get; init; } = DiskView.Healthy;
    /// <summary>What the node would report of itself.</summary>
    public required MemberReport Report { get; init; }
    /// <summary>Initial dynamic configuration from <c>bootstrap.dcs</c>.</summary>
    public string BootstrapConfigJson { get; init; } = "{}";
    /// <summary>Voters of the initial group.</summary>
    public int ExpectedPeers { get; init; } = 1;
    /// <summary>Whether the agent was told to end.</summary>
    public bool ShutdownRequested { get; init; }
    /// <summary>An operator's request to this node.</summary>
    public NodeRequest Request { get; init; }
    /// <summary>How long the requested restart may take to start PostgreSQL, in milliseconds; null for the configured time.</summary>
    public long? RequestTimeoutMs { get; init; }
    /// <summary>How long the start under way may take, when its request said so, in milliseconds; null for the configured time.</summary>
    public long? StartTimeoutMs { get; init; }
    /// <summary>Whether a clone takes the leader's data and nobody else's, because an operator said so.</summary>
    public bool CloneFromLeader { get; init; }
    /// <summary>Start of the postmaster that answers, in Unix microseconds; 0 when none does.</summary>
    public long PostmasterStartUnixUs { get; init; }
    /// <summary>When the open vacancy became known here (<see cref="ApplyClock.VacancyAtMs"/>), CLOCK_BOOTTIME milliseconds.</summary>
    public long VacancyAtMs { get; init; }
    /// <summary>Since when PostgreSQL has no guard, CLOCK_BOOTTIME milliseconds; null while it has one.</summary>
    public long? GuardMissingSinceMs { get; init; }
    /// <summary>Why it has none.</summary>
    public string GuardProblem { get; init; } = "";
    /// <summary>The fence that the guard reports and that nobody has seen in the history yet, or null.</summary>
    public FenceFacts? Fenced { get; init; }
    /// <summary>Why a watchdog that is required cannot be used; null when it can, or none is required.</summary>
    public string? WatchdogProblem { get; init; }
    /// <summary>When WAL was last seen to arrive from the upstream, CLOCK_BOOTTIME milliseconds; 0 when never.</summary>
    public long WalArrivedAtMs { get; init; }
}

/// <summary>What an operator may ask of one node.</summary>
public enum NodeRequest
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>Restart PostgreSQL.</summary>
    Restart,
    /// <summary>Throw the data away and clone again.</summary>
    Reinitialize,
}

/// <summary>Settings of one node that decisions need.</summary>
public sealed record NodeTraits
{
    /// <summary>Failover priority: 0 when <c>nofailover</c> is set.</summary>
    public int FailoverPriority { get; init; } = 1;
    /// <summary><c>use_pg_rewind</c>.</summary>
    public bool UsePgRewind { get; init; } = true;
    /// <summary><c>remove_data_directory_on_rewind_failure</c>.</summary>
    public bool RemoveDataOnRewindFailure { get; init; }
    /// <summary><c>remove_data_directory_on_diverged_timelines</c>.</summary>
    public bool RemoveDataOnDivergedTimelines { get; init; }
    /// <summary>The member a replica should stream from, from <c>replicatefrom</c>; null for the leader.</summary>
    public NodeName? ReplicateFrom { get; init; }
}

/// <summary>A mark written and flushed before a promotion begins.</summary>
/// <param name="Epoch">Under which leadership.</param>
/// <param name="TimelineBefore">The timeline it starts from; unknown (0) when it was not known.</param>
public sealed record PromotionMark(Epoch Epoch, TimelineId TimelineBefore);

/// <summary>
/// Up to which promotion the log told where a replica's WAL comes from. Written and flushed before the replica is pointed to an upstream; at the end of a clone or a
/// rewind, as of its beginning.
/// </summary>
/// <param name="Epoch">Epoch of the newest recorded promotion; <see cref="StateMachine.Epoch.None"/> for a mark that cannot be read.</param>
/// <param name="Timeline">The timeline of that promotion: what is above it came without the log telling of it.</param>
/// <param name="Events">Number of the newest significant event that was known then (<see cref="ClusterState.EventCount"/>): what the history told up to it needs not be told again.</param>
public sealed record FollowMark(Epoch Epoch, TimelineId Timeline, long Events)
{
    /// <summary>The mark for what a state tells.</summary>
    /// <param name="promotion">Its newest recorded promotion.</param>
    /// <param name="state">The state.</param>
    public static FollowMark Of(Promotion promotion, ClusterState state) => new(promotion.Epoch, promotion.Timeline, state.EventCount);

    /// <summary>Whether it is the mark for that promotion.</summary>
    public bool IsFor(Promotion promotion) => Epoch == promotion.Epoch && Timeline == promotion.Timeline;
}

/// <summary>The data directory.</summary>
public abstract record DataView;

/// <summary>It does not exist or is empty.</summary>
public sealed record NoData : DataView;

/// <summary>It cannot be used; nothing in it is touched.</summary>
/// <param name="Reason">One sentence for the DBA.</param>
public sealed record UnusableData(string Reason) : DataView;

/// <summary>Work on it was begun and not finished.</summary>
/// <param name="Work">Which.</param>
public sealed record UnfinishedData(UnfinishedWork Work) : DataView;

/// <summary>Work on a data directory that leaves it unusable when interrupted.</summary>
public enum UnfinishedWork
{
    /// <summary>initdb or a custom bootstrap.</summary>
    Initialization,
    /// <summary>A clone.</summary>
    Clone,
    /// <summary>pg_rewind.</summary>
    Rewind,
}

/// <summary>It holds a database cluster.</summary>
/// <param name="Incarnation">The life of the data.</param>
/// <param name="SystemIdentifier">Database system identifier.</param>
/// <param name="Timeline">Highest timeline the control file speaks of.</param>
/// <param name="IsStandby">Whether it was last run as a standby (standby.signal, or the control file says in recovery).</param>
/// <param name="ShutDownCleanly">Whether the control file says shut down (or shut down in recovery).</param>
/// <param name="LastLsn">Latest checkpoint, or the minimum recovery end when that is later.</param>
public sealed record PresentData(
    Incarnation Incarnation, ulong SystemIdentifier, TimelineId Timeline, bool IsStandby, bool ShutDownCleanly, Lsn LastLsn) : DataView
{
    /// <summary>The history of <see cref="Timeline"/>, oldest first; empty when it cannot be read.</summary>
    public ImmutableArray<TimelineFork> History { get; init; } = [];

    /// <summary>Whether it is what initdb of this node left, and nobody has started it since: nothing in it can be missed.</summary>
    public bool IsUnused { get; init; }

    /// <summary>Highest timeline of which any WAL or history file is there, replayed or not; unknown (0) when it was not looked for.</summary>
    public TimelineId NewestWal { get; init; }
}

/// <summary>The processes of the instance.</summary>
public abstract record ServerView;

/// <summary>No process is left: an empty scan.</summary>
public sealed record ServerStopped : ServerView;

/// <summary>Processes without a living postmaster.</summary>
/// <param name="Count">How many.</param>
public sealed record ServerRemnants(int Count) : ServerView;

/// <summary>The postmaster lives and does not accept connections yet, or not any more.</summary>
/// <param name="SinceMs">Since when, CLOCK_BOOTTIME milliseconds.</param>
public sealed record ServerStarting(long SinceMs) : ServerView;

/// <summary>It lives and does not answer in time.</summary>
/// <param name="SinceMs">Since when, CLOCK_BOOTTIME milliseconds.</param>
public sealed record ServerUnresponsive(long SinceMs) : ServerView;

/// <summary>It answers as a primary.</summary>
/// <param name="Timeline">The timeline it writes.</param>
/// <param name="WriteLsn">Its write position.</param>
/// <param name="CheckpointTimeline">Timeline of its last checkpoint.</param>
/// <param name="CheckpointLsn">Location of its last checkpoint.</param>
/// <param name="History">Its timeline history, oldest first.</param>
public sealed record PrimaryServer(
    TimelineId Timeline, Lsn WriteLsn, TimelineId CheckpointTimeline, Lsn CheckpointLsn, ImmutableArray<TimelineFork> History) : ServerView;

/// <summary>It answers as a standby.</summary>
/// <param name="Timeline">Its timeline.</param>
/// <param name="EndOfWal">Proven end of its local WAL; 0/0 when not known.</param>
/// <param name="ReplayLsn">How far it replayed.</param>
/// <param name="Upstream">The member its configuration points to; null when to none.</param>
/// <param name="IsStreaming">Whether the WAL receiver streams.</param>
/// <param name="History">Its timeline history, oldest first.</param>
public sealed record StandbyServer(
    TimelineId Timeline, Lsn EndOfWal, Lsn ReplayLsn, NodeName? Upstream, bool IsStreaming, ImmutableArray<TimelineFork> History) : ServerView;
