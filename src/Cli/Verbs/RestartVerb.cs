using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>restart</c>, with patronictl's questions in its order.</summary>
internal static partial class RestartVerb
{
    private sealed record Wish(bool Any, string? Scheduled, string? Version, bool Pending, string? Timeout, bool Force);

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var (name, members, role, force) = (ClusterVerb.RequiredClusterName(), ClusterVerb.MemberNames(), MemberSelection.RoleOption("Restart only members with this role"), ClusterVerb.Force());
        var any = new Option<bool>("--any") { Description = "Restart a single member only" };
        var scheduled = new Option<string?>("--scheduled") { Description = "Timestamp of a scheduled restart in unambiguous format (e.g. ISO 8601)" };
        var version = new Option<string?>("--pg-version") { Description = "Restart if the PostgreSQL version is less than provided (e.g. 9.5.2)" };
        var pending = new Option<bool>("--pending") { Description = "Restart if pending" };
        var timeout = new Option<string?>("--timeout") { Description = "Return error and fail over if necessary when restarting takes longer than this." };
        var command = new Command("restart", "Restart cluster member") { name, members, ClusterVerb.Group(), role, any, scheduled, version, pending, timeout, force };
        root.Subcommands.Add(command);
        command.SetAction(async (parsed, stop) =>
        {
            var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            var chosen = MemberSelection.Choose(view, parsed.GetValue(members) ?? [], parsed.GetValue(role) ?? "any", parsed.GetValue(force), "restart", terminal);
            var wish = new Wish(parsed.GetValue(any), parsed.GetValue(scheduled), parsed.GetValue(version), parsed.GetValue(pending), parsed.GetValue(timeout), parsed.GetValue(force));
            var (body, targets) = Complete(wish, view, chosen, terminal);
            await MemberSelection.ForEachAsync(targets, member => RestartAsync(cluster, view, member, body, wish.Force, terminal, stop), "restart", terminal).ConfigureAwait(false);
            return 0;
        });
    }

    private static (SettingMap Body, IReadOnlyList<string> Targets) Complete(Wish wish, ClusterView view, IReadOnlyList<string> chosen, Terminal terminal)
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
            chosen = [.. chosen.Where(c => SettingReader.Boolean(MemberSelection.Find(view, c)["pending_restart"]) == true)];
        }

        chosen = wish.Any && chosen.Count > 1 ? [chosen[Random.Shared.Next(chosen.Count)]] : chosen;
        Confirm(wish, at, chosen, terminal);
        var version = wish.Version ?? (wish.Force ? "" : terminal.Prompt("Restart if the PostgreSQL version is less than provided (e.g. 9.5.2) ", ""));
        if (version.Length > 0)
        {
            body = body.With("postgres_version", new SettingScalar(Checked(version), SettingScalarKind.Text));
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

    private static void Confirm(Wish wish, DateTimeOffset? at, IReadOnlyList<string> chosen, Terminal terminal)
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

    private static string Checked(string version)
    {
        if (!Numbers().IsMatch(version))
        {
            throw new CliException($"Invalid PostgreSQL version: {version}");
        }

        // 10 and later have two numbers, what came before has three.
        var parts = version.Split('.');
        return parts.Length == 3 || (parts.Length == 2 && (parts[0].Length > 1 && parts[0][0] != '0'))
            ? version : throw new CliException($"Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: {version}");
    }

    private static async Task RestartAsync(ClusterClient cluster, ClusterView view, string member, SettingMap body, bool force, Terminal terminal, CancellationToken stop)
    {
        var api = MemberSelection.Api(view, member);
        if (body["schedule"] is not null && force && MemberSelection.Find(view, member)["scheduled_restart"] is not null)
        {
            MemberSelection.Report(await cluster.Api.ChangeOnlyAsync(api, HttpMethod.Delete, "/restart", null, stop).ConfigureAwait(false), member, "flush scheduled restart", terminal, silentSuccess: true);
        }

        var answer = await Busy.WhileAsync($"restarting {member}", () => cluster.Api.ChangeOnlyAsync(api, HttpMethod.Post, "/restart", body, stop), terminal).ConfigureAwait(false);
        terminal.Output.WriteLine(answer.Status switch
        {
            200 => $"Success: restart on member {member}",
            202 => $"Success: restart scheduled on member {member}",
            409 => $"Failed: another restart is already scheduled on member {member}",
            _ => $"Failed: restart for member {member}, status code={answer.Status}, ({answer.Body})",
        });
    }

    [GeneratedRegex(@"^[0-9]+(\.[0-9]+)*$", RegexOptions.CultureInvariant)]
    private static partial Regex Numbers();
}
