using System.Collections.Immutable;
using System.Net;
using DotNext.Net.Cluster;
using DotNext.Net.Cluster.Consensus.Raft;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Consensus.Identity;
using Patroni.Raft.Consensus.Log;
using Patroni.Raft.Consensus.Node;
using Patroni.Raft.Consensus.Security;
using Patroni.Raft.Consensus.Transport;

namespace Patroni.Raft.Consensus;

/// <summary>
/// One node of the replicated log: the library's consensus, our durable log, our transport. Forwarding of proposals and reads to the
/// leader runs over the Raft port too, so that no node needs to know another's HTTP address.
/// </summary>
public sealed partial class RaftNode : IAsyncDisposable
{
    private readonly RaftOptions options;
    private readonly ILogger logger;
    private readonly NodeDirectory directory;
    private readonly PeerTls? tls;
    private readonly PeerContacts contacts = new();
    private readonly PeerDialer dialer;
    private readonly PeerRequestClient client;
    private readonly ProposalWaiters waiters = new();
    private readonly LatencyWindow commitLatency = new();
    private readonly CancellationTokenSource stopping = new();
    private readonly TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource identityKnown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock metaLock = new();
    private volatile NodeMeta meta;
    private volatile bool invited;
    private PeerListener? listener;
    private LogStore? store;
    private Applier? applier;
    private DurableLog? log;
    private ConfigurationFeed? feed;
    private RaftCluster? cluster;
    private Task monitoring = Task.CompletedTask;
    private int disposed;

    private RaftNode(RaftOptions options, NodeDirectory directory, NodeMeta meta, PeerTls? tls, ILogger logger)
    {
        this.options = options;
        this.directory = directory;
        this.meta = meta;
        this.tls = tls;
        this.logger = logger;
        dialer = new PeerDialer(options.SelfEndPoint, tls, () => this.meta.Identity, contacts);
        client = new PeerRequestClient(dialer);
        Token = NodeToken.Of(options.Security);
        if (meta.Identity.IsKnown)
        {
            identityKnown.TrySetResult();
        }
    }

    /// <summary>The group's id, chosen by its first leader; empty before.</summary>
    public Guid ClusterId => meta.Identity.ClusterId;

    /// <summary>1 for a new group, raised by force-new-cluster; 0 before the group exists.</summary>
    public long Generation => meta.Identity.Generation;

    /// <summary>This node's address in the group.</summary>
    public EndPoint SelfEndPoint => options.SelfEndPoint;

    /// <summary>For node-to-node HTTP; null unless the group is protected by a password.</summary>
    public NodeToken? Token { get; }

    /// <summary>Whether this node leads and has committed an entry of its term.</summary>
    public bool IsLeader => leadership.IsLeader && cluster is { } running && IsLeading(running);

    /// <summary>The leader that this node knows, itself included.</summary>
    public EndPoint? LeaderEndPoint => cluster is { } running && disposed == 0 ? running.Leader?.EndPoint : null;

    /// <summary>Raft term.</summary>
    public long Term => store!.Term.Term;

    /// <summary>Last index known to be committed.</summary>
    public long CommitIndex => store!.CommitIndex;

    /// <summary>Last index applied to the state machine.</summary>
    public long AppliedIndex => applier!.AppliedIndex;

    /// <summary>The voters, sorted by address.</summary>
    public ImmutableArray<EndPoint> Members
        => [.. store!.Configuration.Members.Members.OrderBy(RaftAddress.Format, StringComparer.Ordinal)];

    /// <summary>Whether this node votes: false while it waits to be added, and after it was removed.</summary>
    public bool IsMember => !IsRemoved && store!.Configuration.Members.Members.Contains(SelfEndPoint);

    /// <summary>The others removed this node; it must be stopped, or emptied and joined again.</summary>
    public bool IsRemoved { get; private set; }

    /// <summary>
    /// Completes when the node was disposed; faults with <see cref="RaftStoppedException"/> when it stopped itself: a write or fsync failed, or
    /// an entry could not be applied. The process should end then.
    /// </summary>
    public Task Stopped => stopped.Task;

    /// <summary>Raised when the leader, or this node's leadership, changes. Handlers must be quick.</summary>
    public event Action<LeadershipChange>? LeadershipChanged;

    /// <summary>Raised after entries were applied, with the applied index; on the applier's thread. Handlers must be quick.</summary>
    public event Action<long>? Applied;

    /// <summary>
    /// Starts a node: opens its directory and port, forms the group with the initial members if there is none yet (waits for all
    /// of them), and begins to serve. It does not wait for a leader.
    /// </summary>
    /// <exception cref="RaftStartException">A refusal; nothing was changed.</exception>
    public static async Task<RaftNode> StartAsync(
        RaftOptions options, IReplicatedStateMachine stateMachine, ILoggerFactory loggerFactory, CancellationToken cancellationToken)
    {
        options = RaftOptionsValidator.Validate(options);
        var tls = PeerTls.Create(options.Security);
        var directory = NodeDirectory.Open(options.DataDirectory);
        RaftNode? node = null;
        try
        {
            var meta = directory.ReadMeta(options.SelfEndPoint);
            meta ??= new NodeMeta(Guid.NewGuid(), options.SelfEndPoint, false, default, []);
            node = new RaftNode(options, directory, meta, tls, loggerFactory.CreateLogger<RaftNode>());
            await node.OpenAsync(stateMachine, loggerFactory, cancellationToken).ConfigureAwait(false);
            return node;
        }
        catch (Exception e)
        {
            await (node?.DisposeAsync() ?? Release(directory, tls)).ConfigureAwait(false);
            if (e is LogDamagedException)
            {
                throw new RaftStartException(RaftStartFailure.LogDamaged, e.Message, e);
            }

            if (e is IOException or UnauthorizedAccessException)
            {
                throw new RaftStartException(
                    RaftStartFailure.DirectoryUnusable, $"The Raft directory {options.DataDirectory} (raft.data_dir) cannot be used: {e.Message}", e);
            }

            throw;
        }
    }

    /// <summary>Figures of this moment.</summary>
    public RaftStatus GetStatus()
    {
        var leader = LeaderEndPoint;
        var (mean, max) = commitLatency.Read();
        var (total, count) = store!.Fsyncs;
        return new RaftStatus(
            ClusterId, Generation, IsLeader, leader, Term, store.LastIndex, CommitIndex, AppliedIndex, store.SnapshotIndex, store.FileLength,
            leadershipChanges, mean, max, count == 0 ? TimeSpan.Zero : total / count,
            [.. Members.Select(member => new RaftMember(member, member.Equals(SelfEndPoint), member.Equals(leader), contacts.SinceHeard(member)))]);
    }

    /// <summary>Asks a node on its Raft port who it is.</summary>
    /// <exception cref="IOException">It does not answer, or not to us.</exception>
    public async Task<RaftPeer> GetPeerAsync(EndPoint peer, CancellationToken cancellationToken)
    {
        var facts = peer.Equals(SelfEndPoint) ? Facts : await client.GetFactsAsync(peer, cancellationToken).ConfigureAwait(false);
        return new RaftPeer(facts.Self, facts.Identity.ClusterId, facts.Identity.Generation, facts.Members, facts.Leader, facts.Metadata);
    }

    /// <summary>Stops serving; the others elect a new leader if this one led (<see cref="ResignAsync"/> first is kinder).</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        await stopping.CancelAsync().ConfigureAwait(false);
        await monitoring.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await StopConsensusAsync().ConfigureAwait(false);
        if (listener is not null)
        {
            await listener.DisposeAsync().ConfigureAwait(false);
        }

        await client.DisposeAsync().ConfigureAwait(false);
        if (applier is not null)
        {
            await applier.DisposeAsync().ConfigureAwait(false);
        }

        feed?.Dispose();
        if (store is not null)
        {
            await store.DisposeAsync().ConfigureAwait(false);
        }

        if (log is not null)
        {
            await log.DisposeAsync().ConfigureAwait(false);
        }

        await Release(directory, tls).ConfigureAwait(false);
        stopped.TrySetResult();
    }

    private static ValueTask Release(NodeDirectory directory, PeerTls? tls)
    {
        tls?.Dispose();
        directory.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task OpenAsync(IReplicatedStateMachine stateMachine, ILoggerFactory loggerFactory, CancellationToken token)
    {
        // The directory's identity is durable before anybody hears of it.
        meta.Write(directory.Files);
        listener = PeerListener.Start(options.BindEndPoint, tls, () => meta.Identity, contacts, new Requests(this), logger);
        await EnsureLogAsync(token).ConfigureAwait(false);
        var self = ClusterMemberId.FromEndPoint(SelfEndPoint);
        store = LogStore.Open(directory.Files, new LogStoreOptions(options.RetainedBytes), self);
        await PeerTrust.RequireAsync([.. Members.Where(member => !member.Equals(SelfEndPoint))], client, token).ConfigureAwait(false);
        if (store.CutBytes > 0)
        {
            LogTornTail(logger, store.CutBytes, directory.Files.Path, store.LastIndex);
        }

        applier = new Applier(
            store, stateMachine, waiters, AcceptIdentity, new ApplierOptions(options.SnapshotAfterBytes, options.SnapshotAfterEntries));
        applier.Applied += index =>
        {
            Applied?.Invoke(index);
            Wake();
        };
        _ = WatchAsync(store.Stopped);
        _ = WatchAsync(applier.Stopped);
        applier.Start();
        if (store.Configuration.Members.Members is { Count: 1 } only && only.Contains(SelfEndPoint))
        {
            // The library makes the only member leader without an election; the term is opened here, as an election would.
            await store.OpenTermAsync().ConfigureAwait(false);
        }

        var fetcher = new SnapshotFetcher(client, options.ElectionTimeoutLower / 2, stopping.Token);
        log = new DurableLog(store, applier, fetcher, SelfEndPoint, directory.IdlePath, options.BatchBytesLimit);
        feed = new ConfigurationFeed(store);
        cluster = CreateCluster(log, feed, listener, new QuietLoggerFactory(loggerFactory));
        cluster.LeaderChanged += (_, _) => Wake();
        await cluster.StartAsync(token).ConfigureAwait(false);
        monitoring = Task.Run(MonitorAsync, CancellationToken.None);
    }

    /// <summary>Creates the log of a new node: after the formation with all initial members, or empty to be added later.</summary>
    private async Task EnsureLogAsync(CancellationToken token)
    {
        if (!meta.HasLog && !LogRecovery.HasFiles(directory.Files))
        {
            var configuration = GroupConfiguration.Empty;
            if (!options.Join)
            {
                RaftOptionsValidator.RequireSelfAmongInitial(options);
                var formation = new Formation(SelfEndPoint, options.InitialMembers, meta.Incarnation, client, logger);
                UpdateMeta(meta with { Formation = await formation.WaitAsync(token).ConfigureAwait(false) });
                configuration = new GroupConfiguration(options.InitialMembers);
            }

            LogStore.Create(directory.Files, configuration);
        }

        if (!meta.HasLog)
        {
            UpdateMeta(meta with { HasLog = true });
        }
    }

    private RaftCluster CreateCluster(DurableLog auditTrail, ConfigurationFeed configuration, PeerListener port, ILoggerFactory loggers)
    {
        // At most the lower election timeout, or a hung member keeps the others from electing (finding 6).
        var requestTimeout = options.ElectionTimeoutLower * 0.9;
        return new RaftCluster(new RaftCluster.CustomTransportConfiguration(options.BindEndPoint, port, dialer)
        {
            PublicEndPoint = SelfEndPoint,
            ConfigurationStorage = configuration,
            ColdStart = false,
            LowerElectionTimeout = (int)options.ElectionTimeoutLower.TotalMilliseconds,
            UpperElectionTimeout = (int)options.ElectionTimeoutUpper.TotalMilliseconds,
            RequestTimeout = requestTimeout,
            ConnectTimeout = requestTimeout,
            HeartbeatThreshold = 0.4,
            WarmupRounds = 200,
            LoggerFactory = loggers,
        })
        {
            AuditTrail = auditTrail,
        };
    }

    private async Task StopConsensusAsync()
    {
        if (Interlocked.Exchange(ref cluster, null) is { } running)
        {
            using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            try
            {
                await running.StopAsync(timeout.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or RaftStoppedException or InvalidOperationException)
            {
                LogStopFailed(logger, e.Message);
            }

            await running.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Called by the applier when the log tells the group's identity: it is in the meta file before anything later is applied.</summary>
    private bool AcceptIdentity(GroupIdentity identity)
    {
        lock (metaLock)
        {
            var known = meta.Identity;
            if (known.IsKnown && known.ClusterId != identity.ClusterId)
            {
                return false;
            }

            if (identity.Generation > known.Generation)
            {
                var updated = meta with { Identity = identity };
                updated.Write(directory.Files);
                meta = updated;
            }

            identityKnown.TrySetResult();
            return true;
        }
    }

    private void UpdateMeta(NodeMeta value)
    {
        lock (metaLock)
        {
            value.Write(directory.Files);
            meta = value;
        }
    }

    private async Task WatchAsync(Task part)
    {
        try
        {
            await part.ConfigureAwait(false);
        }
        catch (RaftStoppedException e)
        {
            LogStopped(logger, e.Message);
            stopped.TrySetException(e);
            _ = stopped.Task.Exception;
            await StopConsensusAsync().ConfigureAwait(false);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A torn record of {Bytes} bytes at the end of the log in {Path} was cut off, as after a crash during a write; the log ends at index {Index}")]
    private static partial void LogTornTail(ILogger logger, long bytes, string path, long index);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The Raft node has stopped for good: {Reason}")]
    private static partial void LogStopped(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The consensus did not stop cleanly: {Reason}")]
    private static partial void LogStopFailed(ILogger logger, string reason);
}
