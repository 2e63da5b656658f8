using System.CommandLine;
using System.CommandLine.Parsing;
using System.Reflection;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Verbs;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli;

/// <summary>The command line: which verbs and options exist. What they do is in <c>Verbs</c>.</summary>
public static class CommandLine
{
    /// <summary>Parses and runs; returns the exit code: 0 done, 1 failed, 2 wrong arguments.</summary>
    public static async Task<int> RunAsync(string[] args, Terminal terminal)
    {
        var parsed = Build(terminal).Parse(args);
        if (parsed.Errors.Count > 0)
        {
            return WrongArguments(parsed, terminal);
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                Output = terminal.Output,
                Error = terminal.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null, // 'run' handles signals itself; the other verbs just end.
            }).ConfigureAwait(false);
        }
        catch (CliException e)
        {
            terminal.Error.WriteLine(e.Message == "Aborted!" ? e.Message : "Error: " + e.Message);
            return e.ExitCode;
        }
    }

    /// <summary>The version of the program.</summary>
    public static string Version { get; } =
        (typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0").Split('+')[0];

    internal static RootCommand Build(Terminal terminal)
    {
        var client = new ClientOptionSet();
        var root = new RootCommand("High availability for PostgreSQL: the agent of a node, and the commands for a cluster.");
        foreach (var standard in root.Options.OfType<VersionOption>().ToList())
        {
            root.Options.Remove(standard);
        }

        client.AddTo(root);
        NodeVerbs.AddTo(root, terminal);
        ListVerbs.AddTo(root, client, terminal);
        SwitchoverVerbs.AddTo(root, client, terminal);
        RaftVerbs.AddTo(root, client, terminal);
        ConfigVerbs.AddTo(root, client, terminal);
        MemberVerbs.AddTo(root, client, terminal);
        InformationVerbs.AddTo(root, client, terminal);
        PauseVerbs.AddTo(root, client, terminal);
        ExplainVerb.AddTo(root, client, terminal);
        EventsVerb.AddTo(root, client, terminal);
        RefuseUnknownOptions(root);
        return root;
    }

    // A misspelt option must not be taken for the name of a cluster or file.
    private static void RefuseUnknownOptions(Command command)
    {
        foreach (var argument in command.Arguments)
        {
            argument.Validators.Add(result =>
            {
                if (result.Tokens.FirstOrDefault(t => t.Value.Length > 1 && t.Value.StartsWith('-')) is { } token)
                {
                    result.AddError($"No such option: {token.Value}");
                }
            });
        }

        foreach (var below in command.Subcommands)
        {
            RefuseUnknownOptions(below);
        }
    }

    private static int WrongArguments(ParseResult parsed, Terminal terminal)
    {
        var names = new List<string>();
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult command; at = at.Parent)
        {
            names.Insert(0, command.Command is RootCommand ? "patroni-raft" : command.Command.Name);
        }

        terminal.Error.WriteLine("Error: " + Sentence(parsed));
        terminal.Error.WriteLine($"Try '{string.Join(' ', names)} --help' for help.");
        return 2;
    }

    private static string Sentence(ParseResult parsed)
    {
        var unmatched = parsed.UnmatchedTokens.FirstOrDefault();
        if (unmatched is null)
        {
            return string.Join(' ', parsed.Errors[0].Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }

        var command = parsed.CommandResult.Command;
        var isOption = unmatched.StartsWith('-');
        var known = isOption ? command.Options.SelectMany(o => o.Aliases.Append(o.Name)) : command.Subcommands.Select(c => c.Name);
        var near = SettingHints.Nearest(unmatched, known);
        return (isOption ? $"No such option: {unmatched}" : command.Subcommands.Count > 0 ? $"No such command '{unmatched}'" : $"Got unexpected extra argument ({unmatched})")
            + (near is null ? "" : $"; did you mean {near}?");
    }
}

/// <summary>The options that say where the cluster is; they may stand before or behind the verb.</summary>
internal sealed class ClientOptionSet
{
    private readonly Option<string?> _file = new("--config-file", "-c") { Description = "Configuration file", Recursive = true, HelpName = "FILE" };

    private readonly Option<string?> _addresses = new("--dcs-url", "--dcs", "-d") { Description = "REST API addresses of nodes, http://host:8008[,...]", Recursive = true, HelpName = "URLS" };

    private readonly Option<bool> _insecure = new("--insecure", "-k") { Description = "Do not verify certificates of nodes", Recursive = true };

    public void AddTo(Command root)
    {
        root.Options.Add(_file);
        root.Options.Add(_addresses);
        root.Options.Add(_insecure);
    }

    /// <summary>The file of <c>-c</c>.</summary>
    public string? File(ParseResult parsed) => parsed.GetValue(_file);

    /// <summary>Opens the cluster that the options point to.</summary>
    public ClusterClient Open(ParseResult parsed) =>
        ClusterClient.Open(new ClientOptions(parsed.GetValue(_file), parsed.GetValue(_addresses), parsed.GetValue(_insecure)));
}
