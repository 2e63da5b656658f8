using System.CommandLine;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>remove</c>: the nodes forget the cluster, after three confirmations. No data directory is touched.</summary>
internal static class RemoveVerb
{
    private const string Awareness = "Yes I am aware";

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var (name, format) = (ClusterVerb.RequiredClusterName(), ListVerbs.FormatOption());
        var command = new Command("remove", "Remove cluster from DCS") { name, ClusterVerb.Group(), format };
        root.Subcommands.Add(command);
        command.SetAction(async (parsed, stop) =>
        {
            var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            terminal.Output.Write(MemberTable.Render(view, ListVerbs.FormatOf(parsed.GetValue(format)), false, terminal.HasColors));
            Confirm(view, terminal);
            var body = SettingMap.Empty.With("scope", new SettingScalar(view.Scope, SettingScalarKind.Text));
            var answer = await cluster.Api.ChangeAsync(null, HttpMethod.Delete, "/cluster", body, stop).ConfigureAwait(false);
            if (!answer.IsSuccess)
            {
                throw new CliException($"Failed to remove cluster {view.Scope}: status code={answer.Status}, ({answer.Body.Trim()})");
            }

            return 0; // As patronictl: it says nothing more.
        });
    }

    private static void Confirm(ClusterView view, Terminal terminal)
    {
        if (terminal.Prompt("Please confirm the cluster name to remove", null) != view.Scope)
        {
            throw new CliException("Cluster names specified do not match");
        }

        if (terminal.Prompt($"You are about to remove all information in DCS for {view.Scope}, please type: \"{Awareness}\"", null) != Awareness)
        {
            throw new CliException($"You did not exactly type \"{Awareness}\"");
        }

        if (view.Leader is { } leader && terminal.Prompt("This cluster currently is healthy. Please specify the leader name to continue", null) != ClusterView.Name(leader))
        {
            throw new CliException("You did not specify the current leader of the cluster");
        }
    }
}
