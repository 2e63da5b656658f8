using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Patroni.Raft.Bench;

/// <summary>
/// Commits through three processes that each run this project's Raft node with a toy state (tests/raft-driver). As with etcd the
/// proposals are made at the leader; unlike there the proposer is inside the process, as the agent is.
/// </summary>
internal static partial class RaftCommit
{
    private const int ValueBytes = 128;
    private const int WarmUpSeconds = 5;

    /// <param name="driver">The command that starts the driver, blanks between its words.</param>
    public static async Task<CommitFigures> RunAsync(string driver, TimeSpan duration, int writers)
    {
        var directory = Directory.CreateTempSubdirectory("prbc").FullName;
        var addresses = Enumerable.Range(0, 3).Select(_ => Settings.Local(Settings.FreePort())).ToList();
        var processes = addresses.Select(self => Start(driver, directory, self, addresses)).ToList();
        try
        {
            var leader = await LeaderAsync(processes);
            await AskAsync(leader, $"bench t {writers} {WarmUpSeconds} {ValueBytes}"); // lets the compiler of hot code finish
            await AskAsync(leader, $"bench t 1 {WarmUpSeconds} {ValueBytes}");
            var seconds = duration.TotalSeconds.ToString(CultureInfo.InvariantCulture);
            var latency = await AskAsync(leader, $"bench t 1 {seconds} {ValueBytes}");
            var load = await AskAsync(leader, $"bench t {writers} {seconds} {ValueBytes}");
            return new CommitFigures(Value(latency, "p50"), Value(latency, "p99"), Value(load, "rate"));
        }
        finally
        {
            foreach (var process in processes)
            {
                process.Kill();
                await process.WaitForExitAsync();
                process.Dispose();
            }

            Directory.Delete(directory, recursive: true);
        }
    }

    private static Process Start(string driver, string directory, string self, List<string> all)
    {
        var words = driver.Split(' ');
        var start = new ProcessStartInfo(words[0]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments = [.. words[1..], "--self", self, "--members", string.Join(',', all), "--data", Path.Combine(directory, self.Replace(':', '-'))];
        Array.ForEach(arguments, start.ArgumentList.Add);
        var process = Process.Start(start)!;
        process.BeginErrorReadLine(); // Its log is read and dropped, so that a full pipe never stops it.
        return process;
    }

    private static async Task<Process> LeaderAsync(List<Process> processes)
    {
        foreach (var process in processes)
        {
            if (await process.StandardOutput.ReadLineAsync() != "started")
            {
                throw new InvalidOperationException("A Raft node did not start.");
            }
        }

        for (var watch = Stopwatch.StartNew(); watch.Elapsed < TimeSpan.FromSeconds(30); await Task.Delay(100))
        {
            foreach (var process in processes)
            {
                if ((await AskAsync(process, "s t")).Contains("leads=True", StringComparison.Ordinal))
                {
                    return process;
                }
            }
        }

        throw new TimeoutException("The Raft group elected no leader within 30 s.");
    }

    private static async Task<string> AskAsync(Process process, string line)
    {
        await process.StandardInput.WriteLineAsync(line);
        await process.StandardInput.FlushAsync();
        var answer = await process.StandardOutput.ReadLineAsync() ?? "";
        return answer.StartsWith("t error", StringComparison.Ordinal) || answer.Length == 0
            ? throw new InvalidOperationException($"The Raft node answered '{answer}'.") : answer;
    }

    private static double Value(string answer, string name) =>
        double.Parse(Pairs().Matches(answer).First(m => m.Groups[1].Value == name).Groups[2].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"(\w+)=([0-9.]+)")]
    private static partial Regex Pairs();
}
