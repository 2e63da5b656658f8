using System.CommandLine;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>reinit</c>.</summary>
internal static class ReinitVerb
{
    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var (name, members, force) = (ClusterVerb.RequiredClusterName(), ClusterVerb.MemberNames(), ClusterVerb.Force());
        var fromLeader = new Option<bool>("--from-leader") { Description = "Get basebackup from leader" };
        var wait = new Option<bool>("--wait") { Description = "Wait until reinitialization completes" };
        var command = new Command("reinit", "Reinitialize cluster member") { name, members, ClusterVerb.Group(), force, fromLeader, wait };
        root.Subcommands.Add(command);
        command.SetAction(async (parsed, stop) =>
        {
            var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            var forced = parsed.GetValue(force);
            var chosen = MemberSelection.Choose(view, parsed.GetValue(members) ?? [], "replica", forced, "reinitialize", terminal);
            MemberSelection.Confirm(chosen, forced, "reinitialize", terminal);
            var started = new List<(string, Uri, string?)>();
            await MemberSelection.ForEachAsync(chosen, async member =>
            {
                var api = MemberSelection.Api(view, member);
                var before = parsed.GetValue(wait) ? await ReinitWait.IncarnationAsync(cluster.Api, api, member, stop).ConfigureAwait(false) : null;
                if (await StartAsync(cluster, view, member, forced, parsed.GetValue(fromLeader), terminal, stop).ConfigureAwait(false))
                {
                    started.Add((member, api, before));
                }
            }, "reinitialize", terminal).ConfigureAwait(false);
            if (parsed.GetValue(wait) && started.Count > 0)
            {
                await ReinitWait.UntilDoneAsync(cluster.Api, started, terminal, stop).ConfigureAwait(false);
            }

            return 0;
        });
    }

    private static async Task<bool> StartAsync(ClusterClient cluster, ClusterView view, string member, bool force, bool fromLeader, Terminal terminal, CancellationToken stop)
    {
        static SettingScalar Flag(bool value) => new(value ? "true" : "false", SettingScalarKind.Boolean);
        while (true)
        {
            var body = SettingMap.Empty.With("force", Flag(force)).With("from_leader", Flag(fromLeader));
            var answer = await cluster.Api.ChangeOnlyAsync(MemberSelection.Api(view, member), HttpMethod.Post, "/reinitialize", body, stop).ConfigureAwait(false);
            var started = MemberSelection.Report(answer, member, "reinitialize", terminal);
            if (started || force || !answer.Body.EndsWith(" already in progress", StringComparison.Ordinal)
                || !terminal.Confirm("Do you want to cancel it and reinitialize anyway?"))
            {
                return started;
            }

            force = true;
        }
    }
}
