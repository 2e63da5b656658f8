using System.Runtime.InteropServices;

namespace Patroni.Raft.Postgres.Processes;

/// <summary>The system calls that .NET does not offer; thin, one to one, errors as errno.</summary>
internal static unsafe partial class Libc
{
    internal const int SigHup = 1, SigInt = 2, SigQuit = 3, SigKill = 9, SigUsr1 = 10, SigPipe = 13, SigTerm = 15, SigStop = 19, SigCont = 18;
    internal const int ESRCH = 3, EINTR = 4, EPERM = 1, EACCES = 13, ENOENT = 2, ECHILD = 10;
    internal const short PollIn = 1;
    internal const int ORdonly = 0, OWronly = 1, OCreat = 0x40, OAppend = 0x400, OCloexec = 0x80000, ODirectory = 0x10000;
    private const long SysPidfdSendSignal = 424, SysPidfdOpen = 434;
    private const int PPidfd = 3, WExited = 4, WNoHang = 1;
    private const int AtFdCwd = -100;
    private const int AtSymlinkNoFollow = 0x100;
    private const uint StatxIno = 0x100, StatxUid = 8, StatxTypeAndMode = 3;

    [StructLayout(LayoutKind.Sequential)]
    internal struct PollFd
    {
        internal int Fd;
        internal short Events;
        internal short Revents;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Syscall(long number, long a, long b, long c, long d);
    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int KillCore(int pid, int signal);
    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    internal static partial int Poll(PollFd* fds, nuint count, int timeoutMs);
    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    internal static partial int EventFd(uint initial, int flags);
    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    internal static partial nint Read(int fd, byte* buffer, nuint count);
    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    internal static partial nint Write(int fd, byte* buffer, nuint count);
    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    internal static partial int Close(int fd);
    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    internal static partial int Fsync(int fd);
    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    internal static partial int SyncFs(int fd);
    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Open(string path, int flags, uint mode);
    [LibraryImport("libc", EntryPoint = "pipe2", SetLastError = true)]
    internal static partial int Pipe2(int* fds, int flags);
    [LibraryImport("libc", EntryPoint = "access", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Access(string path, int mode);
    [LibraryImport("libc", EntryPoint = "geteuid")]
    internal static partial uint GetEuid();
    [LibraryImport("libc", EntryPoint = "waitid", SetLastError = true)]
    private static partial int WaitId(int idType, int id, byte* info, int options);
    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int dirFd, string path, int flags, uint mask, byte* buffer);

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int PosixSpawn(int* pid, string path, void* actions, void* attributes, byte** argv, byte** envp);
    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    internal static partial int SpawnAttrInit(void* attributes);
    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    internal static partial int SpawnAttrDestroy(void* attributes);
    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    internal static partial int SpawnAttrSetFlags(void* attributes, short flags);
    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    internal static partial int SpawnAttrSetSigDefault(void* attributes, void* set);
    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    internal static partial int SpawnAttrSetSigMask(void* attributes, void* set);
    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    internal static partial int ActionsInit(void* actions);
    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    internal static partial int ActionsDestroy(void* actions);
    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    internal static partial int ActionsDup2(void* actions, int from, int to);
    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addopen", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int ActionsOpen(void* actions, int fd, string path, int flags, uint mode);
    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addchdir_np", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int ActionsChdir(void* actions, string path);
    [LibraryImport("libc", EntryPoint = "sigfillset")]
    internal static partial int SigFillSet(void* set);
    [LibraryImport("libc", EntryPoint = "sigemptyset")]
    internal static partial int SigEmptySet(void* set);

    internal static int LastError => Marshal.GetLastPInvokeError();

    /// <summary>Text of an errno for messages.</summary>
    internal static string Describe(int errno) => Marshal.GetPInvokeErrorMessage(errno);

    /// <summary>A descriptor that names the process itself, not its number; -1 when there is no such process.</summary>
    internal static int PidfdOpen(int pid) => (int)Syscall(SysPidfdOpen, pid, 0, 0, 0);

    /// <summary>Signals exactly the process of the descriptor; returns errno or 0.</summary>
    internal static int PidfdSendSignal(int pidfd, int signal) =>
        Syscall(SysPidfdSendSignal, pidfd, signal, 0, 0) == 0 ? 0 : LastError;

    /// <summary>Signals a process (or, negative, a group); returns errno or 0.</summary>
    internal static int Kill(int pid, int signal) => KillCore(pid, signal) == 0 ? 0 : LastError;

    /// <summary>Waits until a descriptor is readable (a pidfd: until the process has exited) or the time is over.</summary>
    internal static void WaitReadable(int fd, TimeSpan limit)
    {
        PollFd poll = new() { Fd = fd, Events = PollIn };
        int milliseconds = Math.Max(0, (int)Math.Ceiling(limit.TotalMilliseconds));
        while (Poll(&poll, 1, milliseconds) < 0 && LastError == EINTR) { }
    }

    /// <summary>Reaps the child behind a pidfd if it has exited. Null: it has not, or it is not our child.</summary>
    internal static ProcessExit? TryReap(int pidfd)
    {
        byte* info = stackalloc byte[128];
        new Span<byte>(info, 128).Clear();
        while (WaitId(PPidfd, pidfd, info, WExited | WNoHang) != 0)
            if (LastError != EINTR) return null;
        if (*(int*)(info + 16) == 0) return null;
        int code = *(int*)(info + 8), status = *(int*)(info + 24);
        return code == 1 ? new(status, null) : new(null, status);
    }

    /// <summary>Whether the path itself, not what a link points to, is a directory of this user that nobody else may enter.</summary>
    internal static bool IsPrivateDirectory(string path)
    {
        byte* buffer = stackalloc byte[256];
        return Statx(AtFdCwd, path, AtSymlinkNoFollow, StatxUid | StatxTypeAndMode, buffer) == 0
            && *(uint*)(buffer + 20) == GetEuid() && *(ushort*)(buffer + 28) == (0x4000 | 0x1C0);
    }

    /// <summary>Identity of a directory, symbolic links followed; null when it cannot be looked at.</summary>
    internal static FileIdentity? Identify(string path)
    {
        byte* buffer = stackalloc byte[256];
        return Statx(AtFdCwd, path, 0, StatxIno | StatxUid, buffer) == 0
            ? new(*(uint*)(buffer + 136), *(uint*)(buffer + 140), *(ulong*)(buffer + 32), *(uint*)(buffer + 20))
            : null;
    }
}

/// <summary>Device and inode: the same file whatever its path.</summary>
internal readonly record struct FileIdentity(uint Major, uint Minor, ulong Inode, uint Owner);

/// <summary>How a process ended; both null when it was not our child, so that nobody told us.</summary>
/// <param name="Code">Exit code.</param>
/// <param name="Signal">The signal that killed it.</param>
public readonly record struct ProcessExit(int? Code, int? Signal)
{
    /// <summary>Exit code 0.</summary>
    public bool IsSuccess => Code == 0;

    /// <inheritdoc/>
    public override string ToString() =>
        Code is { } code ? $"exit code {code}" : Signal is { } signal ? $"killed by signal {signal}" : "exit status unknown";
}
