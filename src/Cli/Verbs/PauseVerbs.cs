using System.CommandLine;
using System.Diagnostics;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>pause</c> and <c>resume</c>.</summary>
internal static class PauseVerbs
{
    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        root.Subcommands.Add(Verb("pause", "Disable auto failover", paused: true, client, terminal));
        root.Subcommands.Add(Verb("resume", "Resume auto failover", paused: false, client, terminal));
    }

    private static Command Verb(string verb, string description, bool paused, ClientOptionSet client, Terminal terminal)
    {
        var name = ClusterVerb.ClusterName();
        var wait = new Option<bool>("--wait") { Description = paused ? "Wait until pause is applied on all nodes" : "Wait until pause is cleared on all nodes" };
        var command = new Command(verb, description) { name, ClusterVerb.Group(), wait };
        command.SetAction(async (parsed, stop) =>
        {
            var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            if (view.IsPaused == paused)
            {
                throw new CliException($"Cluster is {(paused ? "already" : "not")} paused");
            }

            SettingValue value = paused ? new SettingScalar("true", SettingScalarKind.Boolean) : new SettingNull();
            var answer = await cluster.Api.ChangeAsync(view.Leader is { } leader ? ClusterView.Api(leader) : null, HttpMethod.Patch, "/config",
                SettingMap.Empty.With("pause", value), stop).ConfigureAwait(false);
            if (answer.Status != 200)
            {
                terminal.Output.WriteLine($"Failed: {verb} cluster management status code={answer.Status}, ({answer.Body})");
                return 0;
            }

            if (parsed.GetValue(wait))
            {
                terminal.Output.WriteLine($"'{verb}' request sent, waiting until it is recognized by all nodes");
                var limit = DynamicConfiguration.ReadAccepted(answer.Body).LoopWaitMs + 1000;
                var remaining = await Busy.WhileAsync("waiting", () => WaitAsync(cluster, view, paused, limit, stop), terminal).ConfigureAwait(false);
                if (remaining.Count > 0)
                {
                    terminal.Output.WriteLine($"{string.Join(", ", remaining)} members didn't recognized pause state after {SettingHints.Seconds(limit - 1000)} seconds");
                    return 0;
                }
            }

            terminal.Output.WriteLine($"Success: cluster management is {(paused ? "paused" : "resumed")}");
            return 0;
        });
        return command;
    }

    private static async Task<List<string>> WaitAsync(ClusterClient cluster, ClusterView view, bool paused, long limitMs, CancellationToken stop)
    {
        var waiting = view.Members.Where(m => ClusterView.Api(m) is not null).ToList();
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var answers = await Task.WhenAll(waiting.Select(m => cluster.Api.TryGetAsync(ClusterView.Api(m)!, "/patroni", stop))).ConfigureAwait(false);
            waiting = [.. waiting.Zip(answers).Where(w => w.Second?.Json is not SettingMap status || (SettingReader.Boolean(status["pause"]) ?? false) != paused).Select(w => w.First)];

            if (waiting.Count == 0 || Stopwatch.GetElapsedTime(start).TotalMilliseconds > limitMs)
            {
                return [.. waiting.Select(ClusterView.Name)];
            }

            await Task.Delay(200, stop).ConfigureAwait(false);
        }
    }
}
