using System.CommandLine;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.Consensus;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>raft members|add|remove|transfer|status|password|force-new-cluster</c>: the consensus group beside PostgreSQL.</summary>
internal static class RaftVerbs
{
    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var raft = new Command("raft", "The nodes' consensus group");
        root.Subcommands.Add(raft);
        raft.Subcommands.Add(Members(client, terminal));
        raft.Subcommands.Add(Add(client, terminal));
        raft.Subcommands.Add(Remove(client, terminal));
        raft.Subcommands.Add(Transfer(client, terminal));
        raft.Subcommands.Add(Status(client, terminal));
        raft.Subcommands.Add(Expire(client, terminal));

        var password = new Command("password", "Print a new password for raft.password");
        password.SetAction(_ => terminal.Output.WriteLine(RaftPassword.Generate()));
        raft.Subcommands.Add(password);
        raft.Subcommands.Add(ForceNew(terminal));
    }

    private static Command Members(ClientOptionSet client, Terminal terminal)
    {
        var format = ListVerbs.FormatOption();
        var command = new Command("members", "List the voters") { format };
        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            var answer = await cluster.Api.GetAsync("/raft/members", stop).ConfigureAwait(false);
            if (answer.Json is not SettingMap document || !answer.IsSuccess)
            {
                throw new CliException($"the node answered GET /raft/members with {answer.Status}: {answer.Body.Trim()}");
            }

            terminal.Output.Write(RaftTable.Render(document, parsed.GetValue(format)!));
            return 0;
        });
        return command;
    }

    private static Command Add(ClientOptionSet client, Terminal terminal)
    {
        var address = new Argument<string>("ADDRESS") { Description = "host:port of the new voter's raft.self_addr; it must be running with raft.join" };
        var name = new Option<string?>("--name") { Description = "Its name", HelpName = "NAME" };
        var force = ClusterVerb.Force();
        var command = new Command("add", "Add a voter") { address, name, force };
        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            var who = parsed.GetValue(address)!;
            if (!parsed.GetValue(force))
            {
                var survey = await GroupSurvey.TakeAsync(cluster.Api, stop).ConfigureAwait(false);
                Confirm(terminal, VoterArithmetic.Adding(who, survey.Voters.Length), $"Are you sure you want to add {who} to the consensus group?", "Aborting addition");
            }

            var body = SettingMap.Empty.With("address", Text(who));
            body = parsed.GetValue(name) is { } given ? body.With("name", Text(given)) : body;
            return Report(await cluster.Api.ChangeAsync(await LeaderAsync(cluster, stop).ConfigureAwait(false), HttpMethod.Post, "/raft/members", body, stop).ConfigureAwait(false), $"{who} is a member now", terminal);
        });
        return command;
    }

    private static Command Remove(ClientOptionSet client, Terminal terminal)
    {
        var member = new Argument<string>("MEMBER") { Description = "Name or Raft address of the voter" };
        var force = ClusterVerb.Force();
        var command = new Command("remove", "Remove a voter; stop its agent before or right after") { member, force };
        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            var who = parsed.GetValue(member)!;
            if (!parsed.GetValue(force))
            {
                var survey = await GroupSurvey.TakeAsync(cluster.Api, stop).ConfigureAwait(false);
                var others = survey.Voters.Where(v => v.Name != who && v.Address != who).ToList();
                if (others.Count == survey.Voters.Length)
                {
                    throw new CliException($"{who} is no member of the consensus group: its members are {string.Join(", ", others.Select(v => v.Name))}");
                }

                Confirm(terminal, VoterArithmetic.Removing(who, [.. others.Select(v => v.Name)], others.Count(v => v.Status is not null)),
                    $"Are you sure you want to remove {who} from the consensus group?", "Aborting removal");
            }

            return Report(await cluster.Api.ChangeAsync(await LeaderAsync(cluster, stop).ConfigureAwait(false), HttpMethod.Delete, "/raft/members/" + Uri.EscapeDataString(who), null, stop).ConfigureAwait(false), $"{who} is no member any more", terminal);
        });
        return command;
    }

    private static Command Transfer(ClientOptionSet client, Terminal terminal)
    {
        var to = new Argument<string>("MEMBER") { Description = "Name or Raft address of the voter that shall lead the group" };
        var force = ClusterVerb.Force();
        var command = new Command("transfer", "Move the leadership of the consensus group (not of PostgreSQL)") { to, force };
        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            var who = parsed.GetValue(to)!;
            if (!parsed.GetValue(force))
            {
                Confirm(terminal, "PostgreSQL and its primary stay where they are; for the moment of the change nothing can be decided.",
                    $"Are you sure you want to make {who} the leader of the consensus group?", "Aborting transfer");
            }

            var body = SettingMap.Empty.With("to", Text(who));
            return Report(await cluster.Api.ChangeAsync(await LeaderAsync(cluster, stop).ConfigureAwait(false), HttpMethod.Post, "/raft/transfer", body, stop).ConfigureAwait(false), $"{who} leads the group now", terminal);
        });
        return command;
    }

    private static Command Status(ClientOptionSet client, Terminal terminal)
    {
        var format = ListVerbs.FormatOption();
        var command = new Command("status", "Show roles, terms, indexes and last contacts of all voters, and whether there is a quorum") { format };
        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            var survey = await GroupSurvey.TakeAsync(cluster.Api, stop).ConfigureAwait(false);
            // The leader hears of everybody; a follower only of the leader.
            var asked = survey.Voters.FirstOrDefault(v => v.Role == "leader")?.Api ?? survey.Best;
            var answer = asked is null ? null : await cluster.Api.TryGetAsync(asked, "/raft/members", stop).ConfigureAwait(false);
            terminal.Output.Write(RaftStatusTable.Render(survey, answer?.Json as SettingMap ?? SettingMap.Empty, parsed.GetValue(format)!));
            return 0;
        });
        return command;
    }

    private static Command Expire(ClientOptionSet client, Terminal terminal)
    {
        var leader = new Argument<string>("LEADER") { Description = "Name of the leader that does not report since the pause; its PostgreSQL must be stopped" };
        var force = ClusterVerb.Force();
        var command = new Command("expire", "Take the lease without end from a paused leader that cannot be reached") { leader, force };
        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            var who = parsed.GetValue(leader)!;
            if (!parsed.GetValue(force))
            {
                Confirm(terminal, $"{who} was told in pause that it needs no renewals. If its PostgreSQL still runs, there will be two primaries, and what one of them takes is lost.",
                    $"Is PostgreSQL on {who} surely stopped, and shall another node lead?", "Aborting");
            }

            return Report(await cluster.Api.ChangeAsync(null, HttpMethod.Post, "/raft/expire", SettingMap.Empty.With("leader", Text(who)), stop).ConfigureAwait(false), $"the lease of {who} was taken from it", terminal);
        });
        return command;
    }

    private static void Confirm(Terminal terminal, string consequence, string question, string aborting)
    {
        terminal.Output.WriteLine(consequence);
        if (!terminal.Confirm(question))
        {
            throw new CliException(aborting);
        }
    }

    private static Command ForceNew(Terminal terminal)
    {
        var file = new Argument<string>("CONFIG") { Description = "Configuration file of this node, whose agent is stopped" };
        var name = new Option<string?>("--name") { Description = "The node, in a file for the whole cluster", HelpName = "NAME" };
        var force = ClusterVerb.Force();
        var command = new Command("force-new-cluster", "Recover from a lost quorum: make this stopped node the only voter") { file, name, force };
        command.SetAction(async (parsed, _) =>
        {
            var read = ConfigurationLoader.Load(new ConfigurationRequest
            {
                Path = parsed.GetValue(file), Name = parsed.GetValue(name), Environment = ConfigurationRequest.ProcessEnvironment(), Witness = true,
            });
            var raft = read.Configuration?.Raft ?? throw new CliException(string.Join('\n', read.Problems));
            if (!parsed.GetValue(force) && !terminal.Confirm(
                $"{raft.SelfAddress} becomes the only voter of a new generation of the group: {VoterArithmetic.Describe(1)}.\n"
                + "What only the other voters had is lost; each of them must be stopped now and its Raft directory emptied before it joins again.\n"
                + $"Are you sure you want to make {raft.SelfAddress} the only voter?"))
            {
                throw new CliException("Aborting force-new-cluster");
            }

            try
            {
                var generation = await ForceNewCluster.RunAsync(raft.DataDirectory, RaftAddress.Parse(raft.SelfAddress.ToString())).ConfigureAwait(false);
                terminal.Output.WriteLine($"Success: {raft.SelfAddress} is the only voter of generation {generation}; start its agent now");
                return 0;
            }
            catch (RaftStartException e)
            {
                throw new CliException(e.Message);
            }
        });
        return command;
    }

    /// <summary>Only the group's leader changes its members; null when no node knows who that is.</summary>
    private static async Task<Uri?> LeaderAsync(ClusterClient cluster, CancellationToken stop)
    {
        var answer = await cluster.Api.GetAsync("/raft/members", stop).ConfigureAwait(false);
        var leader = ((answer.Json as SettingMap)?["members"] as SettingList)?.Items.OfType<SettingMap>().FirstOrDefault(m => SettingReader.Text(m["role"]) == "leader");
        return leader is not null && Uri.TryCreate(SettingReader.Text(leader["api_url"]), UriKind.Absolute, out var api) ? api : null;
    }

    private static int Report(ApiAnswer answer, string done, Terminal terminal)
    {
        if (!answer.IsSuccess)
        {
            throw new CliException($"{answer.Body.Trim()} (status {answer.Status})");
        }

        var text = answer.Json is null && answer.Body.Trim().Length > 0 ? answer.Body.Trim() : done;
        terminal.Output.WriteLine("Success: " + text);
        return 0;
    }

    private static SettingScalar Text(string text) => new(text, SettingScalarKind.Text);
}
