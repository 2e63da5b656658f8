using System.CommandLine;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Cli.Node;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>run</c>, <c>witness</c>, <c>--validate-config</c>, <c>--generate-config</c>, <c>--generate-sample-config</c> and <c>--version</c>.</summary>
internal static class NodeVerbs
{
    public static void AddTo(RootCommand root, Terminal terminal)
    {
        root.Subcommands.Add(Node("run", "Run the agent of a node beside its PostgreSQL", witness: false, terminal));
        root.Subcommands.Add(Node("witness", "Run a voter of the group without PostgreSQL", witness: true, terminal));

        var version = new Option<bool>("--version") { Description = "Show the version" };
        var validate = new Option<string?>("--validate-config")
        {
            Description = "Check a configuration file (else the environment) and name everything that is wrong",
            HelpName = "FILE",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var (name, set) = (NameOption(), SetOption());
        root.Options.Add(version);
        root.Options.Add(validate);
        root.Options.Add(name);
        root.Options.Add(set);
        var generate = new GenerateOptions();
        generate.AddTo(root);
        root.SetAction(async (parsed, stop) =>
        {
            if (parsed.GetValue(version))
            {
                terminal.Output.WriteLine("patroni-raft " + CommandLine.Version);
                return 0;
            }

            if (parsed.GetResult(validate) is not null)
            {
                return Validate(Request(parsed.GetValue(validate), parsed.GetValue(name), parsed.GetValue(set), witness: false), terminal);
            }

            if (await generate.RunAsync(parsed, terminal, stop).ConfigureAwait(false) is { } done)
            {
                return done;
            }

            throw new CliException("a command is missing; 'patroni-raft --help' shows them", 2);
        });
    }

    private static Command Node(string verb, string description, bool witness, Terminal terminal)
    {
        var file = new Argument<string?>("CONFIG") { Description = "Configuration file or directory; without one the PATRONI_* variables count", Arity = ArgumentArity.ZeroOrOne };
        var (name, set) = (NameOption(), SetOption());
        var validate = new Option<bool>("--validate-config") { Description = "Only check the configuration" };
        var command = new Command(verb, description) { file, name, set, validate };
        command.SetAction((parsed, _) =>
        {
            var request = Request(parsed.GetValue(file), parsed.GetValue(name), parsed.GetValue(set), witness);
            return parsed.GetValue(validate) ? Task.FromResult(Validate(request, terminal)) : RunAsync(request, terminal);
        });
        return command;
    }

    private static Option<string?> NameOption() => new("--name") { Description = "Name of this node; chooses it in a file for the whole cluster", HelpName = "NAME" };

    private static Option<string[]> SetOption() =>
        new("--set") { Description = "Set one value over file and environment, PATH=VALUE; may be repeated", HelpName = "PATH=VALUE", DefaultValueFactory = _ => [] };

    private static ConfigurationRequest Request(string? path, string? name, string[]? set, bool witness) => new()
    {
        Path = path,
        Name = name,
        Overrides = set ?? [],
        Witness = witness,
        Environment = ConfigurationRequest.ProcessEnvironment(),
    };

    private static int Validate(ConfigurationRequest request, Terminal terminal)
    {
        if (Load(request, terminal) is not { } configuration)
        {
            return 1;
        }

        terminal.Output.WriteLine($"The configuration of {configuration.Name} is valid.");
        return 0;
    }

    private static async Task<int> RunAsync(ConfigurationRequest request, Terminal terminal)
    {
        if (Load(request, terminal, HostChecks.CheckPorts) is not { } configuration)
        {
            return 1;
        }

        using var signals = new NodeSignals();
        return await NodeHost.RunAsync(new ConfigurationStore(request, configuration), signals).ConfigureAwait(false);
    }

    private static NodeConfiguration? Load(
        ConfigurationRequest request, Terminal terminal, Func<NodeConfiguration, IReadOnlyList<ConfigurationProblem>>? further = null)
    {
        var result = ConfigurationLoader.Load(request);
        var problems = result.Configuration is { } read ? [.. HostChecks.Check(read), .. further?.Invoke(read) ?? []] : result.Problems;
        foreach (var notice in result.Notices)
        {
            terminal.Error.WriteLine("Note: " + notice);
        }

        foreach (var problem in problems)
        {
            terminal.Error.WriteLine("Error: " + problem);
        }

        if (problems.Count > 0)
        {
            terminal.Error.WriteLine($"{problems.Count} {(problems.Count == 1 ? "problem" : "problems")} in the configuration; nothing was started or changed.");
            return null;
        }

        return result.Configuration;
    }
}
