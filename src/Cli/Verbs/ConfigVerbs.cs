using System.CommandLine;
using System.Diagnostics;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;
using Command = System.CommandLine.Command;

namespace Patroni.Raft.Cli.Verbs;

/// <summary><c>show-config</c> and <c>edit-config</c>.</summary>
internal static class ConfigVerbs
{
    private sealed record Changes(string? Replace, string? Apply, IReadOnlyList<string> Pairs)
    {
        public bool IsEmpty => Replace is null && Apply is null && Pairs.Count == 0;

        public bool FromInput => Replace == "-" || Apply == "-";
    }

    public static void AddTo(RootCommand root, ClientOptionSet client, Terminal terminal)
    {
        root.Subcommands.Add(Show(client, terminal));
        root.Subcommands.Add(Edit(client, terminal));
    }

    private static Command Show(ClientOptionSet client, Terminal terminal)
    {
        var name = ClusterVerb.ClusterName();
        var effective = new Option<bool>("--effective") { Description = "Show every value that holds on the node whose file -c names, and who decided it" };
        var node = new Option<string?>("--name") { Description = "The node, in a file for the whole cluster", HelpName = "NAME" };
        var command = new Command("show-config", "Show cluster configuration") { name, ClusterVerb.Group(), effective, node };
        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            var (document, _) = await ReadAsync(cluster, stop).ConfigureAwait(false);
            if (!parsed.GetValue(effective))
            {
                terminal.Output.Write(YamlText.Block(document) + "\n");
                return 0;
            }

            var local = ConfigurationLoader.Load(new ConfigurationRequest { Path = client.File(parsed), Name = parsed.GetValue(node), Environment = ConfigurationRequest.ProcessEnvironment() });
            if (local.Configuration is not { } configuration)
            {
                throw new CliException(string.Join('\n', local.Problems));
            }

            var rows = EffectiveSettings.List(configuration, DynamicConfiguration.ReadAccepted(SettingJson.Write(document)))
                .Select(s => (IReadOnlyList<string>)[s.Path, s.Value, s.Origin.ToString().ToLowerInvariant()]).ToList();
            terminal.Output.WriteLine(PrettyTable.Draw($" {configuration.Name} ", [("Setting", Align.Left), ("Value", Align.Left), ("Source", Align.Left)], rows));
            return 0;
        });
        return command;
    }

    private static Command Edit(ClientOptionSet client, Terminal terminal)
    {
        var (name, force) = (ClusterVerb.ClusterName(), ClusterVerb.Force());
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Do not show changes" };
        var set = new Option<string[]>("--set", "-s") { Description = "Set specific configuration value. Can be specified multiple times", HelpName = "PATH=VALUE", DefaultValueFactory = _ => [] };
        var pg = new Option<string[]>("--pg", "-p") { Description = "Set specific PostgreSQL parameter value. Shorthand for -s postgresql.parameters. Can be specified multiple times", HelpName = "NAME=VALUE", DefaultValueFactory = _ => [] };
        var apply = new Option<string?>("--apply") { Description = "Apply configuration from file. Use - for stdin.", HelpName = "FILE" };
        var replace = new Option<string?>("--replace") { Description = "Apply configuration from file, replacing existing configuration. Use - for stdin.", HelpName = "FILE" };
        var command = new Command("edit-config", "Edit cluster configuration") { name, ClusterVerb.Group(), quiet, set, pg, apply, replace, force };
        command.SetAction(async (parsed, stop) =>
        {
            using var cluster = client.Open(parsed);
            var (before, version) = await ReadAsync(cluster, stop).ConfigureAwait(false);
            var changes = new Changes(parsed.GetValue(replace), parsed.GetValue(apply),
                [.. parsed.GetValue(set) ?? [], .. (parsed.GetValue(pg) ?? []).Select(p => "postgresql.parameters." + p.TrimStart())]);
            var after = Plain(changes.IsEmpty ? await InEditorAsync(before, cluster.Scope ?? "cluster", stop).ConfigureAwait(false) : Apply(before, changes));
            if (YamlText.Block(before) == YamlText.Block(after))
            {
                return Say(parsed.GetValue(quiet) ? null : "Not changed", terminal);
            }

            if (!parsed.GetValue(quiet))
            {
                foreach (var line in UnifiedDiff.Lines(YamlText.Block(before), YamlText.Block(after)))
                {
                    terminal.Output.WriteLine(line);
                }
            }

            if (changes.FromInput && !parsed.GetValue(force))
            {
                return Say("Use --force option to apply changes", terminal);
            }

            if (!parsed.GetValue(force) && !terminal.Confirm("Apply these changes?"))
            {
                return 0;
            }

            var answer = await cluster.Api.ChangeAsync(null, HttpMethod.Put, "/config", after, stop, version).ConfigureAwait(false);
            return answer.Status switch
            {
                >= 200 and < 300 => Say("Configuration changed", terminal),
                412 => throw new CliException("Config modification aborted due to concurrent changes"),
                _ => throw new CliException($"{answer.Body.Trim()} (status {answer.Status})"),
            };
        });
        return command;
    }

    private static int Say(string? text, Terminal terminal)
    {
        if (text is not null)
        {
            terminal.Output.WriteLine(text);
        }

        return 0;
    }

    private static async Task<(SettingMap Document, string? Version)> ReadAsync(ClusterClient cluster, CancellationToken stop)
    {
        var answer = await cluster.Api.GetAsync("/config", stop).ConfigureAwait(false);
        return answer.IsSuccess && answer.Json is SettingMap document
            ? (document, answer.ETag)
            : throw new CliException($"the cluster has no configuration yet (GET /config answered {answer.Status})");
    }

    // Through JSON, so that "on" from a YAML file is the same true as in the cluster.
    private static SettingMap Plain(SettingMap document) => SettingJson.ParseObject(SettingJson.Write(document), new List<ConfigurationProblem>())!;

    private static SettingMap Apply(SettingMap current, Changes changes)
    {
        if (changes.Replace is { } replace)
        {
            current = SettingMap.Empty.Merge(Parse(replace));
        }

        if (changes.Apply is { } apply)
        {
            current = current.Merge(Parse(apply));
        }

        foreach (var pair in changes.Pairs)
        {
            var equals = pair.IndexOf('=');
            var problems = new List<ConfigurationProblem>();
            if (equals < 1 || ConfigurationFiles.ParseValue(pair[(equals + 1)..], pair[..equals], problems) is not { } value)
            {
                throw new CliException(problems.Count > 0 ? problems[0].ToString() : $"Invalid parameter setting {pair}");
            }

            current = Set(current, [.. PathOf(pair[..equals].Trim())], value);
        }

        return current;
    }

    // Names of parameters may hold dots (extensions' settings), so everything behind postgresql.parameters. is one name.
    private static IEnumerable<string> PathOf(string path)
    {
        const string Parameters = "postgresql.parameters.";
        return path.StartsWith(Parameters, StringComparison.Ordinal) ? ["postgresql", "parameters", path[Parameters.Length..]] : path.Split('.');
    }

    // Null removes; a map that becomes empty by that goes too, as in patronictl.
    private static SettingMap Set(SettingMap map, ReadOnlySpan<string> path, SettingValue value)
    {
        if (path.Length == 1)
        {
            return value is SettingNull ? map.Without(path[0]) : map.With(path[0], value);
        }

        var below = Set(map[path[0]] as SettingMap ?? SettingMap.Empty, path[1..], value);
        return below.Entries.IsEmpty ? map.Without(path[0]) : map.With(path[0], below);
    }

    private static SettingMap Parse(string file)
    {
        var problems = new List<ConfigurationProblem>();
        var read = file == "-" ? ConfigurationFiles.Parse(Console.In.ReadToEnd(), "standard input", problems) : ConfigurationFiles.Read(file, problems);
        return read ?? throw new CliException(string.Join('\n', problems));
    }

    private static async Task<SettingMap> InEditorAsync(SettingMap before, string scope, CancellationToken stop)
    {
        var editor = Environment.GetEnvironmentVariable("EDITOR") is { Length: > 0 } wanted ? wanted
            : new[] { "/usr/bin/editor", "/usr/bin/vi" }.FirstOrDefault(File.Exists)
              ?? throw new CliException("EDITOR environment variable is not set. editor or vi are not available");
        var directory = Directory.CreateTempSubdirectory("patroni-raft-");
        try
        {
            var file = Path.Combine(directory.FullName, scope.Replace('/', '_') + "-config.yaml");
            await File.WriteAllTextAsync(file, YamlText.Block(before), stop).ConfigureAwait(false);
            using var process = Process.Start(new ProcessStartInfo(editor) { ArgumentList = { file }, UseShellExecute = false })
                ?? throw new CliException($"{editor} cannot be started");
            await process.WaitForExitAsync(stop).ConfigureAwait(false);
            return process.ExitCode == 0 ? Parse(file) : throw new CliException($"Editor exited with return code {process.ExitCode}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new CliException($"{editor} cannot be started: {e.Message}");
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
