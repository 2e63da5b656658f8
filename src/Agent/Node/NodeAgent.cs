using Patroni.Raft.Postgres.Guard;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Agent.Consensus;
using Patroni.Raft.Agent.Failsafe;
using Patroni.Raft.Agent.Instance;
using Patroni.Raft.Agent.Loop;
using Patroni.Raft.Agent.Watchdogs;
using Patroni.Raft.Consensus;
using Patroni.Raft.Postgres;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Node;

/// <summary>
/// The HA loop of one node with PostgreSQL: one mailbox, one turn at a time. A turn takes one snapshot of the world, asks the pure core, and
/// executes what it says. Looks at PostgreSQL, long actions and proposals run beside the loop and only ever wake it.
/// </summary>
public sealed partial class NodeAgent : INode, IAsyncDisposable
{
    private static readonly TimeSpan FenceLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(5);
    private readonly Channel<byte> mailbox = Channel.CreateBounded<byte>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource ending = new();
    private readonly TaskCompletionSource<int> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConfigurationStore configuration;
    private readonly ReplicatedCluster cluster;
    private readonly RaftNode raft;
    private readonly Proposer proposer;
    private readonly LocalInstance instance;
    private readonly InstanceObserver observer;
    private readonly ActionExecutor executor;
    private readonly FenceWatch fence;
    private readonly GuardKeeper guard;
    private readonly WatchdogKeeper watchdog;
    private readonly LeaseFile leaseFile;
    private readonly Callbacks callbacks;
    private readonly SlotMaintenance slots;
    private readonly DiskProbe dataProbe;
    private readonly DiskProbe raftProbe;
    private readonly ILogger<NodeAgent> log;
    private readonly long startedMs = BootClock.NowMs;
    private volatile NodeSnapshot snapshot;
    private volatile Observation? observation;
    private volatile bool stateIsCurrent;
    private volatile string job = "";
    private volatile bool steady;
    private DiskView disks = DiskView.Healthy;

    /// <summary>Prepares a node; nothing is touched before <see cref="RunAsync"/>.</summary>
    public NodeAgent(ConfigurationStore configuration, ReplicatedCluster cluster, RaftNode raft, GuardCommand guardCommand, ILoggerFactory loggers)
    {
        this.configuration = configuration;
        this.cluster = cluster;
        this.raft = raft;
        log = loggers.CreateLogger<NodeAgent>();
        Self = configuration.Current.Name;
        proposer = new(raft, loggers.CreateLogger<Proposer>());
        raftOperations = new(raft, cluster, proposer);
        PostgresSettings settings = AgentSettings.ForPostgres(configuration.Current, DynamicConfiguration.Default);
        guard = new(settings.DataDir, guardCommand, loggers.CreateLogger<GuardKeeper>());
        guard.Changed += OnGuardChanged;
        watchdog = new(() => configuration.Current.Watchdog, loggers.CreateLogger<WatchdogKeeper>());
        instance = new(settings, guard, loggers);
        observer = new(instance, Self);
        executor = new(instance, Self, epoch => keeper.Held is { } held && held.Epoch == epoch && held.Permits(BootClock.NowMs), text => { job = text; Wake(); }, loggers.CreateLogger<ActionExecutor>());
        leaseFile = new(settings.DataDir);
        fence = new(FenceFromWatch);
        promises = new(Self, cluster, configuration.Current.Raft.DataDirectory, () => fence.IsArmed);
        failsafeClient = new(configuration, raft.Token?.Value, loggers.CreateLogger<FailsafeClient>());
        callbacks = new(loggers.CreateLogger<Callbacks>());
        slots = new(instance, Self, loggers.CreateLogger<SlotMaintenance>());
        dataProbe = new(ProbedDataDirectories, Wake);
        string raftDirectory = configuration.Current.Raft.DataDirectory;
        raftProbe = new(() => [raftDirectory], Wake);
        snapshot = EmptySnapshot();
    }

    /// <summary>This node's name.</summary>
    public NodeName Self { get; }

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

    /// <summary>Runs until the agent ends; returns the exit code.</summary>
    public async Task<int> RunAsync()
    {
        cluster.Changed += Wake;
        raft.LeadershipChanged += OnLeadershipChanged;
        if (guard.Prepare() is { } problem)
        {
            LogBroken(problem);
            return 1;
        }
        RestoreLease();
        guard.Start();
        Task looking = observer.RunAsync(() => Interlocked.Read(ref actionNumber), ObserveInterval, Publish, ending.Token);
        Task catchingUp = CatchUpAsync();
        Task turning = TurnsAsync();
        Task first = await Task.WhenAny(ended.Task, raft.Stopped, turning, looking).ConfigureAwait(false);
        int code = await ExitCodeAsync(first).ConfigureAwait(false);
        await ending.CancelAsync().ConfigureAwait(false);
        Wake();
        // A look at a disk that hangs does not come to its end, and the agent must.
        await ((Task)Task.WhenAll(looking, catchingUp, turning)).WaitAsync(EndLimit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // With PostgreSQL stopped nobody needs it; it looks for itself, and stays when something is left to guard.
        if (!fence.IsArmed) watchdog.Disable();
        guard.End(EndLimit);
        return code;
    }

    /// <summary>Asks the agent to stop PostgreSQL, to give leadership away, and to end.</summary>
    public void RequestShutdown()
    {
        shutdownRequested = true;
        Wake();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync().ConfigureAwait(false);
        cluster.Changed -= Wake;
        fence.Dispose();
        guard.Dispose();
        dataProbe.Dispose();
        raftProbe.Dispose();
        watchdog.Dispose();
        callbacks.Dispose();
        failsafeClient.Dispose();
        await instance.DisposeAsync().ConfigureAwait(false);
        ending.Dispose();
    }

    private async Task<int> ExitCodeAsync(Task first)
    {
        if (first == ended.Task) return await ended.Task.ConfigureAwait(false);
        // The log stopped (failed disk, an entry of a later version) or the loop broke an invariant: without either there is no lease to keep.
        string reason = first.Exception?.InnerException?.Message ?? "the HA loop or the observation of PostgreSQL ended";
        LogBroken(reason);
        if (fence.IsArmed && keeper.Held is not { Unbounded: true }) await instance.Controller.FenceAsync(FenceLimit).ConfigureAwait(false);
        return 1;
    }

    /// <summary>A node acts only on a state that was current once since it started: until then only deadlines count.</summary>
    private async Task CatchUpAsync()
    {
        while (!ending.IsCancellationRequested && !stateIsCurrent)
        {
            try
            {
                await raft.ReadBarrierAsync(TimeSpan.FromSeconds(5), ending.Token).ConfigureAwait(false);
                stateIsCurrent = true;
                Wake();
            }
            catch (Exception error) when (error is NoLeaderException or ProposalOutcomeUnknownException or TimeoutException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception error) when (error is OperationCanceledException or RaftStoppedException)
            {
                return;
            }
        }
    }

    private async Task TurnsAsync()
    {
        while (!ending.IsCancellationRequested)
        {
            TimeSpan pause = observation is null ? TimeSpan.FromMilliseconds(50) : await TurnAsync().ConfigureAwait(false);
            using var timer = CancellationTokenSource.CreateLinkedTokenSource(ending.Token);
            timer.CancelAfter(pause);
            await ((Task)mailbox.Reader.WaitToReadAsync(timer.Token).AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            mailbox.Reader.TryRead(out _);
        }
    }

    private void Wake() => mailbox.Writer.TryWrite(0);

    private void OnLeadershipChanged(LeadershipChange change) => Wake();

    private void Publish(Observation seen)
    {
        observation = seen;
        Wake();
    }

    private TimeSpan ObserveInterval() =>
        steady ? TimeSpan.FromMilliseconds(Math.Max(100, cluster.Current.State.Settings.LoopWaitMs)) : TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// Where to probe data and WAL: in directories whose foreign files no tool copies. Not while an action may replace the data directory, which
    /// must find it empty.
    /// </summary>
    private IReadOnlyList<string> ProbedDataDirectories()
    {
        bool replaced = Volatile.Read(ref running)?.Kind is ActionKind.Initialize or ActionKind.Clone or ActionKind.Rewind or ActionKind.RemoveData;
        if (replaced || observation?.Data is not PresentData) return [];
        string data = instance.Settings.DataDir;
        return [Path.Combine(data, "pg_wal"), Path.Combine(data, "pg_snapshots")];
    }

    private void RestoreLease()
    {
        if (leaseFile.Read() is not { } left) return;
        keeper = keeper.Restore(left);
        fence.SetLease(left);
        guard.Tell(left, wait: false);
        // Something of ours ran under that lease; until it is seen to be a standby or gone it counts as writable.
        Arm();
    }

    private void Arm()
    {
        if (fence.IsArmed) return;
        fence.Arm();
        guard.Declare(true);
    }

    private void Disarm()
    {
        if (!fence.IsArmed) return;
        fence.Disarm();
        guard.Declare(false);
    }

    private void OnGuardChanged()
    {
        // It may have fenced: what runs is looked at again.
        observer.Trigger();
        Wake();
    }


    private void FenceFromWatch(string reason)
    {
        if (Volatile.Read(ref running) is null && instance.Controller.VerifyStopped() is not null)
        {
            Disarm();
            return;
        }
        LogFence(reason);
        FenceReport report = instance.Controller.Fence(FenceLimit);
        if (report.Proof is not null && Volatile.Read(ref running) is null) Disarm();
        observer.Trigger();
    }

    private NodeSnapshot EmptySnapshot() => new()
    {
        Self = Self,
        Scope = configuration.Current.Scope,
        State = ClusterState.Empty,
        Report = new(),
        LastTurnMs = startedMs,
        Raft = new("follower", 0, 0, 0, "", 0, 0),
    };

    [LoggerMessage(Level = LogLevel.Critical, Message = "Fencing PostgreSQL: {Reason}")]
    private partial void LogFence(string reason);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The agent cannot go on: {Reason}")]
    private partial void LogBroken(string reason);
}
