using System.Threading.Channels;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Agent.Consensus;
using Patroni.Raft.Agent.Failsafe;
using Patroni.Raft.Agent.Instance;
using Patroni.Raft.Consensus;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;
using Microsoft.Extensions.Logging;

namespace Patroni.Raft.Agent.Node;

/// <summary>
/// A voter without PostgreSQL: two data nodes and a witness survive any single loss. It registers itself and, when it leads the Raft group,
/// proposes what the Raft leader proposes.
/// </summary>
public sealed partial class WitnessAgent : INode, IAsyncDisposable
{
    private readonly Channel<byte> mailbox = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource ending = new();
    private readonly ConfigurationStore configuration;
    private readonly ReplicatedCluster cluster;
    private readonly RaftNode raft;
    private readonly Proposer proposer;
    private readonly RaftOperations operations;
    private readonly ILogger<WitnessAgent> log;
    private readonly PromiseKeeper promises;
    private readonly long startedMs = BootClock.NowMs;
    private readonly DiskProbe raftProbe;
    private long lastSeenUnixSeconds;
    private volatile NodeSnapshot snapshot;

    /// <summary>Prepares a witness.</summary>
    public WitnessAgent(ConfigurationStore configuration, ReplicatedCluster cluster, RaftNode raft, ILoggerFactory loggers)
    {
        this.configuration = configuration;
        this.cluster = cluster;
        this.raft = raft;
        promises = new(configuration.Current.Name, cluster, configuration.Current.Raft.DataDirectory, static () => false);
        snapshot = MakeSnapshot();
        proposer = new(raft, loggers.CreateLogger<Proposer>());
        operations = new(raft, cluster, proposer);
        string raftDirectory = configuration.Current.Raft.DataDirectory;
        raftProbe = new(() => [raftDirectory], Wake);
        log = loggers.CreateLogger<WitnessAgent>();
    }

    /// <inheritdoc/>
    public NodeSnapshot Snapshot => snapshot;

    /// <summary>Tells what the log's target has not taken yet.</summary>
    public Func<LogBacklog>? LogBacklog { get; init; }

    /// <inheritdoc/>
    public event Action<TimeSpan>? Committed
    {
        add => proposer.Committed += value;
        remove => proposer.Committed -= value;
    }

    /// <inheritdoc/>
    public long NowMs => BootClock.NowMs;

    /// <inheritdoc/>
    public IReadOnlyList<RaftMemberView> RaftMembers => RaftViews.Members(raft.GetStatus(), cluster.Current.State);

    /// <summary>Runs until the witness is asked to end; returns the exit code.</summary>
    public async Task<int> RunAsync()
    {
        cluster.Changed += Wake;
        raft.LeadershipChanged += OnLeadershipChanged;
        var peer = new Peer(configuration.Current.Name, RaftAddress.Format(raft.SelfEndPoint), configuration.Current.RestApi.Url, PeerKind.Witness);
        DiskHealth disk = DiskView.Healthy.Raft;
        while (!ending.IsCancellationRequested && !raft.Stopped.IsCompleted)
        {
            AppliedCluster applied = cluster.Current;
            long now = BootClock.NowMs;
            disk = disk.Observe(raftProbe.Latest, now, DiskHealth.HungAfterMs(applied.State.Settings.TtlMs));
            if (disk.State == DiskState.Hung)
            {
                // As a node with PostgreSQL does (rule disk.end): a Raft leader that cannot write keeps its followers waiting.
                LogDisk(disk.Reason);
                return 1;
            }
            if (raft.LeaderEndPoint is not null) Volatile.Write(ref lastSeenUnixSeconds, DateTimeOffset.UtcNow.ToUnixTimeSeconds());
            if (!applied.State.Peers.TryGetValue(peer.Name, out Peer? known) || known != peer) Post(new RegisterPeer(peer));
            snapshot = MakeSnapshot();
            long due = now + 1000;
            FailsafePromise? promise = promises.Current(applied.State, now);
            if (raft.IsLeader)
            {
                foreach (CoordinatorDecision decision in CoordinatorDecisions.Decide(configuration.Current.Name, applied.State, applied.Clock, now, startedMs, promise)) Post(decision.Command);
                due = Math.Min(due, CoordinatorDecisions.NextDueMs(applied.State, applied.Clock, now, startedMs, promise));
            }
            using var timer = CancellationTokenSource.CreateLinkedTokenSource(ending.Token);
            timer.CancelAfter(TimeSpan.FromMilliseconds(Math.Clamp(due - now, 5, 1000)));
            await ((Task)mailbox.Reader.WaitToReadAsync(timer.Token).AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            mailbox.Reader.TryRead(out _);
        }
        return raft.Stopped.IsFaulted ? 1 : 0;
    }

    /// <summary>Asks the witness to end.</summary>
    public void RequestShutdown() => ending.Cancel();

    /// <inheritdoc/>
    public Task<Outcome> ProposeAsync(Command command, TimeSpan timeout, CancellationToken cancellation) =>
        proposer.ProposeAsync(proposer.NextId(), command, timeout, cancellation);

    /// <inheritdoc/>
    public Task<ClusterState> ReadAsync(TimeSpan timeout, CancellationToken cancellation) => operations.ReadAsync(timeout, cancellation);

    /// <inheritdoc/>
    public Task<ClusterState?> WaitForAsync(Func<ClusterState, bool> condition, TimeSpan timeout, CancellationToken cancellation) =>
        cluster.WaitForAsync(condition, timeout, cancellation);

    /// <inheritdoc/>
    public async Task<FailsafeAnswer> AnswerFailsafeAsync(FailsafeQuestion question, CancellationToken cancellation)
    {
        FailsafeAnswer answer = await promises.AnswerAsync(question, cancellation).ConfigureAwait(false);
        Wake();
        return answer;
    }

    /// <inheritdoc/>
    public Task<OperationResult> RestartAsync(TimeSpan? timeout, CancellationToken cancellation) => NoPostgres();

    /// <inheritdoc/>
    public Task<OperationResult> ReinitializeAsync(bool force, bool fromLeader, CancellationToken cancellation) => NoPostgres();

    /// <inheritdoc/>
    public OperationResult Reload()
    {
        ConfigurationResult read = configuration.Reload();
        return read.Configuration is null
            ? new(false, $"the configuration is left as it is: {string.Join("; ", read.Problems)}")
            : new(true, "reload scheduled");
    }

    /// <inheritdoc/>
    public Task<OperationResult> AddRaftMemberAsync(string address, CancellationToken cancellation) => operations.AddAsync(address, cancellation);

    /// <inheritdoc/>
    public Task<OperationResult> RemoveRaftMemberAsync(string nameOrAddress, CancellationToken cancellation) => operations.RemoveAsync(nameOrAddress, cancellation);

    /// <inheritdoc/>
    public Task<OperationResult> TransferRaftLeadershipAsync(string nameOrAddress, CancellationToken cancellation) => operations.TransferAsync(nameOrAddress, cancellation);

    /// <inheritdoc/>
    public RaftIdentity RaftIdentity => RaftViews.Identity(raft, configuration.Current);

    /// <inheritdoc/>
    public bool IsNodeToken(ReadOnlySpan<char> token) => raft.Token is { } expected && expected.Matches(token.ToString());

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        ending.Cancel();
        raftProbe.Dispose();
        cluster.Changed -= Wake;
        raft.LeadershipChanged -= OnLeadershipChanged;
        return ValueTask.CompletedTask;
    }

    private NodeSnapshot MakeSnapshot() => new()
    {
        Self = configuration.Current.Name,
        Scope = configuration.Current.Scope,
        State = cluster.Current.State,
        Report = new() { ApiUrl = $"{configuration.Current.RestApi.Url}/patroni", AgentVersion = NodeAgent.Version },
        LastTurnMs = BootClock.NowMs,
        DcsLastSeenUnixSeconds = lastSeenUnixSeconds,
        Raft = RaftViews.Of(raft.GetStatus()),
        IsWitness = true,
        FailsafeIsActive = promises.Current(cluster.Current.State, BootClock.NowMs) is not null,
        Log = LogBacklog?.Invoke() ?? default,
    };

    private static Task<OperationResult> NoPostgres() => Task.FromResult(new OperationResult(false, "a witness has no PostgreSQL"));

    private void Wake() => mailbox.Writer.TryWrite(0);

    private void OnLeadershipChanged(LeadershipChange change) => Wake();

    private void Post(Command command) => proposer.Post(command, TimeSpan.FromSeconds(3), null, Wake);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The witness ends, so that it does not hold up the Raft group: {Reason}")]
    private partial void LogDisk(string reason);
}
