using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Reflection;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Completion;
using Patroni.Raft.Cli.Parsing;
using Patroni.Raft.Cli.Verbs;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli;

/// <summary>The command line: which verbs and options exist. What they do is in <c>Verbs</c>.</summary>
public static class CommandLine
{
    /// <summary>Parses and runs; returns the exit code: 0 done, 1 failed, 2 wrong arguments.</summary>
    public static async Task<int> RunAsync(string[] args, Terminal terminal, string program)
    {
        var parsed = Build(terminal, program).Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not ClickHelp)
        {
            return WrongArguments(parsed, terminal, program);
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
            terminal.Error.WriteLine(e is CliAbortedException ? e.Message : "Error: " + e.Message);
            return e.ExitCode;
        }
    }

    /// <summary>The version of the program.</summary>
    public static string Version { get; } =
        (typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0").Split('+')[0];

    internal static RootCommand Build(Terminal terminal, string program)
    {
        var client = new ClientOptionSet();
        var root = new RootCommand(program == ProgramName.Product
            ? "High availability for PostgreSQL: the agent of a node, and the commands for a cluster."
            : "Command-line interface for interacting with Patroni.");
        root.Options.Clear(); // The library's own --version and --help.
        root.Options.Add(new HelpOption("--help", "-h") { Action = new ClickHelp(program) });
        client.AddTo(root);
        if (program == ProgramName.Product)
        {
            NodeVerbs.AddTo(root, terminal);
        }
        else
        {
            root.SetAction((Func<ParseResult, int>)(_ => throw new CliException($"a command is missing; '{program} --help' shows them", 2)));
        }

        ListVerbs.AddTo(root, client, terminal);
        SwitchoverVerbs.AddTo(root, client, terminal);
        RaftVerbs.AddTo(root, client, terminal);
        ConfigVerbs.AddTo(root, client, terminal);
        EditConfigVerb.AddTo(root, client, terminal);
        ReloadVerb.AddTo(root, client, terminal);
        RestartVerb.AddTo(root, client, terminal);
        ReinitVerb.AddTo(root, client, terminal);
        FlushVerb.AddTo(root, client, terminal);
        InformationVerbs.AddTo(root, client, terminal);
        QueryVerb.AddTo(root, client, terminal);
        PauseVerbs.AddTo(root, client, terminal);
        ExplainVerb.AddTo(root, client, terminal);
        EventsVerb.AddTo(root, client, terminal);
        RemoveVerb.AddTo(root, client, terminal);
        ClusterRoleVerbs.AddTo(root, client, terminal);
        CompletionVerb.AddTo(root, client, terminal);
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
                    result.AddError(NoSuchOption(command, token.Value));
                }
            });
        }

        foreach (var below in command.Subcommands)
        {
            RefuseUnknownOptions(below);
        }
    }

    private static int WrongArguments(ParseResult parsed, Terminal terminal, string program)
    {
        terminal.Error.WriteLine("Error: " + Sentence(parsed));
        terminal.Error.WriteLine($"Try '{new ClickHelp(program).Path(parsed.CommandResult.Command)} --help' for help.");
        return 2;
    }

    private static string Sentence(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        if (parsed.UnmatchedTokens.FirstOrDefault() is { } unmatched)
        {
            return unmatched.StartsWith('-') ? NoSuchOption(command, unmatched)
                : command.Subcommands.Count > 0 ? $"No such command '{unmatched}'{DidYouMean(unmatched, command.Subcommands.Select(c => c.Name))}"
                : $"Got unexpected extra argument ({unmatched})";
        }

        if (parsed.Errors.Select(e => e.SymbolResult).OfType<OptionResult>().FirstOrDefault(o => o.Option.Arity.MinimumNumberOfValues > o.Tokens.Count) is { } option)
        {
            return $"Option '{option.IdentifierToken?.Value ?? option.Option.Name}' requires an argument.";
        }

        return command.Arguments.FirstOrDefault(a => a.Arity.MinimumNumberOfValues > (parsed.GetResult(a)?.Tokens.Count ?? 0)) is { } missing
            ? $"Missing argument '{missing.Name}'."
            : string.Join(' ', parsed.Errors[0].Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    private static string NoSuchOption(Command command, string word) => $"No such option: {word}{DidYouMean(word, command.Options.SelectMany(o => o.Aliases.Append(o.Name)))}";

    private static string DidYouMean(string word, IEnumerable<string> known) => SettingHints.Nearest(word, known) is { } near ? $"; did you mean {near}?" : "";
}

/// <summary>The options that say where the cluster is; they may stand before or behind the verb.</summary>
internal sealed class ClientOptionSet
{
    private readonly Option<string?> _file = new("--config-file", "-c") { Description = "Configuration file", Recursive = true };

    private readonly Option<string?> _addresses = new("--dcs-url", "--dcs", "-d") { Description = "The REST API addresses of nodes, http://host:8008[,...]", Recursive = true };

    private readonly Option<bool> _insecure = new("--insecure", "-k") { Description = "Allow connections to SSL sites without certs", Recursive = true };

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
        Open(new ClientOptions(parsed.GetValue(_file), parsed.GetValue(_addresses), parsed.GetValue(_insecure)), parsed.InvocationConfiguration.Error);

    private static ClusterClient Open(ClientOptions options, TextWriter error) =>
        new(ClusterDiscovery.OfProcess().Find(options), options.Insecure, warning => error.WriteLine("Warning: " + warning));
}
