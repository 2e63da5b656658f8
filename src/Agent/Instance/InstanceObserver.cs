using Patroni.Raft.Postgres.Guard;
using System.Collections.Immutable;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Instance;

/// <summary>
/// Looks at the instance on a loop of its own, so that a hung PostgreSQL or a slow disk delays observations and nothing else.
/// </summary>
public sealed class InstanceObserver(LocalInstance instance, NodeName self)
{
    private static readonly TimeSpan StatusLimit = TimeSpan.FromSeconds(2);
    private static readonly int HistoryEntries = 32;
    private const long UnusableIntervalMs = 1000;
    private readonly SemaphoreSlim wake = new(0, 1);
    private DataView? knownData;
    private ControlData? knownControl;
    private (TimelineId Timeline, ImmutableArray<TimelineFork> History) knownHistory = (default, []);
    private long startingSinceMs;
    private long unresponsiveSinceMs;
    private Postmaster? startingPostmaster;
    private Task? watchedExit;

    /// <summary>Looks again at once.</summary>
    public void Trigger()
    {
        try
        {
            wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // A look is already due.
        }
    }

    /// <summary>Runs until cancelled.</summary>
    /// <param name="actionNumber">Actions begun so far.</param>
    /// <param name="interval">Pause to the next look when nothing triggers one.</param>
    /// <param name="publish">Gets each look.</param>
    /// <param name="cancellation">Ends the loop.</param>
    public async Task RunAsync(Func<long> actionNumber, Func<TimeSpan> interval, Action<Observation> publish, CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            publish(await LookAsync(actionNumber(), cancellation).ConfigureAwait(false));
            await ((Task)wake.WaitAsync(interval(), cancellation)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One look.</summary>
    public async Task<Observation> LookAsync(long actionNumber, CancellationToken cancellation)
    {
        long began = BootClock.NowMs;
        Postmaster? postmaster = instance.Controller.Current ?? instance.Controller.Adopt();
        if (postmaster is null)
        {
            InstanceProcesses left = instance.Controller.Scan();
            startingSinceMs = unresponsiveSinceMs = 0;
            await InspectAsync(actionNumber, cancellation).ConfigureAwait(false);
            ServerView stopped = left.IsEmpty ? new ServerStopped() : new ServerRemnants(left.All.Length);
            return new(actionNumber, began, knownData!, stopped, null, knownControl, null);
        }

        WatchExit(postmaster);
        StatusResult result = await instance.Reader.ReadAsync(StatusLimit).ConfigureAwait(false);
        if (knownData is null) await InspectAsync(actionNumber, cancellation).ConfigureAwait(false);
        return result is StatusResult.Answered answered
            ? await RunningAsync(actionNumber, began, answered.Status, cancellation).ConfigureAwait(false)
            : NotAnswering(actionNumber, began, postmaster, result);
    }

    private Observation NotAnswering(long actionNumber, long began, Postmaster postmaster, StatusResult result)
    {
        long now = BootClock.NowMs;
        if (result is StatusResult.Unresponsive)
        {
            if (unresponsiveSinceMs == 0) unresponsiveSinceMs = now;
            return new(actionNumber, began, knownData!, new ServerUnresponsive(unresponsiveSinceMs), null, knownControl, null);
        }
        // The time of another postmaster, one that was shutting down, does not count.
        if (startingSinceMs == 0 || startingPostmaster != postmaster) startingSinceMs = now;
        startingPostmaster = postmaster;
        return new(actionNumber, began, knownData!, new ServerStarting(startingSinceMs), null, knownControl, null);
    }

    private async Task<Observation> RunningAsync(long actionNumber, long began, InstanceStatus status, CancellationToken cancellation)
    {
        startingSinceMs = unresponsiveSinceMs = 0;
        // While nothing is streamed the status knows only a lower bound of a standby's timeline, and an election needs the very one.
        if (status is { InRecovery: true, Receiver: not { IsStreaming: true } }
            && await instance.Commands.ReadReplayTimelineAsync(StatusLimit, cancellation).ConfigureAwait(false) is { } exact)
            status = status with { Timeline = exact };
        if (knownData is PresentData data)
        {
            // Where nothing is streamed any more it is decided what may be followed next, by all that arrived until then.
            bool detached = status is { InRecovery: true, Receiver: not { IsStreaming: true } };
            knownData = data with
            {
                IsStandby = status.InRecovery,
                ShutDownCleanly = false,
                IsUnused = false,
                SystemIdentifier = status.SystemIdentifier,
                NewestWal = detached ? DataDirectory.NewestWal(instance.Settings.DataDir) : data.NewestWal,
            };
        }
        ImmutableArray<TimelineFork> history = History(status.Timeline);
        ServerView server = status.InRecovery
            ? new StandbyServer(status.Timeline, status.EndOfWal.IsKnown ? status.EndOfWal.Lsn : default, status.ReplayLsn ?? default, null,
                status.Receiver is { IsStreaming: true }, history)
            : new PrimaryServer(status.Timeline, status.WriteLsn, status.CheckpointTimeline, status.WriteLsn, history);
        return new(actionNumber, began, knownData!, server, status, knownControl, status.Upstream);
    }

    /// <summary>Forgets what is known of the directory; the next look inspects it.</summary>
    public void ForgetData()
    {
        knownData = null;
        knownHistory = (default, []);
    }

    private async Task InspectAsync(long actionNumber, CancellationToken cancellation)
    {
        // What makes a directory unusable is put right from outside, which nothing here notices: it is looked at again.
        bool again = knownData is UnusableData && BootClock.NowMs - inspectedAtMs >= UnusableIntervalMs;
        if (knownData is not null && inspectedAt == (actionNumber, exits) && !again) return;
        inspectedAtMs = BootClock.NowMs;
        (long, long) at = (actionNumber, exits);
        try
        {
            knownData = await ReadDataAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Moved away or taken away in the middle of the look, or a disk that fails: it is looked at again soon.
            knownData = new UnusableData($"the data directory cannot be read: {error.Message}");
        }
        inspectedAt = at;
    }

    private async Task<DataView> ReadDataAsync(CancellationToken cancellation)
    {
        DirectoryState state = await DataDirectory.InspectAsync(instance.Settings, cancellation).ConfigureAwait(false);
        knownControl = (state as DirectoryState.Valid)?.Control;
        return state switch
        {
            DirectoryState.Missing or DirectoryState.Empty => new NoData(),
            DirectoryState.NotWritable bad => new UnusableData(bad.Reason),
            DirectoryState.NotADataDirectory bad => new UnusableData(bad.Reason),
            DirectoryState.WrongVersion bad => new UnusableData(bad.Reason),
            DirectoryState.Unreadable bad => new UnusableData(bad.Reason),
            DirectoryState.HalfDone half => new UnfinishedData(half.Work.Kind switch
            {
                DirectoryWorkKind.Initialize => UnfinishedWork.Initialization,
                DirectoryWorkKind.Rewind => UnfinishedWork.Rewind,
                _ => UnfinishedWork.Clone,
            }),
            DirectoryState.Valid valid => Present(valid.Control),
            _ => throw new InvalidOperationException($"{state} is not known."),
        };
    }

    private (long, long) inspectedAt = (-1, -1);
    private long exits;
    private long inspectedAtMs;

    private PresentData Present(ControlData control)
    {
        string directory = instance.Settings.DataDir;
        TimelineId timeline = control.MinRecoveryEndTimeline > control.CheckpointTimeline ? control.MinRecoveryEndTimeline : control.CheckpointTimeline;
        Incarnation incarnation = DataIncarnation.ReadOrDraw(directory, self);
        return new(incarnation, control.SystemIdentifier, timeline,
            SignalFiles.HasStandby(directory) || control.WasInRecovery, control.IsCleanShutdown,
            Lsn.Max(control.CheckpointLocation, control.MinRecoveryEnd))
        {
            History = History(timeline),
            IsUnused = UnusedData.IsUnused(directory, control, self, incarnation),
            NewestWal = DataDirectory.NewestWal(directory),
        };
    }

    private ImmutableArray<TimelineFork> History(TimelineId timeline)
    {
        if (timeline == knownHistory.Timeline) return knownHistory.History;
        if (timeline.Value <= 1) return [];
        string file = Path.Combine(instance.Settings.DataDir, "pg_wal", TimelineHistory.FileName(timeline));
        try
        {
            if (TimelineHistory.Parse(timeline, File.ReadAllText(file)) is not { } parsed) return [];
            IEnumerable<TimelineFork> forks = parsed.Ancestors.Select(static a => new TimelineFork(a.Timeline, a.SwitchPoint));
            knownHistory = (timeline, [.. forks.TakeLast(HistoryEntries)]);
            return knownHistory.History;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Not there yet: asked again at the next look, and without it nothing is reported or stood for.
            return [];
        }
    }

    private void WatchExit(Postmaster postmaster)
    {
        if (ReferenceEquals(watchedExit, postmaster.Exited)) return;
        watchedExit = postmaster.Exited;
        _ = postmaster.Exited.ContinueWith(_ =>
        {
            Interlocked.Increment(ref exits);
            Trigger();
        }, TaskScheduler.Default);
    }
}
