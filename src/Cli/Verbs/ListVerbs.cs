using System.CommandLine;
using System.Globalization;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>list</c> and <c>topology</c>.</summary>
internal static class ListVerbs
{
    /// <summary>The formats of all verbs that print tables.</summary>
    public static Option<string> FormatOption()
    {
        var option = new Option<string>("--format", "-f") { Description = "Output format: pretty, tsv, json, yaml or yml", HelpName = "FORMAT", DefaultValueFactory = _ => "pretty" };
        option.AcceptOnlyFromAmong("pretty", "tsv", "json", "yaml", "yml");
        return option;
    }

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var format = FormatOption();
        var extended = new Option<bool>("--extended", "-e") { Description = "Show some extra information" };
        var timestamp = new Option<bool>("--timestamp", "-t") { Description = "Print timestamp" };
        var list = Verb("list", "List the members of the cluster", root, client, terminal,
            p => p.GetValue(format) switch { "tsv" => MemberFormat.Tsv, "json" => MemberFormat.Json, "yaml" or "yml" => MemberFormat.Yaml, _ => MemberFormat.Pretty },
            p => p.GetValue(extended), p => p.GetValue(timestamp));
        list.Options.Add(extended);
        list.Options.Add(timestamp);
        list.Options.Add(format);
        Verb("topology", "Print the members as a tree of replication", root, client, terminal, _ => MemberFormat.Topology, _ => false, _ => false);
    }

    private static Command Verb(string name, string description, RootCommand root, ClientOptionSet client, Terminal terminal,
        Func<ParseResult, MemberFormat> format, Func<ParseResult, bool> extended, Func<ParseResult, bool> timestamp)
    {
        var clusters = new Argument<string[]>("CLUSTER_NAMES") { Description = "Name of the cluster", Arity = ArgumentArity.ZeroOrMore };
        var group = new Option<int?>("--group") { Description = "Accepted for patronictl's sake", Hidden = true };
        var often = new Option<bool>("-W") { Description = "Auto update the screen every 2 seconds" };
        var watch = new Option<double?>("--watch", "-w") { Description = "Auto update the screen every X seconds", HelpName = "SECONDS" };
        var command = new Command(name, description) { clusters, group, often, watch };
        root.Subcommands.Add(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            var every = Interval(parsed.GetValue(often), parsed.GetValue(watch));
            do
            {
                var view = await cluster.ReadAsync(stop).ConfigureAwait(false);
                foreach (var wanted in parsed.GetValue(clusters) ?? [])
                {
                    ClusterClient.CheckName(wanted, view);
                }

                if (every is not null)
                {
                    terminal.Clear();
                }

                if (timestamp(parsed))
                {
                    terminal.Output.WriteLine(DateTime.Now.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture));
                }

                terminal.Output.Write(MemberTable.Render(view, format(parsed), extended(parsed)));
                terminal.Output.Flush();
            }
            while (every is { } interval && await Wait(interval, stop).ConfigureAwait(false));

            return 0;
        });
        return command;
    }

    private static TimeSpan? Interval(bool often, double? seconds) => seconds switch
    {
        <= 0 or > 86_400 or double.NaN => throw new CliException("--watch needs a number of seconds above 0", 2),
        { } s => TimeSpan.FromSeconds(s),
        null => often ? TimeSpan.FromSeconds(2) : null,
    };

    private static async Task<bool> Wait(TimeSpan interval, CancellationToken stop)
    {
        try
        {
            await Task.Delay(interval, stop).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
