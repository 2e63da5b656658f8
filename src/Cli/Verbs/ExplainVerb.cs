using System.Collections.Immutable;
using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>explain</c>: the story of a change of leadership, and why nobody leads now.</summary>
internal static class ExplainVerb
{
    private static readonly StoryJson Json = new(new JsonSerializerOptions(StoryJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var which = new Argument<int?>("N") { Description = "Which change: 1 is the last one, 2 the one before", Arity = ArgumentArity.ZeroOrOne };
        var epoch = new Option<string?>("--epoch") { Description = "The change that began this epoch, for example 1.415", HelpName = "EPOCH" };
        var timeline = new Option<long?>("--timeline") { Description = "The change that led to this timeline", HelpName = "TL" };
        var list = new Option<bool>("--list", "-l") { Description = "List the changes that the event log still knows" };
        var format = Format();
        var command = new Command("explain", "Tell why leadership changed the last time, or why nobody leads now") { which, epoch, timeline, list, format };
        command.SetAction(async (parsed, stop) =>
        {
            if (new[] { parsed.GetValue(which) is not null, parsed.GetValue(epoch) is not null, parsed.GetValue(timeline) is not null }.Count(given => given) > 1)
            {
                throw new CliException("N, --epoch and --timeline are mutually exclusive", 2);
            }

            using var cluster = client.Open(parsed);
            var survey = await GroupSurvey.TakeAsync(cluster.Api, stop).ConfigureAwait(false);
            var events = ReplicatedState.ParseEvents(await ReadAsync(cluster, survey, "/events", stop).ConfigureAwait(false)).Events;
            var stories = LeadershipStories.Tell(events);
            if (parsed.GetValue(list))
            {
                terminal.Output.Write(parsed.GetValue(format) == "json" ? Text(new(null, stories)) : StoryText.RenderList(stories, TimeZoneInfo.Local));
                return 0;
            }

            var chosen = Choose(stories, parsed.GetValue(which), parsed.GetValue(epoch), parsed.GetValue(timeline));
            var explanation = chosen is not null ? new Explanation(null, [chosen]) : new Explanation(
                Situations.Of(ReplicatedState.Parse(await ReadAsync(cluster, survey, "/state", stop).ConfigureAwait(false)), events, survey.Health, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()),
                [.. stories.Take(1)]);
            terminal.Output.Write(parsed.GetValue(format) == "json" ? Text(explanation) : StoryText.Render(explanation, TimeZoneInfo.Local));
            return 0;
        });
        root.Subcommands.Add(command);
    }

    private static Option<string> Format()
    {
        var option = new Option<string>("--format", "-f") { Description = "Output format: pretty or json", HelpName = "FORMAT", DefaultValueFactory = _ => "pretty" };
        option.AcceptOnlyFromAmong("pretty", "json");
        return option;
    }

    private static string Text(Explanation explanation) => JsonSerializer.Serialize(explanation, Json.Explanation) + "\n";

    private static LeadershipStory? Choose(ImmutableArray<LeadershipStory> stories, int? which, string? epoch, long? timeline)
    {
        string known = stories.IsEmpty ? "none" : $"1 to {stories.Length}, see 'explain --list'";
        if (which is { } number)
        {
            return stories.FirstOrDefault(story => story.Ago == number) ?? throw new CliException($"the event log knows no change of leadership {number} (known: {known})");
        }

        if (epoch is not null)
        {
            return stories.FirstOrDefault(story => story.Epoch?.ToString() == epoch) ?? throw new CliException($"the event log knows no leadership with epoch {epoch} (see 'explain --list')");
        }

        return timeline is { } number2
            ? stories.FirstOrDefault(story => story.Timeline.IsKnown && story.Timeline.Value == number2) ?? throw new CliException($"the event log knows no promotion to timeline {number2} (see 'explain --list')")
            : null;
    }

    // From the node that has applied most: without a quorum the nodes may know differently much.
    private static async Task<string> ReadAsync(ClusterClient cluster, GroupSurvey survey, string path, CancellationToken stop)
    {
        var answer = (survey.Best is { } best ? await cluster.Api.TryGetAsync(best, path, stop).ConfigureAwait(false) : null)
            ?? await cluster.Api.GetAsync(path, stop).ConfigureAwait(false);
        return answer.IsSuccess ? answer.Body : throw new CliException($"the node answered GET {path} with {answer.Status}: {answer.Body.Trim()}");
    }
}
