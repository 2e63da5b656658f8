using System.Collections.Immutable;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>
/// The guard of one instance, a process of its own: it starts PostgreSQL and has it promoted, each only under a lease it knows, and kills all
/// of it when that lease ends, whatever became of the agent. Three threads share one immutable <see cref="GuardState"/> and no lock: talking to the
/// agent never waits for a disk, carrying out an order may, and neither can hold up the fence.
/// </summary>
internal sealed unsafe class GuardServer : IDisposable
{
    private const int HelloLimitMs = 5_000;
    private const int TickMs = 1_000;
    private const int ConnectionsWaiting = 4;
    private readonly GuardFiles files;
    private readonly LeaseFile leaseFile;
    private readonly string version;
    private readonly ImmutableArray<string> notes;
    private readonly long graceMs;
    private readonly InstanceController controller;
    private readonly GuardFence fence;
    private readonly Reaper reaper = new();
    private readonly byte[] buffer = new byte[GuardMessage.MaximumBytes];
    private readonly List<(GuardConnection Connection, long SinceMs)> waiting = [];
    private readonly int listener;
    private readonly int wake = Libc.EventFd(0, Libc.OCloexec);
    private volatile GuardConnection? agent;
    private GuardState state = GuardState.Empty;
    private long aloneSinceMs = BootClock.NowMs;
    private int ended;

    /// <summary>Listens; the caller holds the lock of the instance.</summary>
    /// <param name="files">Files of the instance.</param>
    /// <param name="version">Version of the program.</param>
    /// <param name="notes">What was not permitted.</param>
    /// <param name="graceMs">How long it stays without an agent and without PostgreSQL.</param>
    internal GuardServer(GuardFiles files, string version, ImmutableArray<string> notes, long graceMs)
    {
        this.files = files;
        leaseFile = new(files.DataDir);
        this.version = version;
        this.notes = notes;
        this.graceMs = graceMs;
        controller = new(files.DataDir, "", "", Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, new DirectLauncher(files.DataDir, WhyNotWritable));
        controller.Adopt();
        // We hold the lock: a socket that is there belongs to a guard that is dead.
        _ = Libc.Unlink(files.Socket);
        listener = Libc.ListenAt(files.Socket);
        if (listener < 0) throw new IOException($"cannot listen at {files.Socket}: {Libc.Describe(-listener)}");
        fence = new(files, controller, () => Volatile.Read(ref state), Change, () => agent?.Send(new GuardMessage.Fenced()));
    }

    /// <summary>Serves until it is told to end, or nobody needs it.</summary>
    internal void Run()
    {
        const int fixedCount = 3;
        Libc.PollFd* fds = stackalloc Libc.PollFd[fixedCount + ConnectionsWaiting];
        while (Volatile.Read(ref ended) == 0)
        {
            GuardConnection? connected = agent;
            fds[0] = new() { Fd = listener, Events = Libc.PollIn };
            fds[1] = new() { Fd = connected?.Fd ?? -1, Events = Libc.PollIn };
            fds[2] = new() { Fd = wake, Events = Libc.PollIn };
            for (int i = 0; i < waiting.Count; i++) fds[fixedCount + i] = new() { Fd = waiting[i].Connection.Fd, Events = Libc.PollIn };
            int count = fixedCount + waiting.Count;
            if (Libc.Poll(fds, (nuint)count, TickMs) < 0 && Libc.LastError != Libc.EINTR) throw new IOException($"poll failed: {Libc.Describe(Libc.LastError)}");
            // From the last to the first: those that have become the agent, or are gone, leave the list.
            for (int i = count - fixedCount - 1; i >= 0; i--)
                if (fds[fixedCount + i].Revents != 0 || BootClock.NowMs - waiting[i].SinceMs > HelloLimitMs) Greet(i);
            if (fds[1].Revents != 0 && ReferenceEquals(agent, connected)) Receive(connected!);
            if (fds[0].Revents != 0) Accept();
            if (agent is null) EndWhenUseless();
        }
    }

    public void Dispose()
    {
        fence.Dispose();
        agent?.Dispose();
        foreach ((GuardConnection connection, _) in waiting) connection.Dispose();
        Libc.Close(listener);
        _ = Libc.Unlink(files.Socket);
        controller.Dispose();
    }

    private void Accept()
    {
        int fd = Libc.Accept(listener);
        if (fd < 0) return;
        var connection = new GuardConnection(fd);
        if (waiting.Count == ConnectionsWaiting || Libc.Peer(fd) is not { } peer || peer.Uid != Libc.GetEuid()) connection.Dispose();
        else waiting.Add((connection, BootClock.NowMs));
    }

    private void Greet(int index)
    {
        GuardConnection connection = waiting[index].Connection;
        waiting.RemoveAt(index);
        int length = Libc.Receive(connection.Fd, buffer);
        if (length <= 0 || GuardCodec.Decode(buffer.AsSpan(0, length)) is not GuardMessage.Hello hello)
        {
            connection.Dispose();
            return;
        }
        byte common = Math.Min(hello.Newest, GuardMessage.NewestVersion);
        if (common < Math.Max(hello.Oldest, GuardMessage.OldestVersion)) common = 0;
        else
        {
            // The newest agent wins: an older one that comes to life again must not order anything.
            agent?.Dispose();
            Change(static known => known.NewAgent());
            agent = connection;
        }
        GuardState known = Volatile.Read(ref state);
        connection.Send(new GuardMessage.Welcome(
            common, version, known.IsArmed, known.ArmedUnder, known.Lease?.DeadlineMs ?? 0, controller.Current?.Pid ?? 0, notes));
        if (common == 0) connection.Dispose();
    }

    private void Receive(GuardConnection connection)
    {
        int length = Libc.Receive(connection.Fd, buffer);
        if (length == -Libc.EAGAIN) return;
        if (length <= 0 || GuardCodec.Decode(buffer.AsSpan(0, length)) is not GuardMessage.Request request)
        {
            agent = null;
            connection.Dispose();
            aloneSinceMs = BootClock.NowMs;
            return;
        }
        switch (request)
        {
            case GuardMessage.Ping:
                connection.Send(new GuardMessage.Done(request.Id, null, 0));
                break;
            case GuardMessage.Lease lease:
                string? refusal = Try(known => known.Tell(lease.Held, lease.MayBeWritable));
                connection.Send(new GuardMessage.Done(request.Id, refusal, 0));
                break;
            default:
                // What touches the data directory may wait for its disk for ever.
                new Thread(() => CarryOut(connection, request), 256 * 1024) { IsBackground = true, Name = "order" }.Start();
                break;
        }
    }

    private void CarryOut(GuardConnection connection, GuardMessage.Request request)
    {
        (string? refusal, int pid) = request switch
        {
            GuardMessage.Launch launch => Launch(launch.Order),
            GuardMessage.Promote promote => (Promote(promote), 0),
            _ => (End(), 0),
        };
        connection.Send(new GuardMessage.Done(request.Id, refusal, pid));
        if (request is not GuardMessage.End || refusal is not null) return;
        Volatile.Write(ref ended, 1);
        ulong one = 1;
        _ = Libc.Write(wake, (byte*)&one, 8);
    }

    private (string? Refusal, int Pid) Launch(LaunchOrder order)
    {
        // Bootstrap's private start is reachable for nobody but the agent, before the cluster has a primary at all.
        if (order.Request.Mode == LaunchMode.Primary)
        {
            if (BeginWritable(order.Request.Epoch) is { } refusal) return (refusal, 0);
        }
        else Change(static known => known.BeginStandby());
        LaunchResult result = controller.CarryOut(order);
        if (result is LaunchResult.Launched { Postmaster: var started })
        {
            reaper.Begin();
            GuardPrivileges.RestoreOomScore(started.Pid);
            if (order.Request.Mode != LaunchMode.Primary) Change(static known => known.StandbyStarted());
        }
        Change(static known => known.End());
        return result is LaunchResult.Launched launched ? (null, launched.Postmaster.Pid) : (((LaunchResult.Refused)result).Reason, 0);
    }

    /// <summary>Renewals are told by the file alone, and while nothing is armed nobody else looks into it.</summary>
    private string? BeginWritable(Epoch epoch)
    {
        HeldLease? renewed = leaseFile.Read();
        return Try(known => known.Prolong(renewed).Begin(epoch, BootClock.NowMs));
    }

    private string? Promote(GuardMessage.Promote promote)
    {
        if (BeginWritable(promote.Marker.Epoch) is { } refusal) return refusal;
        if (controller.Current is null) controller.Adopt();
        SignalResult result = controller.Promote(promote.Marker);
        Change(static known => known.End());
        return (result as SignalResult.Refused)?.Reason;
    }

    private string? End()
    {
        long orders = Volatile.Read(ref state).Orders;
        if (controller.VerifyStopped() is null) return $"processes of the instance are left: {controller.Scan()}";
        Change(known => known.Emptied(orders));
        return Volatile.Read(ref state) is { IsArmed: false, UnderWay: 0 } ? null : "an order is being carried out";
    }

    private void EndWhenUseless()
    {
        if (BootClock.NowMs - aloneSinceMs < graceMs) return;
        aloneSinceMs = BootClock.NowMs;
        if (controller.Current is null && End() is null) Volatile.Write(ref ended, 1);
    }

    /// <summary>Why nothing may become writable at this moment, or null.</summary>
    private string? WhyNotWritable() =>
        Volatile.Read(ref state).Prolong(leaseFile.Read()).FenceDueMs is { } due && due <= BootClock.NowMs ? "the lease ended before PostgreSQL was told" : null;

    private string? Try(Func<GuardState, (GuardState State, string? Refusal)> change)
    {
        while (true)
        {
            GuardState before = Volatile.Read(ref state);
            (GuardState after, string? refusal) = change(before);
            if (refusal is not null) return refusal;
            if (!ReferenceEquals(Interlocked.CompareExchange(ref state, after, before), before)) continue;
            fence.Wake();
            return null;
        }
    }

    private void Change(Func<GuardState, GuardState> change) => Try(known => (change(known), null));
}
