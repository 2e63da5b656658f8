using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Patroni.Raft.Bench;

/// <summary>What wrk saw: requests a second, the 99th percentile of the time to an answer, and answers that were none or not 2xx.</summary>
internal sealed record LoadResult(double PerSecond, double P99Ms, long Failed);

/// <summary>Load on one path of a REST API by wrk: one thread, 16 connections, as many requests as are answered.</summary>
internal static partial class HttpLoad
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);

    /// <summary>Loads a path of a node after a short warm-up.</summary>
    public static async Task<LoadResult> MeasureAsync(Workplace workplace, NodeAddress node, string path, TimeSpan duration)
    {
        await RunAsync(workplace, node, path, WarmUp);
        return await RunAsync(workplace, node, path, duration);
    }

    /// <summary>Loads a path of a node.</summary>
    public static async Task<LoadResult> RunAsync(Workplace workplace, NodeAddress node, string path, TimeSpan duration)
    {
        var start = new ProcessStartInfo(workplace.Wrk) { RedirectStandardOutput = true };
        string[] arguments =
        [
            "--threads", "1", "--connections", "16", "--timeout", "5s", "--latency",
            "--duration", string.Create(CultureInfo.InvariantCulture, $"{Math.Max(1, Math.Round(duration.TotalSeconds))}s"),
            $"http://{Settings.Local(node.ApiPort)}{path}",
        ];
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start) ?? throw new InvalidOperationException("wrk did not start.");
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return Read(output);
    }

    private static LoadResult Read(string output)
    {
        var perSecond = PerSecond().Match(output);
        var p99 = P99().Match(output);
        if (!perSecond.Success || !p99.Success)
        {
            throw new InvalidOperationException($"wrk printed no result:\n{output}");
        }

        var factor = p99.Groups[2].Value switch { "us" => 0.001, "ms" => 1, _ => 1000 };
        var failed = NotOk().Match(output) is { Success: true } notOk ? long.Parse(notOk.Groups[1].Value, CultureInfo.InvariantCulture) : 0;
        foreach (Match errors in SocketErrors().Matches(output))
        {
            // Patroni closes each connection after its answer, which wrk counts as an error of reading; the answer was complete all the same.
            failed += long.Parse(errors.Groups[1].Value, CultureInfo.InvariantCulture);
        }

        return new LoadResult(Number(perSecond.Groups[1].Value), Number(p99.Groups[1].Value) * factor, failed);
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex PerSecond();

    [GeneratedRegex(@"99%\s+([\d.]+)(us|ms|s)")]
    private static partial Regex P99();

    [GeneratedRegex(@"Non-2xx or 3xx responses: (\d+)")]
    private static partial Regex NotOk();

    [GeneratedRegex(@"(?:connect|timeout) (\d+)")]
    private static partial Regex SocketErrors();
}
