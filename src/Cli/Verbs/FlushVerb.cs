using System.CommandLine;
using Patroni.Raft.Cli.Client;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>flush</c>.</summary>
internal static class FlushVerb
{
    private static readonly string[] Targets = ["restart", "switchover"];

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var name = ClusterVerb.RequiredClusterName();
        // One argument for both: the last word is the target, and all before it are members.
        var rest = new Argument<string[]>("{restart|switchover}") { HelpName = "[MEMBER_NAMES]... {restart|switchover}", Description = "Names of members, then what is discarded", Arity = ArgumentArity.OneOrMore };
        rest.CompletionSources.Add(Targets);
        rest.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !Targets.Contains(result.Tokens[^1].Value))
            {
                result.AddError($"Invalid value for '{{restart|switchover}}': '{result.Tokens[^1].Value}' is not one of 'restart', 'switchover'.");
            }
        });
        var (role, force) = (MemberSelection.RoleOption("Flush only members with this role"), ClusterVerb.Force());
        var command = new Command("flush", "Discard scheduled events") { name, rest, ClusterVerb.Group(), role, force };
        root.Subcommands.Add(command);
        command.SetAction(async (parsed, stop) =>
        {
            var words = parsed.GetValue(rest)!;
            var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            if (words[^1] == "switchover")
            {
                await FlushSwitchoverAsync(cluster, view, terminal, stop).ConfigureAwait(false);
                return 0;
            }

            var chosen = MemberSelection.Choose(view, words[..^1], parsed.GetValue(role) ?? "any", parsed.GetValue(force), "flush", terminal);
            MemberSelection.Confirm(chosen, parsed.GetValue(force), "flush", terminal);
            await MemberSelection.ForEachAsync(chosen, member => FlushRestartAsync(cluster, view, member, terminal, stop), "flush scheduled restart", terminal).ConfigureAwait(false);
            return 0;
        });
    }

    private static async Task FlushRestartAsync(ClusterClient cluster, ClusterView view, string member, Terminal terminal, CancellationToken stop)
    {
        if (MemberSelection.Find(view, member)["scheduled_restart"] is null)
        {
            terminal.Output.WriteLine($"No scheduled restart for member {member}");
            return;
        }

        var answer = await cluster.Api.ChangeOnlyAsync(MemberSelection.Api(view, member), HttpMethod.Delete, "/restart", null, stop).ConfigureAwait(false);
        MemberSelection.Report(answer, member, "flush scheduled restart", terminal);
    }

    private static async Task FlushSwitchoverAsync(ClusterClient cluster, ClusterView view, Terminal terminal, CancellationToken stop)
    {
        if (view.Document["scheduled_switchover"] is null)
        {
            terminal.Output.WriteLine("No pending scheduled switchover");
            return;
        }

        // Any node can do it; who refuses for a reason of its own (no quorum on its side) does not speak for the others.
        foreach (var member in view.Members.OrderBy(m => m == view.Leader ? 0 : 1).Where(m => ClusterView.Api(m) is not null))
        {
            ApiAnswer answer;
            try
            {
                answer = await cluster.Api.ChangeOnlyAsync(ClusterView.Api(member)!, HttpMethod.Delete, "/switchover", null, stop).ConfigureAwait(false);
            }
            catch (CliException e)
            {
                terminal.Error.WriteLine($"Member {ClusterView.Name(member)} is not accessible: {e.Message}");
                continue;
            }

            if (answer.Status is 200 or 404)
            {
                terminal.Output.WriteLine($"{(answer.Status == 200 ? "Success" : "Failed")}: {answer.Body}");
                return;
            }

            terminal.Output.WriteLine($"Failed: member={ClusterView.Name(member)}, status_code={answer.Status}, ({answer.Body})");
        }

        throw new CliException($"Could not find any accessible member of cluster {view.Scope}");
    }
}
