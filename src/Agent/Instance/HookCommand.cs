using System.Diagnostics;

namespace Patroni.Raft.Agent.Instance;

/// <summary>Runs a user's command (<c>pre_promote</c>, <c>before_stop</c>) through the shell, as Patroni does.</summary>
public static class HookCommand
{
    /// <summary>Runs it; null when it is not configured or succeeded, else why not.</summary>
    public static async Task<string?> RunAsync(string? command, TimeSpan limit, CancellationToken cancellation)
    {
        if (string.IsNullOrWhiteSpace(command)) return null;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(limit);
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("/bin/sh") { ArgumentList = { "-c", command }, UseShellExecute = false })
                ?? throw new InvalidOperationException("no process was started");
            try
            {
                await process.WaitForExitAsync(timeout.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                process.Kill(true);
                return cancellation.IsCancellationRequested ? $"'{command}' was ended with what waited for it" : $"'{command}' did not end within {limit.TotalSeconds:0} s";
            }
            return process.ExitCode == 0 ? null : $"'{command}' ended with exit code {process.ExitCode}";
        }
        catch (Exception error) when (error is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return $"'{command}' could not be run: {error.Message}";
        }
    }
}
