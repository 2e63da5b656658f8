using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>events</c>: the replicated history of decisions, as it is or as it comes.</summary>
internal static class EventsVerb
{
    private const int ShownBeforeFollowing = 10;

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with new events as they happen, over the deaths of nodes" };
        var since = new Option<string?>("--since") { Description = "Only events after this number, this time (ISO 8601), or this long ago (15m, 2h)", HelpName = "ID|TIME|AGE" };
        var limit = new Option<int?>("--limit") { Description = "Only the newest N of them", HelpName = "N" };
        var format = new Option<string>("--format") { Description = "Output format: pretty (one sentence a line) or json (one object a line)", HelpName = "FORMAT", DefaultValueFactory = _ => "pretty" };
        format.AcceptOnlyFromAmong("pretty", "json");
        limit.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() < 0)
            {
                result.AddError("--limit must be a whole number from 0");
            }
        });
        var command = new Command("events", "Show what was decided, by which rule") { follow, since, limit, format };
        command.SetAction(async (parsed, stop) =>
        {
            var start = Since(parsed.GetValue(since));
            using var cluster = client.Open(parsed);
            Func<EventRecord, string> line = parsed.GetValue(format) == "json" ? EventLines.Json : record => EventLines.Text(record, TimeZoneInfo.Local);
            void Print(EventRecord record)
            {
                terminal.Output.WriteLine(line(record));
                terminal.Output.Flush();
            }

            var answer = await cluster.Api.GetAsync(string.Create(CultureInfo.InvariantCulture, $"/events?since={start.Id}"), stop).ConfigureAwait(false);
            if (!answer.IsSuccess)
            {
                throw new CliException($"the node answered GET /events with {answer.Status}: {answer.Body.Trim()}");
            }

            var (events, last) = ReplicatedState.ParseEvents(answer.Body);
            ImmutableArray<EventRecord> chosen = [.. events.Where(record => record.UnixMs >= start.UnixMs)];
            var shown = parsed.GetValue(limit) ?? (parsed.GetValue(follow) && parsed.GetValue(since) is null ? ShownBeforeFollowing : chosen.Length);
            foreach (var record in chosen.TakeLast(shown))
            {
                Print(record);
            }

            if (parsed.GetValue(follow))
            {
                // A node that is behind what the user has seen must not start all over.
                await new EventFeed(cluster.Api, Print, notice => terminal.Error.WriteLine(notice)).FollowAsync(Math.Max(last, start.Id), stop).ConfigureAwait(false);
            }

            return 0;
        });
        root.Subcommands.Add(command);
    }

    private static (long Id, long UnixMs) Since(string? text)
    {
        if (text is null)
        {
            return (0, 0);
        }

        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
        {
            return (id, 0);
        }

        if (Age(text) is { } age)
        {
            return (0, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - (long)age.TotalMilliseconds);
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out var at)
            ? (0, at.ToUnixTimeMilliseconds())
            : throw new CliException($"--since is neither the number of an event nor a time nor an age: '{text}' (write 412, 2026-09-24T12:00:00Z, or 15m)", 2);
    }

    /// <summary>90s, 15m, 2h or 3d; <c>null</c> for anything else.</summary>
    private static TimeSpan? Age(string text) =>
        !int.TryParse(text.AsSpan(0, Math.Max(0, text.Length - 1)), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? null : text[^1] switch
        {
            's' => TimeSpan.FromSeconds(number),
            'm' => TimeSpan.FromMinutes(number),
            'h' => TimeSpan.FromHours(number),
            'd' when number < 100_000 => TimeSpan.FromDays(number),
            _ => null,
        };
}
