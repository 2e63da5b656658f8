using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>switchover</c> and <c>failover</c>, with patronictl's questions in its order.</summary>
internal static class SwitchoverVerbs
{
    private static readonly TimeSpan ScheduleLimit = TimeSpan.FromSeconds(2);

    private sealed record Wish(string Action, string? ClusterName, string? Leader, string? Candidate, string? Scheduled, bool Force)
    {
        public bool IsSwitchover => Action == "switchover";
    }

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var name = ClusterVerb.ClusterName();
        var leader = new Option<string?>("--leader", "--primary") { Description = "The name of the current leader" };
        var candidate = Candidate();
        var scheduled = new Option<string?>("--scheduled") { Description = "Timestamp of a scheduled switchover in unambiguous format (e.g. ISO 8601)" };
        var force = ClusterVerb.Force();
        var switchover = new Command("switchover", "Switchover to a replica") { name, ClusterVerb.Group(), leader, candidate, scheduled, force };
        switchover.SetAction((parsed, stop) => RunAsync(client, parsed, terminal, new Wish("switchover", parsed.GetValue(name), parsed.GetValue(leader),
            parsed.GetValue(candidate), parsed.GetValue(scheduled), parsed.GetValue(force)), stop));
        root.Subcommands.Add(switchover);

        var failoverName = ClusterVerb.ClusterName();
        var failoverCandidate = Candidate();
        var failoverForce = ClusterVerb.Force();
        var failover = new Command("failover", "Failover to a replica") { failoverName, ClusterVerb.Group(), failoverCandidate, failoverForce };
        failover.SetAction((parsed, stop) => RunAsync(client, parsed, terminal, new Wish("failover", parsed.GetValue(failoverName), null,
            parsed.GetValue(failoverCandidate), null, parsed.GetValue(failoverForce)), stop));
        root.Subcommands.Add(failover);
    }

    private static Option<string?> Candidate() => new("--candidate") { Description = "The name of the candidate" };

    private static async Task<int> RunAsync(ClientOptionSet client, ParseResult parsed, Terminal terminal, Wish wish, CancellationToken stop)
    {
        var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, wish.ClusterName, stop).ConfigureAwait(false);
        using var opened = cluster;
        terminal.Output.WriteLine("Current cluster topology");
        ClusterVerb.PrintMembers(view, terminal);
        wish = Complete(wish, view, terminal);

        var at = wish.IsSwitchover ? ClusterVerb.Scheduled(wish.Scheduled) : null;
        if (at is not null && view.IsPaused)
        {
            throw new CliException("Can't schedule switchover in the paused state");
        }

        Confirm(wish, view, at, terminal);
        return await SendAsync(cluster, wish, view, at, terminal, stop).ConfigureAwait(false);
    }

    private static Wish Complete(Wish wish, ClusterView view, Terminal terminal)
    {
        var current = view.Leader is { } leader ? ClusterView.Name(leader) : null;
        if (wish.IsSwitchover)
        {
            if (current is null)
            {
                throw new CliException("This cluster has no leader");
            }

            var standby = ClusterView.Role(view.Leader!) == "standby_leader";
            wish = wish with { Leader = wish.Leader ?? (wish.Force ? current : terminal.Prompt(standby ? "Standby Leader" : "Primary", current)) };
            if (wish.Leader != current)
            {
                throw new CliException($"Member {wish.Leader} is not the leader of cluster {view.Scope}");
            }
        }

        var candidates = view.Members.Where(m => ClusterView.Name(m) != current && !ClusterView.NoFailover(m))
            .Select(ClusterView.Name).Order(StringComparer.Ordinal).ToList();
        if (candidates.Count == 0)
        {
            throw new CliException($"No candidates found to {wish.Action} to");
        }

        if (wish.Candidate is null && !wish.Force)
        {
            wish = wish with { Candidate = terminal.Prompt($"Candidate [{string.Join(", ", candidates.Select(c => $"'{c}'"))}]", "") };
        }

        Refuse(wish, view, current, candidates);
        if (wish.IsSwitchover && wish.Scheduled is null && !wish.Force)
        {
            var nextHour = DateTime.Now.AddHours(1).ToString("yyyy-MM-ddTHH:mm", CultureInfo.InvariantCulture);
            AskAsynchronous(wish, view, terminal);
            return wish with { Scheduled = terminal.Prompt($"When should the switchover take place (e.g. {nextHour} ) ", "now") };
        }

        AskAsynchronous(wish, view, terminal);
        return wish;
    }

    private static void Refuse(Wish wish, ClusterView view, string? current, List<string> candidates)
    {
        if (!wish.IsSwitchover && string.IsNullOrEmpty(wish.Candidate))
        {
            throw new CliException("Failover could be performed only to a specific candidate");
        }

        if (wish.Candidate is { Length: > 0 } candidate && !candidates.Contains(candidate))
        {
            throw new CliException(candidate == current
                ? $"Member {candidate} is already the leader of cluster {view.Scope}"
                : $"Member {candidate} does not exist in cluster {view.Scope} or is tagged as nofailover");
        }
    }

    private static void AskAsynchronous(Wish wish, ClusterView view, Terminal terminal)
    {
        var synchronous = view.Members.Where(m => ClusterView.Role(m) is "sync_standby" or "quorum_standby").Select(ClusterView.Name).ToList();
        if (!wish.Force && !wish.IsSwitchover && synchronous.Count > 0 && !synchronous.Contains(wish.Candidate!)
            && !terminal.Confirm($"Are you sure you want to failover to the asynchronous node {wish.Candidate}?"))
        {
            throw new CliException($"Aborting {wish.Action}");
        }
    }

    private static void Confirm(Wish wish, ClusterView view, DateTimeOffset? at, Terminal terminal)
    {
        if (wish.Force)
        {
            return;
        }

        var demoting = view.Leader is { } leader ? $", demoting current leader {ClusterView.Name(leader)}" : "";
        if (at is { } time)
        {
            if (!terminal.Confirm($"Are you sure you want to schedule switchover of cluster {view.Scope} at {ClusterVerb.IsoFormat(time)}{demoting}?"))
            {
                throw new CliException($"Aborting scheduled {wish.Action}");
            }
        }
        else if (!terminal.Confirm($"Are you sure you want to {wish.Action} cluster {view.Scope}{demoting}?"))
        {
            throw new CliException($"Aborting {wish.Action}");
        }
    }

    private static async Task<int> SendAsync(ClusterClient cluster, Wish wish, ClusterView view, DateTimeOffset? at, Terminal terminal, CancellationToken stop)
    {
        var body = SettingMap.Empty.With("candidate", string.IsNullOrEmpty(wish.Candidate) ? new SettingNull() : new SettingScalar(wish.Candidate, SettingScalarKind.Text));
        if (wish.Leader is { } leader)
        {
            body = body.With("leader", new SettingScalar(leader, SettingScalarKind.Text));
        }

        if (at is { } time)
        {
            body = body.With("scheduled_at", new SettingScalar(ClusterVerb.IsoFormat(time), SettingScalarKind.Text));
        }

        var target = view.Leader ?? view.Members.FirstOrDefault(m => ClusterView.Name(m) == wish.Candidate);
        var answer = await Busy.WhileAsync($"{wish.Action} in progress",
            () => cluster.Api.ChangeAsync(target is null ? null : ClusterView.Api(target), HttpMethod.Post, "/" + wish.Action, body, stop), terminal).ConfigureAwait(false);
        if (answer.Status is 200 or 202)
        {
            terminal.Output.WriteLine($"{ClusterVerb.Timestamp()} {answer.Body}");
            ClusterVerb.PrintMembers(await ReadAfterAsync(cluster, scheduled: answer.Status == 202, stop).ConfigureAwait(false), terminal);
            return 0;
        }

        var result = answer.Body.Contains("status unknown", StringComparison.OrdinalIgnoreCase) ? "result unknown" : "failed";
        terminal.Output.WriteLine($"{char.ToUpperInvariant(wish.Action[0])}{wish.Action[1..]} {result}, details: {answer.Status}, {answer.Body}");
        return 0; // As patronictl: the sentence is the result, the exit code speaks of the command itself.
    }

    /// <summary>The cluster after the change. Whichever node is asked may learn of a new schedule a moment after the one that took it.</summary>
    private static async Task<ClusterView> ReadAfterAsync(ClusterClient cluster, bool scheduled, CancellationToken stop)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            var view = await cluster.ReadAsync(stop).ConfigureAwait(false);
            if (!scheduled || view.Document["scheduled_switchover"] is SettingMap || waited.Elapsed > ScheduleLimit)
            {
                return view;
            }

            await Task.Delay(100, stop).ConfigureAwait(false);
        }
    }
}
