using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Patroni.Raft.Bench;

/// <summary>Starting, finding, measuring and killing processes through /proc; Linux only.</summary>
internal static partial class Processes
{
    private const int SigKill = 9;
    private const int SigTerm = 15;

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int processId, int signal);

    public static void Kill(int processId) => SendSignal(processId, SigKill);

    public static void Terminate(int processId) => SendSignal(processId, SigTerm);

    /// <summary>Starts a program whose output is appended to a file; the file outlives a killed reader.</summary>
    public static Process Start(string logFile, IReadOnlyDictionary<string, string> environment, params IEnumerable<string> command)
    {
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, RedirectStandardInput = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null");
        start.ArgumentList.Add("sh");
        start.ArgumentList.Add(logFile);
        foreach (var argument in command)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start) ?? throw new InvalidOperationException("The process did not start.");
    }

    /// <summary>
    /// Every process that carries the mark in its environment, works below the directory, or guards a data directory there. All are
    /// needed: PostgreSQL's children overwrite their environment with their title, an agent's working directory may be anywhere, and a
    /// guard is known by its arguments alone.
    /// </summary>
    public static List<int> Find(string mark, string directory)
    {
        var needle = Encoding.UTF8.GetBytes(mark + "\0");
        var found = new List<int>();
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(entry), CultureInfo.InvariantCulture, out var processId) || processId == Environment.ProcessId)
            {
                continue;
            }

            try
            {
                var working = new FileInfo(entry + "/cwd").LinkTarget ?? "";
                if (working == directory || working.StartsWith(directory + "/", StringComparison.Ordinal)
                    || File.ReadAllBytes(entry + "/environ").AsSpan().IndexOf(needle) >= 0
                    || File.ReadAllText(entry + "/cmdline").Contains($"\0guard\0{directory}/", StringComparison.Ordinal))
                {
                    found.Add(processId);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The process ended, or belongs to another user.
            }
        }

        return found;
    }

    /// <summary>SIGKILLs what <see cref="Find"/> finds until nothing is left; <paramref name="first"/> dies first.</summary>
    public static void KillAll(string mark, string directory, int? first = null)
    {
        if (first is { } leading)
        {
            Kill(leading);
        }

        for (var round = 0; round < 100; round++)
        {
            var left = Find(mark, directory).Where(IsAlive).ToList();
            if (left.Count == 0)
            {
                return;
            }

            left.ForEach(Kill);
            Thread.Sleep(5);
        }

        throw new InvalidOperationException($"Processes in {directory} could not be killed.");
    }

    public static bool IsAlive(int processId)
    {
        try
        {
            return !Stat(processId)[0].StartsWith('Z');
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Name of the running program, empty where it cannot be read.</summary>
    public static string Program(int processId)
    {
        try
        {
            return new FileInfo($"/proc/{processId}/exe").LinkTarget ?? "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>Proportional set size: private memory plus the fair share of shared pages.</summary>
    public static long PssKib(int processId) => MemoryKib(processId, "Pss:");

    /// <summary>Resident set size: private memory plus all of the shared pages, as <c>ps</c> and <c>top</c> show it.</summary>
    public static long RssKib(int processId) => MemoryKib(processId, "Rss:");

    /// <summary>Whether the process is a guard of ours.</summary>
    public static bool IsGuard(int processId) => File.ReadAllText($"/proc/{processId}/cmdline").Contains("\0guard\0", StringComparison.Ordinal);

    private static long MemoryKib(int processId, string name)
    {
        var line = File.ReadLines($"/proc/{processId}/smaps_rollup").First(l => l.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    /// <summary>User plus system time of a process and of its ended children, in clock ticks (1/100 s).</summary>
    public static long CpuTicks(int processId)
    {
        var fields = Stat(processId);
        return new[] { 11, 12, 13, 14 }.Sum(i => long.Parse(fields[i], CultureInfo.InvariantCulture));
    }

    /// <summary>Fields of /proc/PID/stat after the program name, which may itself contain blanks; [0] is the state.</summary>
    private static string[] Stat(int processId)
    {
        var text = File.ReadAllText($"/proc/{processId}/stat");
        return text[(text.LastIndexOf(')') + 2)..].Split(' ');
    }
}
