using System.CommandLine;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>reload</c>.</summary>
internal static class ReloadVerb
{
    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var (name, members, role, force) = (ClusterVerb.RequiredClusterName(), ClusterVerb.MemberNames(), MemberSelection.RoleOption("Reload only members with this role"), ClusterVerb.Force());
        var command = new Command("reload", "Reload cluster member configuration") { name, members, ClusterVerb.Group(), role, force };
        root.Subcommands.Add(command);
        command.SetAction(async (parsed, stop) =>
        {
            var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            var chosen = MemberSelection.Choose(view, parsed.GetValue(members) ?? [], parsed.GetValue(role) ?? "any", parsed.GetValue(force), "reload", terminal);
            MemberSelection.Confirm(chosen, parsed.GetValue(force), "reload", terminal);
            var loopWait = SettingHints.Seconds(await cluster.LoopWaitMsAsync(stop).ConfigureAwait(false));
            await MemberSelection.ForEachAsync(chosen, async member =>
            {
                var answer = await cluster.Api.ChangeOnlyAsync(MemberSelection.Api(view, member), HttpMethod.Post, "/reload", null, stop).ConfigureAwait(false);
                terminal.Output.WriteLine(answer.Status switch
                {
                    200 => $"No changes to apply on member {member}",
                    202 => $"Reload request received for member {member} and will be processed within {loopWait} seconds",
                    _ => $"Failed: reload for member {member}, status code={answer.Status}, ({answer.Body})",
                });
            }, "reload", terminal).ConfigureAwait(false);
            return 0;
        });
    }
}
