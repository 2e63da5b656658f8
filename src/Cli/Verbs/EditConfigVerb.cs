using System.CommandLine;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>edit-config</c>: by options, files, standard input or an editor; refused when somebody else was quicker.</summary>
internal static class EditConfigVerb
{
    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        var (name, force) = (ClusterVerb.ClusterName(), ClusterVerb.Force());
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Do not show changes" };
        var set = new Option<string[]>("--set", "-s") { Description = "Set specific configuration value. Can be specified multiple times", DefaultValueFactory = _ => [] };
        var pg = new Option<string[]>("--pg", "-p") { Description = "Set specific PostgreSQL parameter value. Shorthand for -s postgresql.parameters. Can be specified multiple times", DefaultValueFactory = _ => [] };
        var apply = new Option<string?>("--apply") { Description = "Apply configuration from file. Use - for stdin." };
        var replace = new Option<string?>("--replace") { Description = "Apply configuration from file, replacing existing configuration. Use - for stdin." };
        var command = new Command("edit-config", "Edit cluster configuration") { name, ClusterVerb.Group(), quiet, set, pg, apply, replace, force };
        root.Subcommands.Add(command);
        command.SetAction(async (parsed, stop) =>
        {
            var (cluster, view) = await ClusterVerb.OpenAsync(client, parsed, parsed.GetValue(name), stop).ConfigureAwait(false);
            using var opened = cluster;
            var (before, version) = await cluster.VersionedConfigAsync(stop).ConfigureAwait(false);
            var changes = new ConfigChanges(parsed.GetValue(replace), parsed.GetValue(apply),
                [.. parsed.GetValue(set) ?? [], .. (parsed.GetValue(pg) ?? []).Select(p => "postgresql.parameters." + p.TrimStart())]);
            using var editor = changes.IsEmpty ? new ConfigEditor(view.Scope) : null;
            var after = ConfigChanges.Plain(editor is null ? changes.ApplyTo(before, terminal.Input) : await editor.EditAsync(before, stop).ConfigureAwait(false));
            if (!Show(before, after, parsed.GetValue(quiet), terminal))
            {
                return 0;
            }

            if (changes.FromInput && !parsed.GetValue(force))
            {
                terminal.Output.WriteLine("Use --force option to apply changes");
                return 0;
            }

            if (parsed.GetValue(force) || terminal.Confirm("Apply these changes?"))
            {
                await SendAsync(cluster, after, version, editor, stop).ConfigureAwait(false);
                terminal.Output.WriteLine("Configuration changed");
            }

            return 0;
        });
    }

    private static bool Show(SettingMap before, SettingMap after, bool quiet, Terminal terminal)
    {
        var (old, changed) = (YamlText.Block(before), YamlText.Block(after));
        if (quiet || old == changed)
        {
            terminal.Output.Write(quiet ? "" : "Not changed\n");
            return old != changed;
        }

        foreach (var line in UnifiedDiff.Lines(old, changed))
        {
            terminal.Output.WriteLine(terminal.HasColors ? UnifiedDiff.ColorOf(line).On(line) : line);
        }

        return true;
    }

    private static async Task SendAsync(ClusterClient cluster, SettingMap after, string? version, ConfigEditor? editor, CancellationToken stop)
    {
        var answer = await cluster.Api.ChangeAsync(null, HttpMethod.Put, "/config", after, stop, version).ConfigureAwait(false);
        if (!answer.IsSuccess)
        {
            throw new CliException((answer.Status == 412 ? "Config modification aborted due to concurrent changes" : $"{answer.Body.Trim()} (status {answer.Status})") + editor?.Keep());
        }
    }
}
