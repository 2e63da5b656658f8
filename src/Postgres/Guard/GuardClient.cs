using System.Collections.Concurrent;
using System.Diagnostics;
using Patroni.Raft.Postgres.Processes;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>
/// The agent's end of a connection to the guard. Requests may be made from any thread and are answered by number; a thread of its own reads, so that
/// an answer, or the end of the guard, is noticed when the thread pool is starved too.
/// </summary>
internal sealed unsafe class GuardClient : IDisposable
{
    private readonly ConcurrentDictionary<long, TaskCompletionSource<GuardMessage.Done>> pending = new();
    private readonly TaskCompletionSource<GuardMessage.Welcome> welcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim closed = new();
    private readonly Action fenced;
    private readonly int fd;
    private readonly int pidfd;
    private readonly Lock gate = new();
    private bool open = true;
    private long lastId;

    private GuardClient(int fd, int pid, Action fenced)
    {
        this.fd = fd;
        this.fenced = fenced;
        Pid = pid;
        pidfd = Libc.PidfdOpen(pid);
        new Thread(Read, 256 * 1024) { IsBackground = true, Name = "guard-reader" }.Start();
    }

    /// <summary>The guard's process.</summary>
    internal int Pid { get; }
    /// <summary>What it said first.</summary>
    internal GuardMessage.Welcome Welcome => welcome.Task.Result;

    /// <summary>Connects and says hello. Without a client: whether anybody listens who does not answer, then with its process number.</summary>
    internal static (GuardClient? Client, int? SilentPid) Connect(string path, string version, TimeSpan limit, Action fenced)
    {
        int fd = Libc.ConnectTo(path);
        if (fd < 0) return (null, null);
        if (Libc.Peer(fd) is not { } peer)
        {
            Libc.Close(fd);
            return (null, null);
        }
        var client = new GuardClient(fd, peer.Pid, fenced);
        client.Send(new GuardMessage.Hello(GuardMessage.OldestVersion, GuardMessage.NewestVersion, version));
        if (client.welcome.Task.Wait(limit)) return (client, null);
        bool ended = client.closed.IsSet;
        client.Dispose();
        return (null, ended ? null : peer.Pid);
    }

    /// <summary>Sends a request without waiting for its answer.</summary>
    internal Task<GuardMessage.Done> Ask(GuardMessage.Request request)
    {
        long id = Interlocked.Increment(ref lastId);
        var answer = new TaskCompletionSource<GuardMessage.Done>(TaskCreationOptions.RunContinuationsAsynchronously);
        pending[id] = answer;
        if (!Send(request with { Id = id }) || closed.IsSet) Fail(id, "the guard is gone");
        return answer.Task;
    }

    /// <summary>Sends a request and waits; null when there was no answer in time.</summary>
    internal GuardMessage.Done? Ask(GuardMessage.Request request, TimeSpan limit)
    {
        Task<GuardMessage.Done> answer = Ask(request);
        return answer.Wait(limit) ? answer.Result : null;
    }

    /// <summary>Whether the connection has ended.</summary>
    internal bool IsClosed => closed.IsSet;

    /// <summary>Waits for the end of the connection; false when it still stands after the time.</summary>
    internal bool WaitClosed(TimeSpan limit) => closed.Wait(limit);

    /// <summary>Kills a guard that does not answer.</summary>
    internal void Kill()
    {
        if (pidfd >= 0 && Pid != Environment.ProcessId) _ = Libc.PidfdSendSignal(pidfd, Libc.SigKill);
    }

    public void Dispose()
    {
        lock (gate)
        {
            // The reader closes the descriptors: nobody else may be given their numbers while it waits for them.
            if (open) Libc.Shutdown(fd);
        }
    }

    private bool Send(GuardMessage message)
    {
        byte[] bytes = GuardCodec.Encode(message);
        if (bytes.Length > GuardMessage.MaximumBytes) return false;
        lock (gate) return open && Libc.Send(fd, bytes) == 0;
    }

    private void Read()
    {
        byte[] buffer = new byte[16 * 1024];
        Libc.PollFd poll = new() { Fd = fd, Events = Libc.PollIn };
        while (true)
        {
            poll.Revents = 0;
            if (Libc.Poll(&poll, 1, -1) < 0 && Libc.LastError != Libc.EINTR) break;
            int length = Libc.Receive(fd, buffer);
            if (length == -Libc.EAGAIN) continue;
            if (length <= 0) break;
            switch (GuardCodec.Decode(buffer.AsSpan(0, length)))
            {
                case GuardMessage.Welcome answer:
                    welcome.TrySetResult(answer);
                    break;
                case GuardMessage.Done done:
                    if (pending.TryRemove(done.Id, out TaskCompletionSource<GuardMessage.Done>? asked)) asked.TrySetResult(done);
                    break;
                case GuardMessage.Fenced:
                    fenced();
                    break;
            }
        }
        lock (gate)
        {
            open = false;
            Libc.Close(fd);
            if (pidfd >= 0) Libc.Close(pidfd);
        }
        closed.Set();
        foreach (long id in pending.Keys) Fail(id, "the guard is gone");
    }

    private void Fail(long id, string reason)
    {
        if (pending.TryRemove(id, out TaskCompletionSource<GuardMessage.Done>? asked)) asked.TrySetResult(new(id, reason, 0));
    }
}
