using Patroni.Raft.Agent.Node;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Documents;

/// <summary>
/// What the answers need of one snapshot, worked out once; requests only compare numbers and copy bytes. Nothing in it depends on
/// the clock: whatever does (the lease, the age of the loop) is asked of the snapshot with the time of the request.
/// </summary>
internal sealed class StatusView
{
    private byte[]? status;
    private byte[]? cluster;
    private byte[]? history;
    private byte[]? config;
    private byte[]? metrics;

    /// <summary>Works a snapshot out.</summary>
    /// <param name="snapshot">What to show.</param>
    /// <param name="origin">The agent's snapshot it was made from, when a newer state was put into it.</param>
    public StatusView(NodeSnapshot snapshot, NodeSnapshot? origin = null)
    {
        Snapshot = snapshot;
        Origin = origin ?? snapshot;
        InstanceStatus? postgres = snapshot.Postgres;
        DynamicConfiguration settings = snapshot.State.Settings;
        IsStandbyCluster = settings.IsStandbyCluster;
        Role = RoleOf(snapshot, IsStandbyCluster);
        Answers = postgres is not null;
        IsRunning = postgres is not null && snapshot.Report.State == PostgresState.Running;
        Tags = NodeTags.Parse(snapshot.Report.TagsJson);
        Known = MemberTags.Of(snapshot.Report);
        Replayed = postgres?.ReplayLsn ?? Lsn.Zero;
        Received = postgres?.ReceiveLsn is { IsValid: true } received ? received : Replayed;
        LeaderLsn = Lsn.Max(ClusterView.LeaderLsn(snapshot.State), postgres?.Receiver?.FlushedLsn ?? Lsn.Zero);
        ReplicationState = postgres is null ? "" : snapshot.Report.ReplicationState;
        bool inSet = Role == PostgresRole.Replica && settings.SynchronousMode != SynchronousMode.Off
            && snapshot.State.Sync.Contains(snapshot.Self, snapshot.Report.Incarnation);
        IsSyncStandby = inSet && settings.SynchronousMode == SynchronousMode.On;
        IsQuorumStandby = inSet && settings.SynchronousMode == SynchronousMode.Quorum;
    }

    public NodeSnapshot Snapshot { get; }
    public NodeSnapshot Origin { get; }
    public ClusterState State => Snapshot.State;
    public bool IsStandbyCluster { get; }
    /// <summary>What PostgreSQL says it is; what the node reports when it does not answer.</summary>
    public PostgresRole Role { get; }
    /// <summary>PostgreSQL answered the last query.</summary>
    public bool Answers { get; }
    /// <summary>The state is <c>running</c>, and it answered.</summary>
    public bool IsRunning { get; }
    public NodeTags Tags { get; }
    /// <summary>The tags that the cluster itself understands.</summary>
    public MemberTags Known { get; }
    public Lsn Replayed { get; }
    public Lsn Received { get; }
    /// <summary>The leader's write position as far as this node knows it.</summary>
    public Lsn LeaderLsn { get; }
    public string ReplicationState { get; }
    public bool IsSyncStandby { get; }
    public bool IsQuorumStandby { get; }

    /// <summary>The status document; the same for every health check of this snapshot.</summary>
    public byte[] Status => status ??= Json.PythonJsonWriter.ToBytes(this, StatusDocument.Write);
    public byte[] Cluster => cluster ??= Json.PythonJsonWriter.ToBytes(Snapshot, ClusterDocument.Write);
    public byte[] History => history ??= Json.PythonJsonWriter.ToBytes(State, HistoryDocument.Write);
    public byte[] Config => config ??= Json.PythonJsonWriter.ToBytes(State.Config.Json, static (writer, json) => writer.Raw(json));
    /// <summary>The metrics without those that depend on the clock.</summary>
    public byte[] Metrics(RaftMetrics raft) => metrics ??= MetricsDocument.Build(this, raft);

    /// <summary>The word of the status document's <c>state</c>: Patroni says <c>unknown</c> when PostgreSQL runs but does not answer.</summary>
    public string StateText => Snapshot.Report.State == PostgresState.Running && !Answers ? "unknown" : PostgresText.Of(Snapshot.Report.State);

    private static PostgresRole RoleOf(NodeSnapshot snapshot, bool isStandbyCluster) => snapshot.Postgres switch
    {
        null => snapshot.Report.Role,
        { InRecovery: false } => PostgresRole.Primary,
        _ => isStandbyCluster ? snapshot.Report.Role : PostgresRole.Replica,
    };
}
