using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>restart</c>, <c>reload</c>, <c>reinit</c> and <c>flush</c>: operations on single members.</summary>
internal static partial class MemberVerbs
{
    private sealed record RestartWish(bool Any, string? Scheduled, string? Version, bool Pending, string? Timeout, bool Force);

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        root.Subcommands.Add(Reload(client, terminal));
        root.Subcommands.Add(Restart(client, terminal));
        root.Subcommands.Add(Reinit(client, terminal));
        root.Subcommands.Add(Flush(client, terminal));
    }

    private static Argument<string> Cluster() => new("CLUSTER_NAME") { Description = "Name of the cluster" };

    private static Argument<string[]> Members() => new("MEMBER_NAMES") { Description = "Names of members; all without any", Arity = ArgumentArity.ZeroOrMore };

    private static async Task<(ClusterClient Cluster, ClusterView View)> OpenAsync(ClientOptionSet client, ParseResult parsed, string? name, CancellationToken stop)
    {
        var cluster = client.Open(parsed);
        var view = await cluster.ReadAsync(stop).ConfigureAwait(false);
        ClusterClient.CheckName(name, view);
        return (cluster, view);
    }

    private static Command Reload(ClientOptionSet client, Terminal terminal)
    {
        var (name, members, role, force) = (Cluster(), Members(), MemberSelection.RoleOption("Reload only members with this role"), ClusterVerb.Force());
        var command = new Command("reload", "Reload cluster member configuration") { name, members, ClusterVerb.Group(), role, force };
        command.SetAction(async (parsed, stop) =>
        {
            var (cluster, view) = await OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            var chosen = MemberSelection.Choose(view, parsed.GetValue(members) ?? [], parsed.GetValue(role) ?? "any", parsed.GetValue(force), "reload", terminal);
            MemberSelection.Confirm(chosen, parsed.GetValue(force), "reload", terminal);
            var config = (await cluster.Api.GetAsync("/config", stop).ConfigureAwait(false)).Body;
            var loopWait = SettingHints.Seconds(DynamicConfiguration.ReadAccepted(config).LoopWaitMs);
            foreach (var member in chosen)
            {
                var answer = await cluster.Api.ChangeOnlyAsync(MemberSelection.Api(view, member), HttpMethod.Post, "/reload", null, stop).ConfigureAwait(false);
                terminal.Output.WriteLine(answer.Status switch
                {
                    200 => $"No changes to apply on member {member}",
                    202 => $"Reload request received for member {member} and will be processed within {loopWait} seconds",
                    _ => $"Failed: reload for member {member}, status code={answer.Status}, ({answer.Body})",
                });
            }

            return 0;
        });
        return command;
    }

    private static Command Restart(ClientOptionSet client, Terminal terminal)
    {
        var (name, members, role, force) = (Cluster(), Members(), MemberSelection.RoleOption("Restart only members with this role"), ClusterVerb.Force());
        var any = new Option<bool>("--any") { Description = "Restart a single member only" };
        var scheduled = new Option<string?>("--scheduled") { Description = "Timestamp of a scheduled restart in unambiguous format (e.g. ISO 8601)", HelpName = "TIME" };
        var version = new Option<string?>("--pg-version") { Description = "Restart if the PostgreSQL version is less than provided (e.g. 9.5.2)", HelpName = "VERSION" };
        var pending = new Option<bool>("--pending") { Description = "Restart if pending" };
        var timeout = new Option<string?>("--timeout") { Description = "Return error and fail over if necessary when restarting takes longer than this.", HelpName = "TIME" };
        var command = new Command("restart", "Restart cluster member") { name, members, ClusterVerb.Group(), role, any, scheduled, version, pending, timeout, force };
        command.SetAction(async (parsed, stop) =>
        {
            var (cluster, view) = await OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            var chosen = MemberSelection.Choose(view, parsed.GetValue(members) ?? [], parsed.GetValue(role) ?? "any", parsed.GetValue(force), "restart", terminal);
            var wish = new RestartWish(parsed.GetValue(any), parsed.GetValue(scheduled), parsed.GetValue(version), parsed.GetValue(pending), parsed.GetValue(timeout), parsed.GetValue(force));
            var (body, targets) = CompleteRestart(wish, view, chosen, terminal);
            foreach (var member in targets)
            {
                await RestartOneAsync(cluster, view, member, body, wish.Force, terminal, stop).ConfigureAwait(false);
            }

            return 0;
        });
        return command;
    }

    private static (SettingMap Body, IReadOnlyList<string> Targets) CompleteRestart(RestartWish wish, ClusterView view, IReadOnlyList<string> chosen, Terminal terminal)
    {
        var text = wish.Scheduled;
        if (text is null && !wish.Force)
        {
            var nextHour = DateTime.Now.AddHours(1).ToString("yyyy-MM-ddTHH:mm", CultureInfo.InvariantCulture);
            text = terminal.Prompt($"When should the restart take place (e.g. {nextHour}) ", "now");
        }

        var at = ClusterVerb.Scheduled(text);
        var body = wish.Pending ? SettingMap.Empty.With("restart_pending", new SettingScalar("true", SettingScalarKind.Boolean)) : SettingMap.Empty;
        if (wish.Pending && at is null)
        {
            chosen = [.. chosen.Where(c => view.Members.Any(m => ClusterView.Name(m) == c && SettingReader.Boolean(m["pending_restart"]) == true))];
        }

        chosen = wish.Any ? [.. chosen.OrderBy(_ => Random.Shared.Next()).Take(1)] : chosen;
        ConfirmRestart(wish, at, chosen, terminal);
        var version = wish.Version ?? (wish.Force ? "" : terminal.Prompt("Restart if the PostgreSQL version is less than provided (e.g. 9.5.2) ", ""));
        if (version.Length > 0)
        {
            if (!PostgresVersion().IsMatch(version))
            {
                throw new CliException($"Invalid PostgreSQL version: {version}");
            }

            body = body.With("postgres_version", new SettingScalar(version, SettingScalarKind.Text));
        }

        if (at is { } time)
        {
            if (view.IsPaused)
            {
                throw new CliException("Can't schedule restart in the paused state");
            }

            body = body.With("schedule", new SettingScalar(ClusterVerb.IsoFormat(time), SettingScalarKind.Text));
        }

        return (wish.Timeout is null ? body : body.With("timeout", new SettingScalar(wish.Timeout, SettingScalarKind.Text)), chosen);
    }

    private static void ConfirmRestart(RestartWish wish, DateTimeOffset? at, IReadOnlyList<string> chosen, Terminal terminal)
    {
        if (at is null)
        {
            MemberSelection.Confirm(chosen, wish.Force, "restart", terminal);
        }
        else if (!wish.Force && !terminal.Confirm(wish.Pending
            ? "The nodes needing a restart will be identified at the scheduled time, and might be different from the ones showing pending restart right now. Is this fine?"
            : $"Are you sure you want to schedule restart of members {string.Join(", ", chosen)} at {at.Value.ToString("yyyy-MM-dd HH:mm:sszzz", CultureInfo.InvariantCulture)}?"))
        {
            throw new CliException("Aborted scheduled restart");
        }
    }

    private static async Task RestartOneAsync(ClusterClient cluster, ClusterView view, string member, SettingMap body, bool force, Terminal terminal, CancellationToken stop)
    {
        var api = MemberSelection.Api(view, member);
        if (body["schedule"] is not null && force && view.Members.First(m => ClusterView.Name(m) == member)["scheduled_restart"] is not null)
        {
            MemberSelection.Report(await cluster.Api.ChangeOnlyAsync(api, HttpMethod.Delete, "/restart", null, stop).ConfigureAwait(false), member, "flush scheduled restart", terminal, silentSuccess: true);
        }

        var answer = await cluster.Api.ChangeOnlyAsync(api, HttpMethod.Post, "/restart", body, stop).ConfigureAwait(false);
        terminal.Output.WriteLine(answer.Status switch
        {
            200 => $"Success: restart on member {member}",
            202 => $"Success: restart scheduled on member {member}",
            409 => $"Failed: another restart is already scheduled on member {member}",
            _ => $"Failed: restart for member {member}, status code={answer.Status}, ({answer.Body})",
        });
    }

    private static Command Reinit(ClientOptionSet client, Terminal terminal)
    {
        var (name, members, force) = (Cluster(), Members(), ClusterVerb.Force());
        var fromLeader = new Option<bool>("--from-leader") { Description = "Get basebackup from leader" };
        var wait = new Option<bool>("--wait") { Description = "Wait until reinitialization completes" };
        var command = new Command("reinit", "Reinitialize cluster member") { name, members, ClusterVerb.Group(), force, fromLeader, wait };
        command.SetAction(async (parsed, stop) =>
        {
            var (cluster, view) = await OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            var forced = parsed.GetValue(force);
            var chosen = MemberSelection.Choose(view, parsed.GetValue(members) ?? [], "replica", forced, "reinitialize", terminal);
            MemberSelection.Confirm(chosen, forced, "reinitialize", terminal);
            var started = new List<string>();
            foreach (var member in chosen)
            {
                if (await ReinitOneAsync(cluster, view, member, forced, parsed.GetValue(fromLeader), terminal, stop).ConfigureAwait(false))
                {
                    started.Add(member);
                }
            }

            if (parsed.GetValue(wait))
            {
                await WaitForCloneAsync(cluster, view, started, terminal, stop).ConfigureAwait(false);
            }

            return 0;
        });
        return command;
    }

    private static async Task<bool> ReinitOneAsync(ClusterClient cluster, ClusterView view, string member, bool force, bool fromLeader, Terminal terminal, CancellationToken stop)
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

    private static async Task WaitForCloneAsync(ClusterClient cluster, ClusterView view, List<string> waiting, Terminal terminal, CancellationToken stop)
    {
        var shown = 0;
        while (waiting.Count > 0)
        {
            if (shown != waiting.Count)
            {
                terminal.Output.WriteLine($"Waiting for reinitialize to complete on: {string.Join(", ", waiting)}");
                shown = waiting.Count;
            }

            await Task.Delay(TimeSpan.FromSeconds(2), stop).ConfigureAwait(false);
            foreach (var member in waiting.ToList())
            {
                var answer = await cluster.Api.TryGetAsync(MemberSelection.Api(view, member), "/patroni", stop).ConfigureAwait(false);
                if (answer?.Json is SettingMap status && SettingReader.Text(status["state"]) != "creating replica")
                {
                    terminal.Output.WriteLine($"Reinitialize is completed on: {member}");
                    waiting.Remove(member);
                }
            }
        }
    }

    private static Command Flush(ClientOptionSet client, Terminal terminal)
    {
        var name = Cluster();
        var rest = new Argument<string[]>("MEMBER_NAMES... restart|switchover") { Description = "Names of members, then what is discarded", Arity = ArgumentArity.OneOrMore };
        var (role, force) = (MemberSelection.RoleOption("Flush only members with this role"), ClusterVerb.Force());
        var command = new Command("flush", "Discard scheduled events") { name, rest, ClusterVerb.Group(), role, force };
        command.SetAction(async (parsed, stop) =>
        {
            var words = parsed.GetValue(rest)!;
            if (words[^1] is not ("restart" or "switchover"))
            {
                throw new CliException($"'{words[^1]}' is not one of 'restart', 'switchover'", 2);
            }

            var (cluster, view) = await OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            if (words[^1] == "switchover")
            {
                return await FlushSwitchoverAsync(cluster, view, terminal, stop).ConfigureAwait(false);
            }

            var chosen = MemberSelection.Choose(view, words[..^1], parsed.GetValue(role) ?? "any", parsed.GetValue(force), "flush", terminal);
            MemberSelection.Confirm(chosen, parsed.GetValue(force), "flush", terminal);
            foreach (var member in chosen)
            {
                if (view.Members.First(m => ClusterView.Name(m) == member)["scheduled_restart"] is null)
                {
                    terminal.Output.WriteLine($"No scheduled restart for member {member}");
                    continue;
                }

                MemberSelection.Report(await cluster.Api.ChangeOnlyAsync(MemberSelection.Api(view, member), HttpMethod.Delete, "/restart", null, stop).ConfigureAwait(false), member, "flush scheduled restart", terminal);
            }

            return 0;
        });
        return command;
    }

    private static async Task<int> FlushSwitchoverAsync(ClusterClient cluster, ClusterView view, Terminal terminal, CancellationToken stop)
    {
        if (view.Document["scheduled_switchover"] is null)
        {
            terminal.Output.WriteLine("No pending scheduled switchover");
            return 0;
        }

        var answer = await cluster.Api.ChangeAsync(view.Leader is { } leader ? ClusterView.Api(leader) : null, HttpMethod.Delete, "/switchover", null, stop).ConfigureAwait(false);
        terminal.Output.WriteLine(answer.Status is 200 or 404
            ? $"{(answer.Status == 200 ? "Success" : "Failed")}: {answer.Body}"
            : $"Failed: status_code={answer.Status}, ({answer.Body})");
        return 0;
    }

    [GeneratedRegex(@"^[0-9]+(\.[0-9]+){1,2}$", RegexOptions.CultureInvariant)]
    private static partial Regex PostgresVersion();
}
