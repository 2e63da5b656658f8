using System.CommandLine;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.Cli.Parsing;
using Patroni.Raft.Cli.Sql;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>query</c>: SQL on a member of the cluster.</summary>
internal static class QueryVerb
{
    private static readonly string[] Formats = ["pretty", "tsv", "json", "yaml", "yml"];

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var name = ClusterVerb.ClusterName();
        var format = new Option<string>("--format") { Description = "Output format (pretty, tsv, json, yaml)", DefaultValueFactory = _ => "tsv" }.OneOf(Formats);
        format.HelpName = "TEXT";
        var file = new Option<string?>("--file", "-f") { Description = "Execute the SQL commands from this file", HelpName = "FILENAME" };
        var password = new Option<bool>("--password") { Description = "force password prompt" };
        var user = new Option<string?>("--username", "-U") { Description = "database user name" };
        var watch = new WatchOptions();
        var role = MemberSelection.RoleOption("The role of the query");
        var member = new Option<string?>("--member", "-m") { Description = "Query a specific member" };
        var delimiter = new Option<string>("--delimiter") { Description = "The column delimiter", DefaultValueFactory = _ => "\t" };
        var sql = new Option<string?>("--command", "-c") { Description = "The SQL commands to execute" };
        var database = new Option<string?>("--dbname", "-d") { Description = "database name to connect to" };
        var command = new Command("query", "Query a Patroni PostgreSQL member") { name, ClusterVerb.Group(), format, file, password, user };
        foreach (var option in watch.All.Concat([role, member, delimiter, sql, database]))
        {
            command.Options.Add(option);
        }

        root.Subcommands.Add(command);
        command.SetAction(async (parsed, stop) =>
        {
            var text = Text(parsed.GetValue(file), parsed.GetValue(sql), terminal);
            if (parsed.GetValue(role) is not null && parsed.GetValue(member) is not null)
            {
                throw new CliException("--role and --member are mutually exclusive options");
            }

            var secret = parsed.GetValue(password) ? terminal.PromptHidden("Password") : null;
            var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            await using var session = new SqlSession(view, parsed.GetValue(role), parsed.GetValue(member), parsed.GetValue(user), secret, parsed.GetValue(database));
            await watch.RepeatAsync(parsed, async () =>
            {
                var answer = await session.RunAsync(text, stop).ConfigureAwait(false);
                if (answer.Failure is { } failure)
                {
                    terminal.Error.WriteLine(failure);
                }

                return SqlOutput.Render(answer.Result, parsed.GetValue(format)!, parsed.GetValue(delimiter)!);
            }, terminal.Output.Write, stop).ConfigureAwait(false);
            return 0;
        });
    }

    private static string Text(string? file, string? command, Terminal terminal)
    {
        if (file is not null && command is not null)
        {
            throw new CliException("--file and --command are mutually exclusive options");
        }

        if (file is null)
        {
            return command ?? throw new CliException("You need to specify either --command or --file");
        }

        try
        {
            return file == "-" ? terminal.Input.ReadToEnd() : File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"Invalid value for '--file' / '-f': {e.Message}", 2);
        }
    }
}
