using System.Collections.Immutable;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>Where a configuration comes from.</summary>
public sealed record ConfigurationRequest
{
    /// <summary>File, or directory of *.yml, *.yaml and *.json files read in alphabetical order; <c>null</c> uses the environment.</summary>
    public string? Path { get; init; }

    /// <summary>The node in a file for the whole cluster (<c>--name</c>); overrides <c>name</c> elsewhere.</summary>
    public string? Name { get; init; }

    /// <summary>The environment variables.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary><c>path=value</c> settings of the command line (<c>--set</c>); they win over everything.</summary>
    public IReadOnlyList<string> Overrides { get; init; } = [];

    /// <summary>A voter without PostgreSQL: the postgresql section is not needed.</summary>
    public bool Witness { get; init; }

    /// <summary>Relative paths start here: the working directory, as in Patroni.</summary>
    public string BaseDirectory { get; init; } = System.Environment.CurrentDirectory;

    /// <summary>The environment of this process.</summary>
    public static IReadOnlyDictionary<string, string> ProcessEnvironment() =>
        System.Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
            .ToImmutableDictionary(e => (string)e.Key, e => (string?)e.Value ?? "", StringComparer.Ordinal);
}

/// <summary>A configuration, or everything that is wrong with it.</summary>
/// <param name="Configuration"><c>null</c> when there is any problem.</param>
/// <param name="Problems">All problems, in the order of the file.</param>
/// <param name="Notices">What is accepted and deserves a word.</param>
public sealed record ConfigurationResult(
    NodeConfiguration? Configuration, IReadOnlyList<ConfigurationProblem> Problems, IReadOnlyList<string> Notices);

/// <summary>
/// Reads, merges and checks a node's configuration. Touches nothing on disk but the files it reads; reports all problems at once.
/// </summary>
public static class ConfigurationLoader
{
    /// <summary>Loads a configuration.</summary>
    public static ConfigurationResult Load(ConfigurationRequest request)
    {
        var problems = new List<ConfigurationProblem>();
        var notices = new List<string>();
        var document = Merge(request, problems, notices, out var source);
        if (document is null || problems.Count > 0)
        {
            return new(null, problems, notices);
        }

        var schema = request.Witness ? LocalConfigurationSchema.Witness : LocalConfigurationSchema.Root;
        var local = ForeignSections.TakeOut(document, problems);
        new SettingValidator(schema, SettingPlaces.Local, problems).Validate(local);
        LocalConfigurationRules.Check(local, request.Witness, problems, notices);
        LocalNotices.Add(schema, local, notices);
        if (problems.Count > 0)
        {
            return new(null, [.. problems.OrderBy(p => p.Line == 0 ? int.MaxValue : p.Line)], notices);
        }

        return new(NodeConfigurationReader.Read(local, request.Witness, source, request.BaseDirectory, [.. notices]), [], notices);
    }

    private static SettingMap? Merge(ConfigurationRequest request, List<ConfigurationProblem> problems, List<string> notices, out string source)
    {
        var fromVariable = false;
        SettingMap? document;
        if (request.Path is { } path)
        {
            source = path;
            document = ConfigurationFiles.Read(path, problems);
        }
        else if (request.Environment.TryGetValue(EnvironmentVariables.WholeConfiguration, out var whole) && whole.Length > 0)
        {
            source = "environment variable " + EnvironmentVariables.WholeConfiguration;
            document = ConfigurationFiles.Parse(whole, source, problems);
            fromVariable = true;
        }
        else
        {
            source = "environment";
            document = SettingMap.Empty;
        }

        if (document is null)
        {
            return null;
        }

        var overrides = ConfigurationOverrides.Parse(request.Overrides, problems);
        document = ConfigurationOverrides.Apply(document, overrides.Where(o => o.Path[0] == ClusterFile.NodesKey));
        var environment = fromVariable ? SettingMap.Empty : EnvironmentVariables.Read(request.Environment, problems, notices);
        var node = ClusterFile.Select(document, request.Name ?? SettingReader.Text(environment["name"]), problems);
        if (node is null)
        {
            return null;
        }

        node = node.Merge(environment);
        node = ConfigurationOverrides.Apply(node, overrides.Where(o => o.Path[0] != ClusterFile.NodesKey));
        return request.Name is null ? node : node.With("name", new SettingScalar(request.Name, SettingScalarKind.Text, 0, "--name"));
    }
}
