using System.Collections.Immutable;
using Patroni.Raft.Agent.Node;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;
using Patroni.Raft.UnitTests.StateMachine;

namespace Patroni.Raft.UnitTests.Api;

/// <summary>The three nodes of the recorded answers: node0 leads, node1 and node2 stream, everybody at 0/4000000.</summary>
internal static class RecordedCluster
{
    public const ulong SystemIdentifier = 7711060563153238640;
    public const string Config =
        """{"loop_wait": 1, "postgresql": {"parameters": {"max_connections": 50, "shared_buffers": "32MB", "wal_keep_size": "128MB"}, "use_pg_rewind": true}, "retry_timeout": 3, "synchronous_mode": false, "ttl": 20}""";
    public static readonly Lsn Position = new(67108864);

    public static TestCluster Create(string config = Config)
    {
        var cluster = new TestCluster();
        for (int i = 0; i < 3; i++) cluster.Accept(new RegisterPeer(new(Name(i), $"127.0.0.1:740{i}", $"http://127.0.0.1:840{i}", PeerKind.Data)));
        for (int i = 0; i < 3; i++) cluster.Accept(new TouchMember(Name(i), new()));
        long claim = cluster.Accept(new ClaimInitialization(Name(0), 0, false, 3, 30_000)).Index;
        cluster.Accept(new CompleteInitialization(claim, Name(0), SystemIdentifier, true, config));
        cluster.Renew(Position.Value);
        cluster.Accept(new ReportPromoted(cluster.Lease.Epoch, Name(0), new(1), default, default));
        for (int i = 0; i < 3; i++) cluster.Accept(new TouchMember(Name(i), Report(i)));
        return cluster;
    }

    public static NodeName Name(int node) => new($"node{node}");

    public static Incarnation Data(int node) => new((ulong)node + 1);

    public static MemberReport Report(int node) => new()
    {
        ApiUrl = $"http://127.0.0.1:840{node}/patroni",
        Host = "127.0.0.1",
        Port = 6400 + node,
        Incarnation = Data(node),
        SystemIdentifier = SystemIdentifier,
        State = PostgresState.Running,
        Role = node == 0 ? PostgresRole.Primary : PostgresRole.Replica,
        Timeline = new(1),
        WriteLsn = node == 0 ? Position : default,
        ReceiveLsn = node == 0 ? default : Position,
        ReplayLsn = node == 0 ? default : Position,
        ReplicationState = node == 0 ? "" : "streaming",
        AgentVersion = "4.1.4",
        ServerVersion = 150018,
    };

    public static InstanceStatus Postgres(int node) => new()
    {
        PostmasterStartTime = DateTimeOffset.Parse(node == 0 ? "2026-11-22 18:13:15.114943+00:00" : "2026-11-22 18:13:18.656172+00:00"),
        InRecovery = node != 0,
        ServerVersion = 150018,
        SystemIdentifier = SystemIdentifier,
        Timeline = new(1),
        CheckpointTimeline = new(1),
        WriteLsn = node == 0 ? Position : default,
        FlushLsn = node == 0 ? Position : default,
        ReceiveLsn = node == 0 ? null : Position,
        ReplayLsn = node == 0 ? null : Position,
        ReplayTimestamp = null,
        ReplayPaused = false,
        EndOfWal = default,
        Receiver = node == 0 ? null : new("streaming", $"node{node}", "127.0.0.1", 6400, new(1), Position),
        Replication = node == 0 ? [Client("node2"), Client("node1")] : [],
        Slots = [],
        PendingRestart = [],
        SynchronousStandbyNames = "",
    };

    public static NodeSnapshot Snapshot(TestCluster cluster, int node) => new()
    {
        Self = Name(node),
        Scope = "lab",
        State = cluster.State,
        Report = Report(node),
        Postgres = Postgres(node),
        ServerVersion = 150018,
        LeaseDeadlineMs = node == 0 ? 1_010_000 : null,
        LeaseEpoch = node == 0 ? cluster.Lease.Epoch : default,
        LastTurnMs = 999_500,
        DcsLastSeenUnixSeconds = 1795371203,
        Raft = new("leader", 3, 40, 40, "127.0.0.1:7400", 3, 1),
    };

    public static InMemoryNode Node(int node = 0, string config = Config)
    {
        TestCluster cluster = Create(config);
        return new(cluster, Snapshot(cluster, node));
    }

    /// <summary>What the agents do after a request: the leader gives way, the named one (or node1) stands, renews and is promoted.</summary>
    public static void HandOver(InMemoryNode node, NodeName winner)
    {
        LeaderLease lease = node.Cluster.Lease;
        Accept(node, new ReleaseLeader(lease.Epoch, lease.Holder, VacancyReason.Switchover, "switchover", new(67109256), winner));
        TakeOver(node, winner);
    }

    /// <summary>The winner of a vacancy stands, renews and is promoted.</summary>
    public static void TakeOver(InMemoryNode node, NodeName winner)
    {
        Vacancy vacancy = node.Cluster.Vacancy;
        var data = new Incarnation(winner == Name(1) ? 2u : 3u);
        Accept(node, new StandForElection(vacancy.Id, winner, data, new(1), new(67109300), new(67109300), 1, []));
        if (node.Cluster.State.Lease is null) Accept(node, new CloseElection(vacancy.Id));
        LeaderLease won = node.Cluster.Lease;
        Accept(node, new RenewLeader(won.Epoch, winner, 20_000, false, new(67109300), []));
        Accept(node, new ReportPromoted(won.Epoch, winner, new(2), new(1), new(67109256)));
    }

    private static void Accept(InMemoryNode node, Command command)
    {
        Outcome outcome = node.Do(command);
        if (!outcome.IsAccepted) throw new InvalidOperationException($"{command}: {outcome}");
    }

    private static ReplicationClient Client(string name) => new("rep", name, "127.0.0.1", "streaming", "async", 0, null, null, null);
}
