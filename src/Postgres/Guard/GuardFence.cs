using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>
/// The guard's timer: a thread of its own that waits for the end of the lease, looks once more into the lease file for a renewal, and kills
/// everything. No lock and no disk in its way.
/// </summary>
internal sealed unsafe class GuardFence : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private const int RetryMs = 50;
    private readonly GuardFiles files;
    private readonly LeaseFile leaseFile;
    private readonly InstanceController controller;
    private readonly Func<GuardState> state;
    private readonly Action<Func<GuardState, GuardState>> change;
    private readonly Action fenced;
    private readonly int timer = Libc.BootTimer();
    private readonly int wake = Libc.EventFd(0, Libc.OCloexec);
    private readonly Thread thread;
    private volatile bool disposed;

    /// <summary>Starts the thread.</summary>
    internal GuardFence(
        GuardFiles files, InstanceController controller, Func<GuardState> state, Action<Func<GuardState, GuardState>> change, Action fenced)
    {
        this.files = files;
        leaseFile = new(files.DataDir);
        this.controller = controller;
        this.state = state;
        this.change = change;
        this.fenced = fenced;
        thread = new(Run, 512 * 1024) { IsBackground = true, Name = "fence" };
        thread.Start();
    }

    /// <summary>Why its priority could not be raised; null when it was, or is not known yet.</summary>
    internal static string? PriorityProblem { get; private set; }

    /// <summary>The state has changed.</summary>
    internal void Wake()
    {
        ulong one = 1;
        _ = Libc.Write(wake, (byte*)&one, 8);
    }

    public void Dispose()
    {
        disposed = true;
        Wake();
        thread.Join();
        Libc.Close(timer);
        Libc.Close(wake);
    }

    private void Run()
    {
        PriorityProblem = Libc.RaisePriority();
        Rehearse();
        Libc.PollFd* fds = stackalloc Libc.PollFd[2];
        while (!disposed)
        {
            long? due = Due();
            if (due <= BootClock.NowMs)
            {
                bool empty = Fence(state());
                if (!empty) fds[0] = default;
                due = empty ? Due() : BootClock.NowMs + RetryMs;
            }
            // 0 would stop the timer.
            Libc.SetTimer(timer, due is { } at ? Math.Max(at, 1) : 0);
            fds[0] = new() { Fd = timer, Events = Libc.PollIn };
            fds[1] = new() { Fd = wake, Events = Libc.PollIn };
            if (Libc.Poll(fds, 2, -1) <= 0) continue;
            ulong count;
            if (fds[0].Revents != 0) _ = Libc.Read(timer, (byte*)&count, 8);
            if (fds[1].Revents != 0) _ = Libc.Read(wake, (byte*)&count, 8);
        }
    }

    /// <summary>When to fence. A lease that seems to be over may have been renewed in the file since.</summary>
    private long? Due()
    {
        if (state().FenceDueMs is not { } due || due > BootClock.NowMs) return state().FenceDueMs;
        HeldLease? renewed = leaseFile.Read();
        if (state().Prolong(renewed) is { } longer && longer.FenceDueMs != due) change(known => known.Prolong(renewed));
        return state().FenceDueMs;
    }

    private bool Fence(GuardState known)
    {
        long began = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        FenceReport report = controller.Fence(Limit);
        if (report.Proof is { IsCurrent: true }) change(now => now.Emptied(known.Orders));
        if (report.Killed > 0) Report(known, report, began);
        return !state().IsArmed;
    }

    private void Report(GuardState known, FenceReport report, long beganUnixMs)
    {
        string reason = known.Lease is { } held && held.Epoch == known.ArmedUnder ? "its lease ended and nobody had renewed it" : "it had no lease";
        FenceFacts facts = new(
            known.ArmedUnder, beganUnixMs, reason, report.Killed, (long)report.Signalled.TotalMilliseconds, (long)report.Elapsed.TotalMilliseconds,
            report.Proof is null ? Math.Max(1, report.Left.All.Length) : 0);
        try
        {
            File.WriteAllText(files.Report, GuardReport.Format(facts));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // What was done is done; only the story of it is lost.
        }
        fenced();
    }

    /// <summary>Goes through all of it once with nothing to kill: the first fence must not be the one that loads code and pages.</summary>
    private void Rehearse()
    {
        try
        {
            string nobody = Path.Combine(files.Directory, "rehearsal");
            Directory.CreateDirectory(nobody);
            InstanceProcesses.KillFound(nobody, TimeSpan.Zero, [], out _);
            InstanceProcesses.Scan(nobody);
            ProcFs.Children(Environment.ProcessId);
            leaseFile.Read();
            Directory.Delete(nobody);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Then it is only slower.
        }
    }
}
