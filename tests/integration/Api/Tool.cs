using System.Diagnostics;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>What another program printed.</summary>
internal sealed record ToolResult(int ExitCode, string Output, string Error);

/// <summary>Programs of the distribution: haproxy, curl, openssl, python3. <c>./test</c> installs what is missing.</summary>
internal static class Tool
{
    public static async Task<ToolResult> RunAsync(string file, IEnumerable<string> arguments, string input = "", int seconds = 60)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new TimeoutException($"{file} {string.Join(' ', arguments)} did not end within {seconds} s: {await output} {await error}");
        }
        return new(process.ExitCode, await output, await error);
    }

    /// <summary>Runs it and returns what it printed.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static async Task<string> MustAsync(string file, params string[] arguments)
    {
        ToolResult result = await RunAsync(file, arguments);
        return result.ExitCode == 0 ? result.Output : throw new InvalidOperationException($"{file} {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.Error}{result.Output}");
    }
}
