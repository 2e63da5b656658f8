using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Patroni.Raft.RaftDriver.Harness;

/// <summary>One driver process: a Raft node that can be killed, stopped and continued.</summary>
public sealed partial class DriverProcess : IDisposable
{
    private const int SigKill = 9;
    private const int SigCont = 18;
    private const int SigStop = 19;
    private readonly Process process;
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> answers = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource<string> first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentQueue<string> errors = new();
    private readonly Lock input = new();
    private int lastTag;

    private DriverProcess(Process process)
    {
        this.process = process;
        _ = ReadOutputAsync();
        _ = ReadErrorsAsync();
    }

    /// <summary>The driver's own assembly, or a native executable named by RAFT_DRIVER.</summary>
    private static string[] Executable => Environment.GetEnvironmentVariable("RAFT_DRIVER") is { Length: > 0 } native
        ? [native]
        : [Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", OwnPath];

    private static string OwnPath => typeof(DriverProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == "DriverPath").Value!;

    /// <summary>The first line: "started", or "refused ..." with the reason.</summary>
    public Task<string> Started => first.Task;

    public bool HasExited => process.HasExited;

    public string Errors => string.Join('\n', errors);

    public static DriverProcess Start(params string[] arguments)
    {
        var executable = Executable;
        var start = new ProcessStartInfo(executable[0]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in executable[1..].Concat(arguments))
        {
            start.ArgumentList.Add(argument);
        }

        // Three nodes and a test share few cores: small heaps, no tiering delays.
        start.Environment["DOTNET_gcServer"] = "0";
        start.Environment["DOTNET_TieredPGO"] = "0";
        return new DriverProcess(Process.Start(start)!);
    }

    /// <exception cref="DriverGoneException">The process ended before it answered.</exception>
    public async Task<string> AskAsync(string verb, string arguments = "", TimeSpan? timeout = null)
    {
        var tag = $"t{Interlocked.Increment(ref lastTag)}";
        var completion = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        answers[tag] = completion;
        try
        {
            lock (input)
            {
                process.StandardInput.WriteLine($"{verb} {tag} {arguments}".TrimEnd());
                process.StandardInput.Flush();
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            throw new DriverGoneException();
        }

        if (first.Task.IsCompletedSuccessfully && process.HasExited)
        {
            throw new DriverGoneException();
        }

        return await completion.Task.WaitAsync(timeout ?? TimeSpan.FromSeconds(60));
    }

    /// <summary>The status line as a dictionary.</summary>
    public async Task<IReadOnlyDictionary<string, string>> StatusAsync(TimeSpan? timeout = null)
        => (await AskAsync("s", timeout: timeout)).Split(' ').Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);

    public void Kill()
    {
        _ = Signal(process.Id, SigKill);
        process.WaitForExit();
    }

    /// <summary>Stops all threads; on a busy machine they go on for a while after the signal was sent, so this waits until each is stopped.</summary>
    public void Stop()
    {
        _ = Signal(process.Id, SigStop);
        while (!process.HasExited && !Directory.GetDirectories($"/proc/{process.Id}/task").All(IsStopped))
        {
            Thread.Sleep(1);
        }

        static bool IsStopped(string thread)
        {
            try
            {
                var stat = File.ReadAllText(Path.Combine(thread, "stat"));
                return stat[(stat.LastIndexOf(')') + 2)..][0] is 'T' or 't' or 'Z';
            }
            catch (IOException)
            {
                return true;
            }
        }
    }

    public void Continue() => _ = Signal(process.Id, SigCont);

    public async Task<int> ExitCodeAsync(TimeSpan timeout)
    {
        await process.WaitForExitAsync().WaitAsync(timeout);
        return process.ExitCode;
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            Kill();
        }

        process.Dispose();
    }

    private async Task ReadOutputAsync()
    {
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (!first.Task.IsCompleted)
            {
                first.TrySetResult(line);
                continue;
            }

            var space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space > 0 && answers.TryRemove(line[..space], out var completion))
            {
                completion.TrySetResult(line[(space + 1)..]);
            }
        }

        first.TrySetResult("gone");
        foreach (var completion in answers.Values)
        {
            completion.TrySetException(new DriverGoneException());
        }
    }

    private async Task ReadErrorsAsync()
    {
        while (await process.StandardError.ReadLineAsync() is { } line)
        {
            errors.Enqueue(line);
            while (errors.Count > 200)
            {
                errors.TryDequeue(out _);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Signal(int process, int signal);
}

/// <summary>The process ended before it answered.</summary>
public sealed class DriverGoneException : Exception;
