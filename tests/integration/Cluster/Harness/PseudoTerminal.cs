using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>The product on a terminal of its own (made by script(1)): what it shows is waited for, what a human types is sent.</summary>
internal sealed partial class PseudoTerminal : IAsyncDisposable
{
    private readonly Process process;
    private readonly StringBuilder shown = new();
    private readonly Task reader;
    private int seen;

    private PseudoTerminal(Process process)
    {
        this.process = process;
        reader = ReadAsync();
    }

    /// <summary>Everything that was shown, with its control sequences.</summary>
    public string Raw
    {
        get
        {
            lock (shown) return shown.ToString();
        }
    }

    /// <summary>What a human reads: no control sequences, plain line ends.</summary>
    public string Text => ControlSequence().Replace(Raw, "").Replace("\r\n", "\n", StringComparison.Ordinal);

    /// <summary>Starts a command line on a terminal of 200 columns.</summary>
    public static PseudoTerminal Start(string directory, IReadOnlyDictionary<string, string>? environment, params IEnumerable<string> arguments)
    {
        ProcessStartInfo start = Product.Prepare(directory, "script", ["-q", "-e", "-f", "-c", "stty cols 200 rows 50; exec " + string.Join(' ', Product.Executable.Concat(arguments).Select(Quoted)), "/dev/null"]);
        start.RedirectStandardInput = start.RedirectStandardOutput = true;
        start.Environment["TERM"] = "xterm-256color";
        start.Environment.Remove("NO_COLOR");
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        return new(Process.Start(start)!);
    }

    /// <summary>Waits until a text is shown behind all that was expected before.</summary>
    public async Task ExpectAsync(string text, int seconds = Wait.Seconds)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            string all = Text;
            int at = all.IndexOf(text, Math.Min(seen, all.Length), StringComparison.Ordinal);
            if (at >= 0)
            {
                seen = at + text.Length;
                return;
            }
            if (reader.IsCompleted || watch.Elapsed > TimeSpan.FromSeconds(seconds))
                throw new TimeoutException($"'{text}' was not shown{(reader.IsCompleted ? " before the end" : $" within {seconds} s")}:\n{all}");
            await Task.WhenAny(reader, Task.Delay(20));
        }
    }

    /// <summary>Waits for a question, then types an answer and Enter.</summary>
    public async Task AnswerAsync(string question, string answer)
    {
        await ExpectAsync(question);
        await TypeAsync(answer + "\n");
    }

    public async Task TypeAsync(string keys)
    {
        await process.StandardInput.WriteAsync(keys);
        await process.StandardInput.FlushAsync();
    }

    /// <summary>Waits for the end and returns the exit code.</summary>
    public async Task<int> EndAsync(int seconds = Wait.Seconds)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"it did not end within {seconds} s:\n{Text}");
        }
        await reader;
        return process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        await reader;
        process.Dispose();
    }

    private static string Quoted(string word) => "'" + word.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    private async Task ReadAsync()
    {
        char[] buffer = new char[4096];
        while (await process.StandardOutput.ReadAsync(buffer) is > 0 and var count)
        {
            lock (shown) shown.Append(buffer, 0, count);
        }
    }

    // CSI and OSC sequences, and keypad modes.
    [GeneratedRegex(@"\u001b(\[[0-9;?]*[ -/]*[@-~]|\][^\u0007]*\u0007|[=>])", RegexOptions.CultureInvariant)]
    private static partial Regex ControlSequence();
}
