using System.Globalization;
using System.Text;

namespace Patroni.Raft.Postgres.Processes;

/// <summary>The fields of /proc/PID/stat that identify a process.</summary>
/// <param name="Command">comm, at most 15 bytes.</param>
/// <param name="State">R, S, D, Z, T ...</param>
/// <param name="ParentPid">Parent.</param>
/// <param name="Terminal">Controlling terminal, 0 for none.</param>
/// <param name="StartTicks">Start time in clock ticks since boot: with the number it names one process.</param>
internal readonly record struct ProcessStat(string Command, char State, int ParentPid, int Terminal, ulong StartTicks);

/// <summary>Reads /proc.</summary>
internal static unsafe class ProcFs
{
    private const int StatSize = 2048;

    /// <summary>The processes there are now; each may be gone when looked at.</summary>
    internal static List<int> Pids()
    {
        List<int> pids = new(256);
        foreach (string path in Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(path.AsSpan(6), NumberStyles.None, CultureInfo.InvariantCulture, out int pid))
                pids.Add(pid);
        return pids;
    }

    /// <summary>Null when there is no such process.</summary>
    internal static ProcessStat? ReadStat(int pid)
    {
        // Plain system calls: a fence reads this for every process of the machine, and FileStream costs ten times as much.
        byte* buffer = stackalloc byte[StatSize];
        int fd = Libc.Open($"/proc/{pid}/stat", Libc.ORdonly | Libc.OCloexec, 0);
        if (fd < 0) return null;
        nint length = Libc.Read(fd, buffer, StatSize);
        Libc.Close(fd);
        if (length <= 0) return null;
        string text = Encoding.UTF8.GetString(buffer, (int)length);
        // comm may contain spaces and parentheses: it ends at the last one.
        int open = text.IndexOf('('), close = text.LastIndexOf(')');
        if (open < 0 || close < open) return null;
        string[] fields = text[(close + 2)..].Split(' ');
        return new(text[(open + 1)..close], fields[0][0], int.Parse(fields[1]), int.Parse(fields[4]), ulong.Parse(fields[19]));
    }

    /// <summary>The direct children of a single-threaded process, in one read; null where the kernel does not offer that (CONFIG_PROC_CHILDREN).</summary>
    internal static List<int>? Children(int pid)
    {
        int fd = Libc.Open($"/proc/{pid}/task/{pid}/children", Libc.ORdonly | Libc.OCloexec, 0);
        if (fd < 0) return null;
        List<int> children = new(256);
        byte* buffer = stackalloc byte[4096];
        int number = 0;
        nint length;
        while ((length = Libc.Read(fd, buffer, 4096)) > 0)
            for (int i = 0; i < length; i++)
            {
                if (buffer[i] is >= (byte)'0' and <= (byte)'9')
                {
                    number = number * 10 + (buffer[i] - '0');
                    continue;
                }
                if (number != 0) children.Add(number);
                number = 0;
            }
        Libc.Close(fd);
        return children;
    }

    /// <summary>The directory a process works in; null when it is gone, a zombie, or another user's.</summary>
    internal static FileIdentity? WorkingDirectory(int pid) => Libc.Identify($"/proc/{pid}/cwd");

    /// <summary>Name of the executable without path; null when it cannot be read.</summary>
    internal static string? Executable(int pid)
    {
        try
        {
            string? target = new FileInfo($"/proc/{pid}/exe").LinkTarget;
            if (target is null) return null;
            const string deleted = " (deleted)";
            if (target.EndsWith(deleted, StringComparison.Ordinal)) target = target[..^deleted.Length];
            return Path.GetFileName(target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
