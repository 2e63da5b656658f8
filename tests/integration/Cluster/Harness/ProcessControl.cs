using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>Signals, and the processes of a data directory: PostgreSQL's processes all have it as their working directory.</summary>
internal static class ProcessControl
{
    public const int SigInt = 2;
    public const int SigQuit = 3;
    public const int SigKill = 9;
    public const int SigTerm = 15;
    public const int SigCont = 18;
    public const int SigStop = 19;

    public static void Signal(int process, int signal) => _ = kill(process, signal);

    public static IReadOnlyList<int> WorkingIn(string directory)
    {
        var found = new List<int>();
        foreach (string entry in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id == Environment.ProcessId) continue;
            try
            {
                string? target = new DirectoryInfo(Path.Combine(entry, "cwd")).LinkTarget;
                if (target == directory || target == directory + " (deleted)") found.Add(id);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended, or belongs to somebody else.
            }
        }
        return found;
    }

    /// <summary>The guards of a data directory; normally one.</summary>
    public static IReadOnlyList<int> GuardsOf(string dataDirectory)
    {
        var found = new List<int>();
        foreach (string entry in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out int id)) continue;
            try
            {
                if (File.ReadAllText(Path.Combine(entry, "cmdline")).EndsWith($"\0guard\0{dataDirectory}\0", StringComparison.Ordinal)) found.Add(id);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended, or belongs to somebody else.
            }
        }
        return found;
    }

    /// <summary>Kills until a scan finds nothing: a postmaster may fork between scan and signal.</summary>
    public static void KillAllIn(string directory)
    {
        var until = Stopwatch.StartNew();
        while (WorkingIn(directory) is { Count: > 0 } left)
        {
            foreach (int id in left) Signal(id, SigKill);
            if (until.Elapsed > TimeSpan.FromSeconds(60)) throw new TimeoutException($"processes {string.Join(", ", left)} of {directory} survive SIGKILL");
            Thread.Sleep(5);
        }
    }

    /// <summary>Makes a named pipe; 0, or the error.</summary>
    public static int MakePipe(string path) => mkfifo(path, 0x180) == 0 ? 0 : Marshal.GetLastPInvokeError();

    [DllImport("libc", SetLastError = true)]
    private static extern int mkfifo(string path, uint mode);

    [DllImport("libc", SetLastError = true)]
    private static extern int kill(int process, int signal);
}
