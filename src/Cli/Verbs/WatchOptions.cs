using System.CommandLine;
using Patroni.Raft.Cli.Parsing;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>-W</c> and <c>--watch</c>: do it again and again until the user ends it.</summary>
internal sealed class WatchOptions
{
    private readonly Option<bool> _often = new("-W") { Description = "Auto update the screen every 2 seconds" };

    private readonly Option<double?> _seconds = Values.Seconds("Auto update the screen every X seconds", "--watch", "-w");

    /// <summary>Both options, in the order of the help.</summary>
    public IReadOnlyList<Option> All => [_often, _seconds];

    /// <summary>Whether one of them was given.</summary>
    public bool IsWanted(ParseResult parsed) => Interval(parsed) is not null;

    /// <summary>
    /// Reads and shows once, or until <paramref name="stop"/> when repetition is wanted. A failure ends it only at the first time:
    /// later it is shown, because a failover is just what people watch.
    /// </summary>
    public async Task RepeatAsync(ParseResult parsed, Func<Task<string>> read, Action<string> show, CancellationToken stop)
    {
        show(await read().ConfigureAwait(false));
        if (Interval(parsed) is not { } interval)
        {
            return;
        }

        using var timer = new PeriodicTimer(interval);
        try
        {
            while (await timer.WaitForNextTickAsync(stop).ConfigureAwait(false))
            {
                show(await TryAsync(read).ConfigureAwait(false));
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The user has seen enough.
        }
    }

    private static async Task<string> TryAsync(Func<Task<string>> read)
    {
        try
        {
            return await read().ConfigureAwait(false);
        }
        catch (CliException e)
        {
            return $"Error: {e.Message}\n";
        }
    }

    private TimeSpan? Interval(ParseResult parsed) => parsed.GetValue(_seconds) is { } s ? TimeSpan.FromSeconds(s) : parsed.GetValue(_often) ? TimeSpan.FromSeconds(2) : null;
}
