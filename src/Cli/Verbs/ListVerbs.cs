using System.CommandLine;
using System.Globalization;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.Cli.Parsing;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>list</c> and <c>topology</c>.</summary>
internal static class ListVerbs
{
    /// <summary>The formats of all verbs that print tables.</summary>
    public static Option<string> FormatOption() =>
        new Option<string>("--format", "-f") { Description = "Output format", DefaultValueFactory = _ => "pretty" }.OneOf("pretty", "tsv", "json", "yaml", "yml");

    /// <summary>The format that a word of <see cref="FormatOption"/> names.</summary>
    public static MemberFormat FormatOf(string? word) => word switch
    {
        "tsv" => MemberFormat.Tsv,
        "json" => MemberFormat.Json,
        "yaml" or "yml" => MemberFormat.Yaml,
        _ => MemberFormat.Pretty,
    };

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var format = FormatOption();
        var extended = new Option<bool>("--extended", "-e") { Description = "Show some extra information" };
        var timestamp = new Option<bool>("--timestamp", "-t") { Description = "Print timestamp" };
        root.Subcommands.Add(Verb("list", "List the Patroni members for a given Patroni", client, terminal, [extended, timestamp, format],
            p => FormatOf(p.GetValue(format)), p => p.GetValue(extended), p => p.GetValue(timestamp)));
        root.Subcommands.Add(Verb("topology", "Prints ASCII topology for given cluster", client, terminal, [], _ => MemberFormat.Topology, _ => false, _ => false));
    }

    private static Command Verb(string name, string description, ClientOptionSet client, Terminal terminal, IReadOnlyList<Option> own,
        Func<ParseResult, MemberFormat> format, Func<ParseResult, bool> extended, Func<ParseResult, bool> timestamp)
    {
        var clusters = new Argument<string[]>("CLUSTER_NAMES") { Description = "Name of the cluster", Arity = ArgumentArity.ZeroOrMore };
        var watch = new WatchOptions();
        var command = new Command(name, description) { clusters, ClusterVerb.Group() };
        foreach (var option in own.Concat(watch.All))
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            await watch.RepeatAsync(parsed, ReadAsync, watch.IsWanted(parsed) ? terminal.Redraw : terminal.Output.Write, stop).ConfigureAwait(false);
            return 0;

            async Task<string> ReadAsync()
            {
                var view = await cluster.ReadAsync(stop).ConfigureAwait(false);
                foreach (var wanted in parsed.GetValue(clusters) ?? [])
                {
                    ClusterClient.CheckName(wanted, view);
                }

                return (timestamp(parsed) ? DateTime.Now.ToString("yyyy-MM-dd HH:mm:ss\n", CultureInfo.InvariantCulture) : "")
                    + MemberTable.Render(view, format(parsed), extended(parsed), terminal.HasColors);
            }
        });
        return command;
    }
}
