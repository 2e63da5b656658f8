using System.Diagnostics;

namespace Patroni.Raft.ChaosTests.Network;

/// <summary>Programs of the system, run to their end; one that fails throws with what it said.</summary>
internal static class Shell
{
    public static void Run(string program, params string[] arguments) => Run(null, program, arguments);

    public static void Run(string? input, string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardInput = true };
        // Where Debian keeps ip, tc and nft; an ordinary user's path lacks it.
        start.Environment["PATH"] = $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin";
        start.FileName = Find(program);
        using Process process = Process.Start(start)!;
        if (input is not null) process.StandardInput.Write(input);
        process.StandardInput.Close();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with code {process.ExitCode}: {error.Trim()} {input}");
    }

    /// <summary>Whether a program does what it is asked; for features that not every kernel has.</summary>
    public static bool Can(string program, params string[] arguments)
    {
        try
        {
            Run(program, arguments);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private static string Find(string program)
    {
        foreach (string directory in new[] { "/usr/sbin", "/sbin", "/usr/bin", "/bin" })
            if (File.Exists(Path.Combine(directory, program))) return Path.Combine(directory, program);
        return program;
    }
}
