using System.CommandLine;
using System.Globalization;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>history</c>, <c>version</c> and <c>dsn</c>.</summary>
internal static class InformationVerbs
{
    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        root.Subcommands.Add(History(client, terminal));
        root.Subcommands.Add(VersionOf(client, terminal));
        root.Subcommands.Add(Dsn(client, terminal));
    }

    /// <summary>15.18 for 150018, 9.6.2 for 90602.</summary>
    internal static string PostgresVersion(long number) => number < 100_000
        ? string.Create(CultureInfo.InvariantCulture, $"{number / 10_000}.{number / 100 % 100}.{number % 100}")
        : string.Create(CultureInfo.InvariantCulture, $"{number / 10_000}.{number % 10_000}");

    private static Command History(ClientOptionSet client, Terminal terminal)
    {
        var name = ClusterVerb.ClusterName();
        var format = ListVerbs.FormatOption();
        var command = new Command("history", "Show the history of failovers/switchovers") { name, ClusterVerb.Group(), format };
        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            var answer = await cluster.Api.GetAsync("/history", stop).ConfigureAwait(false);
            if (answer.Json is not SettingList history || !answer.IsSuccess)
            {
                throw new CliException($"the node answered GET /history with {answer.Status}: {answer.Body.Trim()}");
            }

            terminal.Output.Write(HistoryTable.Render(history, parsed.GetValue(format)!));
            return 0;
        });
        return command;
    }

    private static Command VersionOf(ClientOptionSet client, Terminal terminal)
    {
        var name = ClusterVerb.ClusterName();
        var members = ClusterVerb.MemberNames();
        var command = new Command("version", "Output version of patronictl command or a running Patroni instance") { name, members, ClusterVerb.Group() };
        command.SetAction(async (parsed, stop) =>
        {
            terminal.Output.WriteLine("patronictl version " + CommandLine.Version);
            if (parsed.GetValue(name) is not { } wantedCluster)
            {
                return 0; // Only a cluster that is named is asked, as in patronictl.
            }

            terminal.Output.WriteLine();
            var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, wantedCluster, stop).ConfigureAwait(false);
            using var opened = cluster;
            var wanted = parsed.GetValue(members) ?? [];
            var asked = view.Members.Where(m => ClusterView.Api(m) is not null && (wanted.Length == 0 || wanted.Contains(ClusterView.Name(m)))).ToList();
            var answers = await Task.WhenAll(asked.Select(m => cluster.Api.TryGetAsync(ClusterView.Api(m)!, "/patroni", stop))).ConfigureAwait(false);
            foreach (var (member, answer) in asked.Zip(answers))
            {
                terminal.Output.WriteLine($"{ClusterView.Name(member)}: {Versions(answer?.Json as SettingMap)}");
            }

            return 0;
        });
        return command;
    }

    private static string Versions(SettingMap? status)
    {
        var postgres = SettingReader.Integer(status?["server_version"]) is { } number and > 0 ? " PostgreSQL " + PostgresVersion(number) : "";
        return status is null ? "failed to get version: no answer" : $"Patroni {SettingReader.Text(status.Find("patroni.version"))}{postgres}";
    }

    private static Command Dsn(ClientOptionSet client, Terminal terminal)
    {
        var name = ClusterVerb.ClusterName();
        var role = MemberSelection.RoleOption("Give a dsn of any member with this role");
        var member = new Option<string?>("--member", "-m") { Description = "Generate a dsn for this member" };
        var command = new Command("dsn", "Generate a dsn for the provided member, defaults to a dsn of the leader") { name, role, member, ClusterVerb.Group() };
        command.SetAction(async (parsed, stop) =>
        {
            if (parsed.GetValue(role) is not null && parsed.GetValue(member) is not null)
            {
                throw new CliException("--role and --member are mutually exclusive options");
            }

            var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            var named = parsed.GetValue(member);
            var candidates = MemberSelection.WithRole(view, named is null ? parsed.GetValue(role) ?? "leader" : "any");
            var found = view.Members.FirstOrDefault(m => candidates.Contains(ClusterView.Name(m)) && (named is null || ClusterView.Name(m) == named))
                ?? throw new CliException("Can not find a suitable member");
            terminal.Output.WriteLine($"host={SettingReader.Text(found["host"])} port={SettingReader.Text(found["port"])}");
            return 0;
        });
        return command;
    }
}
