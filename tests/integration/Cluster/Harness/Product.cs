using System.Diagnostics;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>The product as a process: the build beside the tests, or the native binary that PATRONI_RAFT_PRODUCT names.</summary>
internal static class Product
{
    public static string PostgresBinaries => Environment.GetEnvironmentVariable("PG_BIN_DIR") is { Length: > 0 } given ? given : "/usr/lib/postgresql/15/bin";

    /// <summary>The program and what stands before its arguments.</summary>
    public static string[] Executable => Environment.GetEnvironmentVariable("PATRONI_RAFT_PRODUCT") is { Length: > 0 } native
        ? [native]
        : [Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", Path.Combine(AppContext.BaseDirectory, "patroni-raft.dll")];

    /// <summary>The product as one program, to be called by links with other names.</summary>
    public static string Program => Environment.GetEnvironmentVariable("PATRONI_RAFT_PRODUCT") is { Length: > 0 } native ? native : Path.Combine(AppContext.BaseDirectory, "patroni-raft");

    /// <summary>Starts it with its output appended to a file; the process is the product itself, not a shell around it.</summary>
    public static Process StartLogged(string directory, string log, params string[] arguments) => StartLogged(directory, log, [], arguments);

    /// <summary>Starts it by a command that ends in becoming the product.</summary>
    public static Process StartLogged(string directory, string log, IEnumerable<string> prefix, params string[] arguments)
    {
        var start = Prepare(directory, "/bin/sh", ["-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", log, .. prefix, .. Executable, .. arguments]);
        return Process.Start(start)!;
    }

    /// <summary>Runs it to its end.</summary>
    public static Task<ProductResult> RunAsync(string directory, IEnumerable<string> arguments, int seconds = Wait.Seconds) =>
        RunProgramAsync(directory, Executable[0], [.. Executable[1..], .. arguments], seconds);

    /// <summary>Runs a program to its end.</summary>
    public static async Task<ProductResult> RunProgramAsync(string directory, string program, IReadOnlyList<string> arguments, int seconds = Wait.Seconds)
    {
        var start = Prepare(directory, program, arguments);
        start.RedirectStandardOutput = start.RedirectStandardError = start.RedirectStandardInput = true;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} did not end within {seconds} s: {await output} {await error}");
        }
        return new(process.ExitCode, await output, await error);
    }

    internal static ProcessStartInfo Prepare(string directory, string file, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(file, arguments) { WorkingDirectory = directory };
        // Several agents and a test share few cores.
        start.Environment["DOTNET_gcServer"] = "0";
        // A killed runtime would leave its diagnostic pipes behind.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["HOME"] = start.Environment["TMPDIR"] = directory;
        return start;
    }
}

/// <summary>How a run of the product ended.</summary>
internal sealed record ProductResult(int ExitCode, string Output, string Error);
