using Patroni.Raft.Agent.Consensus;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Failsafe;

/// <summary>
/// Gives and keeps promises of failsafe mode. Questions come on threads of the API while the HA loop decides to stand or to renew: what the one does
/// the other must see. Hence one lock; an answer reads the state inside of it, the loop reads the promise only after the state it decides on.
/// </summary>
public sealed class PromiseKeeper
{
    private readonly Lock gate = new();
    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly NodeName self;
    private readonly ReplicatedCluster cluster;
    private readonly Func<bool> mayBeWritable;
    private readonly PromiseFile file;
    private FailsafePromise? promise;
    private VacancyId? stoodIn;
    private readonly long startedMs = BootClock.NowMs;

    /// <summary>Takes over what an earlier life promised.</summary>
    /// <param name="self">This node.</param>
    /// <param name="cluster">The applied state.</param>
    /// <param name="directory">The Raft directory.</param>
    /// <param name="mayBeWritable">Whether anything of the own instance may commit.</param>
    public PromiseKeeper(NodeName self, ReplicatedCluster cluster, string directory, Func<bool> mayBeWritable)
    {
        this.self = self;
        this.cluster = cluster;
        this.mayBeWritable = mayBeWritable;
        file = new(directory);
        promise = file.Read(BootClock.NowMs);
    }

    /// <summary>What is promised now, or null.</summary>
    /// <param name="state">The applied state, read before.</param>
    /// <param name="nowMs">CLOCK_BOOTTIME milliseconds.</param>
    public FailsafePromise? Current(ClusterState state, long nowMs)
    {
        lock (gate)
        {
            if (promise is { } known && !known.Binds(state, nowMs)) promise = null;
            return promise ?? Unknown(state, nowMs);
        }
    }

    /// <summary>Nothing is known of what an earlier life promised: it may bind for ttl from the start.</summary>
    private FailsafePromise? Unknown(ClusterState state, long nowMs) =>
        file.IsLost && !state.FailsafeTopology.IsEmpty && nowMs < startedMs + state.Settings.TtlMs
            ? new(new("an unknown primary"), Epoch.None, startedMs + state.Settings.TtlMs)
            : null;

    /// <summary>Notes that this node is about to stand; false when it promised not to meanwhile.</summary>
    public bool TryStand(VacancyId vacancy)
    {
        lock (gate)
        {
            if (Current(cluster.Current.State, BootClock.NowMs) is not null) return false;
            stoodIn = vacancy;
            return true;
        }
    }

    /// <summary>Answers a primary without quorum. A yes is on disk before this returns.</summary>
    public async Task<FailsafeAnswer> AnswerAsync(FailsafeQuestion question, CancellationToken cancellation)
    {
        FailsafeAnswer answer;
        lock (gate)
        {
            answer = FailsafePromises.Answer(new(self, cluster.Current.State, mayBeWritable(), stoodIn, promise), question, BootClock.NowMs);
            if (answer.Promise is null) return answer;
            // It binds before it is written: only an answer may wait for the disk.
            promise = answer.Promise;
        }
        await writing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            FailsafePromise newest;
            lock (gate) newest = promise ?? answer.Promise;
            await Task.Run(() => file.Write(newest, BootClock.NowMs), cancellation).ConfigureAwait(false);
            return answer;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return new(null, true, $"{self} cannot keep a promise: {error.Message}");
        }
        finally
        {
            writing.Release();
        }
    }
}
