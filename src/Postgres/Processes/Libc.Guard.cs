using System.Runtime.InteropServices;
using System.Text;

namespace Patroni.Raft.Postgres.Processes;

/// <summary>The system calls of the guard: a timer that counts suspended time, packet sockets, and being hard to kill or to swap out.</summary>
internal static unsafe partial class Libc
{
    internal const int EAGAIN = 11, ECONNREFUSED = 111;
    private const int AfUnix = 1, SockSeqPacket = 5, SockCloexec = OCloexec, SockNonBlock = 0x800, SolSocket = 1, SoPeerCred = 17;
    private const int MsgNoSignal = 0x4000, MsgTrunc = 0x20;
    private const int ClockBootTime = 7, TfdTimerAbstime = 1;
    private const int PAll = 0, LockEx = 2, LockNb = 4, PrSetChildSubreaper = 36;
    private const int MclCurrent = 1, MclFuture = 2, MclOnFault = 4, RlimitMemlock = 8;
    private const int SchedRr = 2, SchedResetOnFork = 0x40000000, PrioProcess = 0;
    private const long SysGettid = 186;

    [StructLayout(LayoutKind.Sequential)]
    private struct SocketAddress
    {
        internal ushort Family;
        internal fixed byte Path[108];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct PeerCredentials
    {
        internal int Pid;
        internal uint Uid;
        internal uint Gid;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimerSpec
    {
        internal long IntervalSeconds, IntervalNanoseconds, Seconds, Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int SocketCore(int domain, int type, int protocol);
    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    private static partial int BindCore(int fd, SocketAddress* address, uint length);
    [LibraryImport("libc", EntryPoint = "listen", SetLastError = true)]
    private static partial int ListenCore(int fd, int backlog);
    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static partial int ConnectCore(int fd, SocketAddress* address, uint length);
    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    private static partial int Accept4(int fd, void* address, void* length, int flags);
    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint SendCore(int fd, byte* buffer, nuint count, int flags);
    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static partial nint ReceiveCore(int fd, byte* buffer, nuint count, int flags);
    [LibraryImport("libc", EntryPoint = "shutdown", SetLastError = true)]
    private static partial int ShutdownCore(int fd, int how);
    [LibraryImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    private static partial int GetSockOpt(int fd, int level, int name, void* value, uint* length);
    [LibraryImport("libc", EntryPoint = "timerfd_create", SetLastError = true)]
    private static partial int TimerFdCreate(int clock, int flags);
    [LibraryImport("libc", EntryPoint = "timerfd_settime", SetLastError = true)]
    private static partial int TimerFdSetTime(int fd, int flags, TimerSpec* value, TimerSpec* old);
    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FlockCore(int fd, int operation);
    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Prctl(int option, nuint a, nuint b, nuint c, nuint d);
    [LibraryImport("libc", EntryPoint = "mlockall", SetLastError = true)]
    private static partial int MlockAllCore(int flags);
    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int MadviseCore(void* address, nuint length, int advice);
    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    private static partial int GetRlimit(int resource, ulong* limits);
    [LibraryImport("libc", EntryPoint = "sched_setscheduler", SetLastError = true)]
    private static partial int SchedSetScheduler(int pid, int policy, int* parameter);
    [LibraryImport("libc", EntryPoint = "setpriority", SetLastError = true)]
    private static partial int SetPriority(int which, uint who, int priority);
    [LibraryImport("libc", EntryPoint = "signal", SetLastError = true)]
    private static partial nint SignalCore(int signal, nint handler);
    [LibraryImport("libc", EntryPoint = "_exit")]
    internal static partial void ExitNow(int code);
    [LibraryImport("libc", EntryPoint = "unlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Unlink(string path);

    /// <summary>A socket that keeps the bounds of messages, bound and listening; negative errno on failure.</summary>
    internal static int ListenAt(string path)
    {
        int fd = SocketCore(AfUnix, SockSeqPacket | SockCloexec | SockNonBlock, 0);
        if (fd < 0) return -LastError;
        SocketAddress address = Address(path);
        if (BindCore(fd, &address, (uint)sizeof(SocketAddress)) == 0 && ListenCore(fd, 8) == 0) return fd;
        int error = LastError;
        Close(fd);
        return -error;
    }

    /// <summary>Connects to such a socket; negative errno on failure.</summary>
    internal static int ConnectTo(string path)
    {
        int fd = SocketCore(AfUnix, SockSeqPacket | SockCloexec | SockNonBlock, 0);
        if (fd < 0) return -LastError;
        SocketAddress address = Address(path);
        if (ConnectCore(fd, &address, (uint)sizeof(SocketAddress)) == 0) return fd;
        int error = LastError;
        Close(fd);
        return -error;
    }

    /// <summary>The next connection; negative errno when there is none.</summary>
    internal static int Accept(int listener)
    {
        int fd = Accept4(listener, null, null, SockCloexec | SockNonBlock);
        return fd < 0 ? -LastError : fd;
    }

    /// <summary>Who is at the other end: of a connection made, the process that listens.</summary>
    internal static PeerCredentials? Peer(int fd)
    {
        PeerCredentials peer;
        uint length = (uint)sizeof(PeerCredentials);
        return GetSockOpt(fd, SolSocket, SoPeerCred, &peer, &length) == 0 ? peer : null;
    }

    /// <summary>Sends one message without waiting; 0 or errno.</summary>
    internal static int Send(int fd, ReadOnlySpan<byte> message)
    {
        fixed (byte* bytes = message)
            while (SendCore(fd, bytes, (nuint)message.Length, MsgNoSignal) < 0)
                if (LastError != EINTR) return LastError;
        return 0;
    }

    /// <summary>Receives one message without waiting: its length, 0 at the end of the connection (or for a message that does not fit), negative errno otherwise.</summary>
    internal static int Receive(int fd, Span<byte> buffer)
    {
        fixed (byte* bytes = buffer)
            while (true)
            {
                nint length = ReceiveCore(fd, bytes, (nuint)buffer.Length, MsgTrunc);
                if (length >= 0) return length > buffer.Length ? 0 : (int)length;
                if (LastError != EINTR) return -LastError;
            }
    }

    /// <summary>Ends a connection; whoever waits for it notices.</summary>
    internal static void Shutdown(int fd) => _ = ShutdownCore(fd, 2);

    /// <summary>A timer on CLOCK_BOOTTIME: it fires also for time that the machine was suspended.</summary>
    internal static int BootTimer() => TimerFdCreate(ClockBootTime, OCloexec | SockNonBlock);

    /// <summary>Sets the timer to an absolute time; 0 stops it.</summary>
    internal static void SetTimer(int fd, long atMs)
    {
        TimerSpec spec = new() { Seconds = atMs / 1000, Nanoseconds = atMs % 1000 * 1_000_000 };
        _ = TimerFdSetTime(fd, TfdTimerAbstime, &spec, null);
    }

    /// <summary>Takes the lock of a file for as long as this process lives; false when another holds it.</summary>
    internal static bool TryLockForLife(string path)
    {
        int fd = Open(path, OCreat | OCloexec | 2, 0x180);
        return fd >= 0 && FlockCore(fd, LockEx | LockNb) == 0;
    }

    /// <summary>Orphans among our descendants become our children.</summary>
    internal static bool BecomeSubreaper() => Prctl(PrSetChildSubreaper, 1, 0, 0, 0) == 0;

    /// <summary>
    /// Keeps what was touched of this process in memory; 0 or errno. What is mapped later is included only where no limit could make such a
    /// mapping fail.
    /// </summary>
    internal static int LockMemory()
    {
        ulong* limits = stackalloc ulong[2];
        bool unlimited = GetRlimit(RlimitMemlock, limits) == 0 && limits[0] == ulong.MaxValue;
        return MlockAllCore(MclCurrent | MclOnFault | (unlimited ? MclFuture : 0)) == 0 ? 0 : LastError;
    }

    /// <summary>Lets go of pages that are unchanged copies of a file.</summary>
    internal static void DropPages(ulong address, ulong length) => _ = MadviseCore((void*)address, (nuint)length, 4);

    /// <summary>Puts the calling thread before ordinary ones; what it starts does not inherit that. Null, or what was not permitted.</summary>
    internal static string? RaisePriority()
    {
        int priority = 1;
        if (SchedSetScheduler(0, SchedRr | SchedResetOnFork, &priority) == 0) return null;
        int realtime = LastError;
        uint thread = (uint)Syscall(SysGettid, 0, 0, 0, 0);
        return SetPriority(PrioProcess, thread, -20) == 0 ? null : Describe(realtime);
    }

    /// <summary>Ignores a signal; what is started gets the default again.</summary>
    internal static void Ignore(int signal) => _ = SignalCore(signal, 1);

    /// <summary>Waits for any child to end and reaps it; its number, or 0 when there is none left to wait for.</summary>
    internal static int ReapAny(out ProcessExit exit)
    {
        byte* info = stackalloc byte[128];
        new Span<byte>(info, 128).Clear();
        exit = default;
        while (WaitId(PAll, 0, info, WExited) != 0)
            if (LastError != EINTR) return 0;
        int code = *(int*)(info + 8), status = *(int*)(info + 24);
        exit = code == 1 ? new(status, null) : new(null, status);
        return *(int*)(info + 16);
    }

    private static SocketAddress Address(string path)
    {
        SocketAddress address = default;
        address.Family = AfUnix;
        Span<byte> bytes = new(address.Path, 107);
        // A path that does not fit is an error of the caller: silently cut, it would name another file.
        Encoding.UTF8.GetBytes(path, bytes);
        return address;
    }
}
