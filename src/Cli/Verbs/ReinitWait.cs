using System.Globalization;
using System.Text.RegularExpressions;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.StateMachine;
using Spectre.Console;

namespace Patroni.Raft.Cli.Verbs;

/// <summary>
/// Waits until members run on new data. A member that still runs on what it was asked to throw away is not done: its data must have
/// another incarnation than before.
/// </summary>
internal sealed partial class ReinitWait
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly ApiClient _api;
    private readonly List<Copy> _copies;

    private ReinitWait(ApiClient api, IEnumerable<Copy> copies)
    {
        _api = api;
        _copies = [.. copies];
    }

    private sealed record Copy(string Member, Uri Api, string? Before)
    {
        public bool IsDone { get; set; }

        public double? Percent { get; set; }

        public string Doing { get; set; } = "waiting";
    }

    /// <summary>The incarnation of a member's data; <c>null</c> when the node does not say.</summary>
    public static async Task<string?> IncarnationAsync(ApiClient api, Uri node, string member, CancellationToken stop)
    {
        var state = (await api.TryGetAsync(node, "/state", stop).ConfigureAwait(false))?.Json as SettingMap;
        return SettingReader.Text(state?.Section("members").Section(member).Section("report")["incarnation"]);
    }

    /// <summary>Returns when all are done; says so for each.</summary>
    public static async Task UntilDoneAsync(ApiClient api, IEnumerable<(string Member, Uri Api, string? Before)> members, Terminal terminal, CancellationToken stop)
    {
        var wait = new ReinitWait(api, members.Select(m => new Copy(m.Member, m.Api, m.Before)));
        if (terminal.IsInteractive)
        {
            await wait.WithBarsAsync(terminal, stop).ConfigureAwait(false);
        }
        else
        {
            await wait.InLinesAsync(terminal, stop).ConfigureAwait(false);
        }
    }

    private IEnumerable<Copy> Waiting => _copies.Where(c => !c.IsDone);

    private async Task InLinesAsync(Terminal terminal, CancellationToken stop)
    {
        while (Waiting.ToList() is { Count: > 0 } waiting)
        {
            terminal.Output.WriteLine($"Waiting for reinitialize to complete on: {string.Join(", ", waiting.Select(c => c.Member))}");
            do
            {
                await Task.Delay(Pause, stop).ConfigureAwait(false);
                await LookAsync(stop).ConfigureAwait(false);
            }
            while (waiting.TrueForAll(c => !c.IsDone));

            foreach (var copy in waiting.Where(c => c.IsDone))
            {
                terminal.Output.WriteLine($"Reinitialize is completed on: {copy.Member}");
            }
        }
    }

    private async Task WithBarsAsync(Terminal terminal, CancellationToken stop)
    {
        terminal.Output.WriteLine($"Waiting for reinitialize to complete on: {string.Join(", ", _copies.Select(c => c.Member))}");
        using var interrupt = Busy.ShowCursorWhenInterrupted(terminal);
        await Busy.Screen(terminal).Progress().AutoClear(true).HideCompleted(false)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(async progress =>
            {
                var bars = _copies.ToDictionary(c => c, c => progress.AddTask(Markup.Escape(c.Member)));
                while (Waiting.Any())
                {
                    await Task.Delay(Pause, stop).ConfigureAwait(false);
                    await LookAsync(stop).ConfigureAwait(false);
                    foreach (var (copy, bar) in bars)
                    {
                        bar.Description = Markup.Escape($"{copy.Member}: {copy.Doing}");
                        bar.IsIndeterminate = copy.Percent is null;
                        bar.Value = copy.IsDone ? 100 : copy.Percent ?? 0;
                    }
                }
            }).ConfigureAwait(false);
        foreach (var copy in _copies)
        {
            terminal.Output.WriteLine($"Reinitialize is completed on: {copy.Member}");
        }
    }

    private Task LookAsync(CancellationToken stop) => Task.WhenAll(Waiting.Select(c => LookAsync(c, stop)));

    private async Task LookAsync(Copy copy, CancellationToken stop)
    {
        if ((await _api.TryGetAsync(copy.Api, "/patroni", stop).ConfigureAwait(false))?.Json is not SettingMap status)
        {
            copy.Doing = "no answer";
            return;
        }

        var state = SettingReader.Text(status["state"]) ?? "";
        var job = SettingReader.Text(status.Section("raft")["job"]);
        copy.Percent = job is not null && PercentDone().Match(job) is { Success: true } match ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : null;
        copy.Doing = job is null ? state : PercentDone().Replace(job, "");
        var isNew = copy.Before is null || await IncarnationAsync(_api, copy.Api, copy.Member, stop).ConfigureAwait(false) is { } now && now != copy.Before;
        copy.IsDone = isNew && state == "running";
    }

    [GeneratedRegex(@": ([0-9]+) %$", RegexOptions.CultureInvariant)]
    private static partial Regex PercentDone();
}
