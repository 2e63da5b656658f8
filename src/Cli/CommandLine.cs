using System.CommandLine;
using System.CommandLine.Parsing;
using System.Reflection;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Verbs;

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
        return root;
    }

    private static int WrongArguments(ParseResult parsed, Terminal terminal)
    {
        var names = new List<string>();
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult command; at = at.Parent)
        {
            names.Insert(0, command.Command is RootCommand ? "patroni-raft" : command.Command.Name);
        }

        terminal.Error.WriteLine("Error: " + parsed.Errors[0].Message.ReplaceLineEndings(" "));
        terminal.Error.WriteLine($"Try '{string.Join(' ', names)} --help' for help.");
        return 2;
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

    /// <summary>Opens the cluster that the options point to.</summary>
    public ClusterClient Open(ParseResult parsed) =>
        ClusterClient.Open(new ClientOptions(parsed.GetValue(_file), parsed.GetValue(_addresses), parsed.GetValue(_insecure)));
}
