using System.CommandLine;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>show-config</c>.</summary>
internal static class ConfigVerbs
{
    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        root.Subcommands.Add(Show(client, terminal));
    }

    private static Command Show(ClientOptionSet client, Terminal terminal)
    {
        var name = ClusterVerb.ClusterName();
        var effective = new Option<bool>("--effective") { Description = "Show every value that holds on the node whose file -c names, and who decided it" };
        var node = new Option<string?>("--name") { Description = "The node, in a file for the whole cluster" };
        var command = new Command("show-config", "Show cluster configuration") { name, ClusterVerb.Group(), effective, node };
        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            var document = await cluster.ConfigAsync(stop).ConfigureAwait(false);
            if (!parsed.GetValue(effective))
            {
                terminal.Output.Write(YamlText.Block(document) + "\n");
                return 0;
            }

            var local = ConfigurationLoader.Load(new ConfigurationRequest { Path = client.File(parsed), Name = parsed.GetValue(node), Environment = ConfigurationRequest.ProcessEnvironment() });
            if (local.Configuration is not { } configuration)
            {
                throw new CliException(string.Join('\n', local.Problems));
            }

            var rows = EffectiveSettings.List(configuration, DynamicConfiguration.ReadAccepted(SettingJson.Write(document)))
                .Select(s => (IReadOnlyList<string>)[s.Path, s.Value, s.Origin.ToString().ToLowerInvariant()]).ToList();
            terminal.Output.WriteLine(PrettyTable.Draw($" {configuration.Name} ", [("Setting", Align.Left), ("Value", Align.Left), ("Source", Align.Left)], rows));
            return 0;
        });
        return command;
    }
}
