using System.Text;

namespace Patroni.Raft.Postgres.Processes;

/// <summary>How a tool ended.</summary>
/// <param name="Exit">Exit status; null when it could not be started, ran too long or was cancelled.</param>
/// <param name="Output">The end of stdout and stderr together (at most 256 KiB).</param>
/// <param name="Error">Why there is no exit status.</param>
internal sealed record ToolResult(ProcessExit? Exit, string Output, string? Error)
{
    internal bool IsSuccess => Exit is { IsSuccess: true };

    /// <summary>For messages: exit status and the last lines.</summary>
    internal string Describe()
    {
        string[] lines = Output.Split(['\n', '\r'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string tail = string.Join("; ", lines.TakeLast(3));
        string status = Error ?? Exit?.ToString() ?? "unknown";
        return tail.Length == 0 ? status : $"{status}: {tail}";
    }
}

/// <summary>Runs a program to its end; on cancellation or timeout it is killed with everything in its process group.</summary>
internal static class Tool
{
    private const int MaximumOutputChars = 256 * 1024;

    /// <summary>Messages in English, numbers with points: for output that is parsed.</summary>
    internal static Dictionary<string, string> CLocale { get; } = new() { ["LC_ALL"] = "C", ["LANG"] = "C" };

    /// <summary>Runs it.</summary>
    /// <param name="spec">What; its log file is not used.</param>
    /// <param name="timeout">Null: as long as it takes.</param>
    /// <param name="onLine">Called with each line of output as it appears (ended by newline or carriage return).</param>
    /// <param name="cancel">Kills it.</param>
    internal static async Task<ToolResult> RunAsync(
        ChildSpec spec, TimeSpan? timeout = null, Action<string>? onLine = null, CancellationToken cancel = default)
    {
        (ChildProcess? child, string? error) = ChildProcess.Start(spec with { LogFile = null });
        if (child is null) return new(null, "", error);
        using (child)
        {
            // Blocking reads of a pipe do not belong on the thread pool.
            Task<string> output = Task.Factory.StartNew(() => ReadAll(child.Output!, onLine), CancellationToken.None,
                TaskCreationOptions.LongRunning, TaskScheduler.Default);
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            if (timeout is { } time) limit.CancelAfter(time);
            try
            {
                ProcessExit exit = await child.Exited.WaitAsync(limit.Token);
                // A grandchild that kept the pipe open must not hold us up.
                await Task.WhenAny(output, Task.Delay(TimeSpan.FromSeconds(1), CancellationToken.None));
                return new(exit, output.IsCompletedSuccessfully ? output.Result : "", null);
            }
            catch (OperationCanceledException)
            {
                child.KillGroup();
                await child.Exited;
                await Task.WhenAny(output, Task.Delay(TimeSpan.FromSeconds(1), CancellationToken.None));
                string text = output.IsCompletedSuccessfully ? output.Result : "";
                return new(null, text, cancel.IsCancellationRequested ? "cancelled" : $"killed after {timeout!.Value.TotalSeconds:F0} s without an end");
            }
        }
    }

    private static string ReadAll(FileStream stream, Action<string>? onLine)
    {
        StringBuilder all = new(), line = new();
        byte[] buffer = new byte[8192];
        char[] chars = new char[8192];
        Decoder decoder = Encoding.UTF8.GetDecoder();
        while (true)
        {
            int read;
            try
            {
                read = stream.Read(buffer, 0, buffer.Length);
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                break;
            }
            if (read == 0) break;
            ReadOnlySpan<char> text = chars.AsSpan(0, decoder.GetChars(buffer, 0, read, chars, 0));
            all.Append(text);
            if (all.Length > MaximumOutputChars) all.Remove(0, all.Length - MaximumOutputChars / 2);
            if (onLine is null) continue;
            foreach (char c in text)
            {
                if (c is not ('\n' or '\r'))
                {
                    line.Append(c);
                    continue;
                }
                if (line.Length != 0) onLine(line.ToString());
                line.Clear();
            }
        }
        if (line.Length != 0) onLine?.Invoke(line.ToString());
        return all.ToString();
    }
}
