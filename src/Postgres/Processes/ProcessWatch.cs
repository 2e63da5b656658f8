namespace Patroni.Raft.Postgres.Processes;

/// <summary>
/// Notices the exit of one process at once, child of ours or not, by waiting on its pidfd; reaps it when it is a child.
/// One waiting thread each: it must work when the thread pool is starved, and there are only a handful.
/// </summary>
internal sealed unsafe class ProcessWatch : IDisposable
{
    private readonly TaskCompletionSource<ProcessExit> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private readonly int _cancelFd;
    private int _pidfd;

    private ProcessWatch(int pid, int pidfd, ulong startTicks)
    {
        Pid = pid;
        StartTicks = startTicks;
        _pidfd = pidfd;
        _cancelFd = Libc.EventFd(0, Libc.OCloexec);
        new Thread(Wait, 256 * 1024) { IsBackground = true, Name = $"watch-{pid}" }.Start();
    }

    internal int Pid { get; }
    internal ulong StartTicks { get; }

    /// <summary>Completes when the process is gone. Stays pending after Dispose.</summary>
    internal Task<ProcessExit> Exited => _exited.Task;

    /// <summary>Watches a process; null when there is none of that number (or, with <paramref name="startTicks"/>, another one).</summary>
    internal static ProcessWatch? TryOpen(int pid, ulong? startTicks = null)
    {
        int pidfd = Libc.PidfdOpen(pid);
        if (pidfd < 0) return null;
        // Read after opening: if the number was reused in between, the start time differs.
        ProcessStat? stat = ProcFs.ReadStat(pid);
        if (stat is null || (startTicks is { } expected && stat.Value.StartTicks != expected))
        {
            // A child that is already a zombie still has a stat file; none means that it was never ours to watch.
            Libc.Close(pidfd);
            return null;
        }
        return new(pid, pidfd, stat.Value.StartTicks);
    }

    /// <summary>Signals exactly this process; returns errno, ESRCH after it is gone.</summary>
    internal int Signal(int signal)
    {
        lock (_gate) return _pidfd < 0 ? Libc.ESRCH : Libc.PidfdSendSignal(_pidfd, signal);
    }

    private void Wait()
    {
        Libc.PollFd* fds = stackalloc Libc.PollFd[2];
        fds[0] = new() { Fd = _pidfd, Events = Libc.PollIn };
        fds[1] = new() { Fd = _cancelFd, Events = Libc.PollIn };
        while (true)
        {
            fds[0].Revents = fds[1].Revents = 0;
            if (Libc.Poll(fds, 2, -1) < 0 && Libc.LastError == Libc.EINTR) continue;
            break;
        }
        bool gone = fds[0].Revents != 0;
        ProcessExit exit = gone ? Libc.TryReap(_pidfd) ?? default : default;
        lock (_gate)
        {
            Libc.Close(_pidfd);
            Libc.Close(_cancelFd);
            _pidfd = -1;
        }
        if (gone) _exited.TrySetResult(exit);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_pidfd < 0) return;
            ulong one = 1;
            _ = Libc.Write(_cancelFd, (byte*)&one, 8);
        }
    }
}
