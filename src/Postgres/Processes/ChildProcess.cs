using System.Runtime.InteropServices;
using System.Text;

namespace Patroni.Raft.Postgres.Processes;

/// <summary>What to start. Arguments are passed as they are: no shell is involved.</summary>
internal sealed record ChildSpec
{
    internal required string File { get; init; }
    internal IReadOnlyList<string> Arguments { get; init; } = [];
    /// <summary>
    /// Working directory, set before the program runs. For everything that works on a data directory it is that directory:
    /// so the scan finds it even when the agent that started it is gone.
    /// </summary>
    internal required string WorkingDirectory { get; init; }
    /// <summary>Added to our environment.</summary>
    internal IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
    /// <summary>All of the environment, NAME=VALUE, instead of ours; null for ours with <see cref="Environment"/>.</summary>
    internal IReadOnlyList<string>? WholeEnvironment { get; init; }
    /// <summary>File that stdout and stderr are appended to; null gives a pipe, see <see cref="ChildProcess.Output"/>.</summary>
    internal string? LogFile { get; init; }
}

/// <summary>
/// A child in a session of its own (so that it outlives us, and so that it can be killed with all it started), with default
/// signal dispositions, stdin from /dev/null, and its exit noticed at once.
/// </summary>
internal sealed unsafe class ChildProcess : IDisposable
{
    private const short SpawnSetSigDef = 0x04, SpawnSetSigMask = 0x08, SpawnSetSid = 0x80;
    // posix_spawnattr_t, posix_spawn_file_actions_t and sigset_t are below this in glibc and musl.
    private const int OpaqueSize = 1024;
    // What the agent was told is not for PostgreSQL: passwords among it, and systemd's notification socket is the agent's.
    private static readonly string[] HiddenPrefixes = ["PATRONI_", "DOTNET_", "KUBERNETES_", "NOTIFY_SOCKET", "WATCHDOG_", "ASPNETCORE_"];

    private readonly ProcessWatch _watch;

    private ChildProcess(ProcessWatch watch, FileStream? output)
    {
        _watch = watch;
        Output = output;
    }

    internal int Pid => _watch.Pid;
    internal ProcessWatch Watch => _watch;
    internal Task<ProcessExit> Exited => _watch.Exited;
    /// <summary>stdout and stderr together, when no log file was given.</summary>
    internal FileStream? Output { get; }

    /// <summary>Starts it; a string says why it could not be.</summary>
    internal static (ChildProcess? Child, string? Error) Start(ChildSpec spec)
    {
        if (Libc.Access(spec.File, 1) != 0)
            return (null, $"cannot execute {spec.File}: {Libc.Describe(Libc.LastError)}");
        int* pipe = stackalloc int[2] { -1, -1 };
        if (spec.LogFile is null && Libc.Pipe2(pipe, Libc.OCloexec) != 0)
            return (null, $"cannot create a pipe: {Libc.Describe(Libc.LastError)}");
        int pid;
        int error;
        void* attributes = NativeMemory.AllocZeroed(OpaqueSize), actions = NativeMemory.AllocZeroed(OpaqueSize), set = NativeMemory.AllocZeroed(OpaqueSize);
        byte** argv = Strings([spec.File, .. spec.Arguments]);
        byte** envp = Strings(spec.WholeEnvironment ?? MergedEnvironment(spec.Environment));
        try
        {
            Libc.SpawnAttrInit(attributes);
            Libc.SpawnAttrSetFlags(attributes, SpawnSetSigDef | SpawnSetSigMask | SpawnSetSid);
            Libc.SigFillSet(set);
            Libc.SpawnAttrSetSigDefault(attributes, set);
            Libc.SigEmptySet(set);
            Libc.SpawnAttrSetSigMask(attributes, set);
            Libc.ActionsInit(actions);
            Libc.ActionsOpen(actions, 0, "/dev/null", Libc.ORdonly, 0);
            if (spec.LogFile is { } log) Libc.ActionsOpen(actions, 1, log, Libc.OWronly | Libc.OCreat | Libc.OAppend, 0x180);
            else Libc.ActionsDup2(actions, pipe[1], 1);
            Libc.ActionsDup2(actions, 1, 2);
            Libc.ActionsChdir(actions, spec.WorkingDirectory);
            error = Libc.PosixSpawn(&pid, spec.File, actions, attributes, argv, envp);
            Libc.ActionsDestroy(actions);
            Libc.SpawnAttrDestroy(attributes);
        }
        finally
        {
            FreeStrings(argv);
            FreeStrings(envp);
            NativeMemory.Free(attributes);
            NativeMemory.Free(actions);
            NativeMemory.Free(set);
            if (pipe[1] >= 0) Libc.Close(pipe[1]);
        }
        ProcessWatch? watch = error == 0 ? ProcessWatch.TryOpen(pid) : null;
        if (watch is null)
        {
            if (pipe[0] >= 0) Libc.Close(pipe[0]);
            return (null, $"cannot start {spec.File} in {spec.WorkingDirectory}"
                + (spec.LogFile is null ? "" : $" with output to {spec.LogFile}")
                + $": {Libc.Describe(error == 0 ? Libc.ESRCH : error)}");
        }
        FileStream? output = pipe[0] < 0 ? null
            : new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(pipe[0], ownsHandle: true), FileAccess.Read, bufferSize: 0);
        return (new(watch, output), null);
    }

    /// <summary>Kills it and everything in its process group.</summary>
    internal void KillGroup(int signal = Libc.SigKill)
    {
        // The group's number is the child's; while the child is not reaped it cannot be anybody else's.
        if (!_watch.Exited.IsCompleted) Libc.Kill(-Pid, signal);
    }

    public void Dispose()
    {
        Output?.Dispose();
        _watch.Dispose();
    }

    /// <summary>Our environment without what is only for us, and with what is added.</summary>
    internal static List<string> MergedEnvironment(IReadOnlyDictionary<string, string> added)
    {
        List<string> merged = [];
        foreach (System.Collections.DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            string name = (string)entry.Key;
            if (!added.ContainsKey(name) && !HiddenPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)))
                merged.Add($"{name}={entry.Value}");
        }
        merged.AddRange(added.Select(pair => $"{pair.Key}={pair.Value}"));
        return merged;
    }

    private static byte** Strings(IReadOnlyList<string> values)
    {
        byte** array = (byte**)NativeMemory.AllocZeroed((nuint)(values.Count + 1), (nuint)sizeof(byte*));
        for (int i = 0; i < values.Count; i++)
        {
            int length = Encoding.UTF8.GetByteCount(values[i]);
            array[i] = (byte*)NativeMemory.AllocZeroed((nuint)length + 1);
            Encoding.UTF8.GetBytes(values[i], new Span<byte>(array[i], length));
        }
        return array;
    }

    private static void FreeStrings(byte** array)
    {
        for (byte** item = array; *item != null; item++) NativeMemory.Free(*item);
        NativeMemory.Free(array);
    }
}
