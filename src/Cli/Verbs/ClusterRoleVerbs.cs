using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Parsing;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary>
/// <c>demote-cluster</c> and <c>promote-cluster</c>: set or remove the section standby_cluster, then report what the nodes really do until
/// they are there. What counts is the role that the leader's PostgreSQL has, never the configuration.
/// </summary>
internal static class ClusterRoleVerbs
{
    private const double DefaultSeconds = 300;

    /// <summary>What is to become of the cluster.</summary>
    /// <param name="Section">The section standby_cluster; <c>null</c> to remove it.</param>
    /// <param name="Force">Ask nothing.</param>
    /// <param name="Patience">How long to wait for the nodes.</param>
    private sealed record Wish(SettingMap? Section, bool Force, TimeSpan Patience)
    {
        public bool IsDemotion => Section is not null;

        public string Verb => IsDemotion ? "demot" : "promot";

        public string TargetRole => IsDemotion ? "standby_leader" : "primary";
    }

    private sealed record Seen(string? Leader, string? Role, string? State, string? FormerState);

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        root.Subcommands.Add(Demote(client, terminal));
        root.Subcommands.Add(Promote(client, terminal));
    }

    private static Option<double?> Patience() => Values.Seconds("Stop waiting after X seconds (300)", "--timeout");

    private static Command Demote(ClientOptionSet client, Terminal terminal)
    {
        var (name, force, patience) = (ClusterVerb.ClusterName(), ClusterVerb.Force(), Patience());
        var host = new Option<string?>("--host") { Description = "Address of the remote node" };
        var port = Values.Integer("--port", "Port of the remote node");
        var restore = new Option<string?>("--restore-command") { Description = "Command to restore WAL records from the remote primary" };
        var slot = new Option<string?>("--primary-slot-name") { Description = "Name of the slot on the remote node to use for replication" };
        var command = new Command("demote-cluster", "Demote cluster to a standby cluster") { name, force, host, port, restore, slot, patience };
        command.SetAction((parsed, stop) =>
        {
            if (string.IsNullOrEmpty(parsed.GetValue(host)) && parsed.GetValue(port) is null or 0 && string.IsNullOrEmpty(parsed.GetValue(restore)))
            {
                throw new CliException("At least --host, --port or --restore-command should be specified");
            }

            var section = SettingMap.Empty;
            foreach (var (key, value) in new[] { ("host", parsed.GetValue(host)), ("primary_slot_name", parsed.GetValue(slot)), ("restore_command", parsed.GetValue(restore)) })
            {
                section = string.IsNullOrEmpty(value) ? section : section.With(key, new SettingScalar(value, SettingScalarKind.Text));
            }

            section = parsed.GetValue(port) is { } number and > 0 ? section.With("port", new SettingScalar(number.ToString(CultureInfo.InvariantCulture), SettingScalarKind.Number)) : section;
            return RunAsync(client, parsed, parsed.GetValue(name), new(section, parsed.GetValue(force), TimeSpan.FromSeconds(parsed.GetValue(patience) ?? DefaultSeconds)), terminal, stop);
        });
        return command;
    }

    private static Command Promote(ClientOptionSet client, Terminal terminal)
    {
        var (name, force, patience) = (ClusterVerb.ClusterName(), ClusterVerb.Force(), Patience());
        var command = new Command("promote-cluster", "Promote cluster, make it run standalone") { name, force, patience };
        command.SetAction((parsed, stop) => RunAsync(client, parsed, parsed.GetValue(name),
            new(null, parsed.GetValue(force), TimeSpan.FromSeconds(parsed.GetValue(patience) ?? DefaultSeconds)), terminal, stop));
        return command;
    }

    private static async Task<int> RunAsync(ClientOptionSet client, ParseResult parsed, string? name, Wish wish, Terminal terminal, CancellationToken stop)
    {
        var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, name, stop).ConfigureAwait(false);
        using var opened = cluster;
        var leader = view.Leader is { } held ? ClusterView.Name(held) : throw new CliException($"Cluster has no leader, {wish.Verb}ion is not possible");
        var config = await cluster.ConfigAsync(stop).ConfigureAwait(false);
        var isStandby = config["standby_cluster"] is SettingMap;
        if (isStandby == wish.IsDemotion && (await LookAsync(cluster, view, leader, stop).ConfigureAwait(false)).Role == wish.TargetRole)
        {
            throw new CliException("Cluster is already in the required state");
        }

        terminal.Output.WriteLine("Current cluster topology");
        ClusterVerb.PrintMembers(view, terminal);
        if (!wish.Force && !terminal.Confirm($"Are you sure you want to {wish.Verb}e {view.Scope} cluster?"))
        {
            throw new CliException($"Aborted cluster {wish.Verb}ion");
        }

        var body = SettingMap.Empty.With("standby_cluster", wish.Section ?? (SettingValue)new SettingNull());
        var answer = await cluster.Api.ChangeAsync(ClusterView.Api(held), HttpMethod.Patch, "/config", body, stop).ConfigureAwait(false);
        if (answer.Status != 200)
        {
            throw new CliException($"Failed to {wish.Verb}e {view.Scope} cluster: /config PATCH status code={answer.Status}, ({answer.Body.Trim()})");
        }

        await WaitAsync(cluster, view.Scope, leader, wish, terminal, stop).ConfigureAwait(false);
        ClusterVerb.PrintMembers(await cluster.ReadAsync(stop).ConfigureAwait(false), terminal);
        return 0;
    }

    private static async Task WaitAsync(ClusterClient cluster, string scope, string former, Wish wish, Terminal terminal, CancellationToken stop)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var seen = await LookAsync(cluster, await cluster.ReadAsync(stop).ConfigureAwait(false), former, stop).ConfigureAwait(false);
            var now = DateTime.Now.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
            if (seen.Role == wish.TargetRole && seen.State == "running" && (!wish.IsDemotion || seen.FormerState == "running"))
            {
                terminal.Output.WriteLine($"{now} cluster is successfully {wish.Verb}ed");
                return;
            }

            var previous = wish.IsDemotion && seen.Leader is not null && seen.Leader != former && seen.FormerState is not null ? $", previous leader state: '{seen.FormerState}'" : "";
            terminal.Output.WriteLine($"{now} cluster is unlocked: {(seen.Leader is null ? "True" : "False")}, leader role: {seen.Role ?? "None"}, leader state: {seen.State ?? "None"}{previous}");
            if (Stopwatch.GetElapsedTime(start) > wish.Patience)
            {
                throw new CliException($"the configuration of {scope} is changed, but its leader is not a {wish.TargetRole} after {wish.Patience.TotalSeconds:0.###} seconds; "
                    + (wish.IsDemotion ? "'promote-cluster' takes the change back" : "look at 'list' and at the leader's log"));
            }

            await Task.Delay(TimeSpan.FromSeconds(1), stop).ConfigureAwait(false);
        }
    }

    private static async Task<Seen> LookAsync(ClusterClient cluster, ClusterView view, string former, CancellationToken stop)
    {
        async Task<SettingMap?> StatusOf(SettingMap? member) => member is not null && ClusterView.Api(member) is { } api
            ? (await cluster.Api.TryGetAsync(api, "/patroni", stop).ConfigureAwait(false))?.Json as SettingMap : null;
        var leader = await StatusOf(view.Leader).ConfigureAwait(false);
        var old = await StatusOf(view.Members.FirstOrDefault(m => ClusterView.Name(m) == former)).ConfigureAwait(false);
        return new(view.Leader is null ? null : ClusterView.Name(view.Leader), SettingReader.Text(leader?["role"]), SettingReader.Text(leader?["state"]), SettingReader.Text(old?["state"]));
    }
}
