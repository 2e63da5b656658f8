using System.CommandLine;
using System.CommandLine.Completions;
using Patroni.Raft.Cli.Client;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Completion;

/// <summary><c>completion bash|zsh|fish</c> prints a script, which asks the hidden <c>completion query</c> for what may follow.</summary>
internal static class CompletionVerb
{
    // Whoever presses the tab key waits for it.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private static readonly string[] MemberOptions = ["--candidate", "--leader", "--member"];
    private static readonly string[] MemberArguments = ["MEMBER_NAMES", "MEMBER"];

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var command = new Command("completion", "Print a script that completes verbs, options and names of members in a shell");
        foreach (var (shell, script) in new[] { ("bash", CompletionScripts.Bash), ("zsh", CompletionScripts.Zsh), ("fish", CompletionScripts.Fish) })
        {
            var print = new Command(shell, $"The script for {shell}; its first line says where to put it");
            print.SetAction(_ => terminal.Output.Write(script));
            command.Subcommands.Add(print);
        }

        var line = new Argument<string>("LINE") { Description = "The command line up to the cursor, with the program's name" };
        var query = new Command("query", "What may follow; for the scripts") { line };
        query.Hidden = true;
        query.SetAction(parsed =>
        {
            foreach (var item in Candidates(root, parsed.GetValue(line)!))
            {
                terminal.Output.WriteLine($"{item.Label}\t{item.Detail?.ReplaceLineEndings(" ")}");
            }
        });
        command.Subcommands.Add(query);
        root.Subcommands.Add(command);
        CompleteMembers(root, client);
    }

    private static IEnumerable<CompletionItem> Candidates(RootCommand root, string line)
    {
        // The program's name, which may be a path, is not part of what is parsed.
        var start = line.IndexOf(' ');
        if (start < 0)
        {
            return [];
        }

        var text = line[(start + 1)..].TrimStart();
        var word = text[(text.LastIndexOf(' ') + 1)..];
        return root.Parse(text).GetCompletions(text.Length)
            .Where(item => item.Label.StartsWith(word, StringComparison.Ordinal) && item.Label is not ("/?" or "/h" or "-?" or "-h"))
            .DistinctBy(item => item.Label).OrderBy(item => item.Label.StartsWith('-')).ThenBy(item => item.Label, StringComparer.Ordinal);
    }

    /// <summary>Names of members wherever an option or argument takes one.</summary>
    private static void CompleteMembers(Command command, ClientOptionSet client)
    {
        foreach (var option in command.Options.Where(o => MemberOptions.Contains(o.Name)))
        {
            option.CompletionSources.Add(context => Members(context, client));
        }

        foreach (var argument in command.Arguments.Where(a => MemberArguments.Contains(a.Name)))
        {
            argument.CompletionSources.Add(context => Members(context, client));
        }

        foreach (var below in command.Subcommands)
        {
            CompleteMembers(below, client);
        }
    }

    private static IEnumerable<CompletionItem> Members(CompletionContext context, ClientOptionSet client)
    {
        try
        {
            using var limit = new CancellationTokenSource(Patience);
            using var cluster = client.Open(context.ParseResult);
            var view = cluster.ReadAsync(limit.Token).GetAwaiter().GetResult();
            return [.. view.Members.Select(m => new CompletionItem(ClusterView.Name(m), detail: ClusterView.Role(m)))];
        }
        catch (Exception e) when (e is CliException or OperationCanceledException)
        {
            return []; // No cluster to ask: nothing to offer, and nothing to say in the middle of somebody's typing.
        }
    }
}
