using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Verbs;

/// <summary>The changes of <c>edit-config</c> that its options ask for, applied in patronictl's order.</summary>
/// <param name="Replace">File that replaces everything, or - for standard input.</param>
/// <param name="Apply">File that is merged, or - for standard input.</param>
/// <param name="Pairs">Single values, PATH=VALUE.</param>
internal sealed record ConfigChanges(string? Replace, string? Apply, IReadOnlyList<string> Pairs)
{
    private const string Parameters = "postgresql.parameters.";

    /// <summary>Nothing was asked for: an editor it is.</summary>
    public bool IsEmpty => Replace is null && Apply is null && Pairs.Count == 0;

    /// <summary>Standard input is taken, so that no question can be answered.</summary>
    public bool FromInput => Replace == "-" || Apply == "-";

    /// <summary>The document as the cluster will keep it: through JSON, so that "on" from a YAML file is the same true as there.</summary>
    public static SettingMap Plain(SettingMap document) => SettingJson.ParseObject(SettingJson.Write(document), new List<ConfigurationProblem>())!;

    /// <summary>The changed document.</summary>
    /// <exception cref="CliException">A file cannot be read, or a pair is none.</exception>
    public SettingMap ApplyTo(SettingMap current, TextReader input)
    {
        current = Replace is null ? current : SettingMap.Empty.Merge(Read(Replace, input));
        current = Apply is null ? current : current.Merge(Read(Apply, input));
        foreach (var pair in Pairs)
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

    /// <summary>Reads a document from a file or from text.</summary>
    /// <exception cref="CliException">It cannot be read; the message names every problem.</exception>
    public static SettingMap Read(string file, TextReader input)
    {
        var problems = new List<ConfigurationProblem>();
        var read = file == "-" ? ConfigurationFiles.Parse(input.ReadToEnd(), "standard input", problems) : ConfigurationFiles.Read(file, problems);
        return read ?? throw new CliException(string.Join('\n', problems));
    }

    // Names of parameters may hold dots (extensions' settings), so everything behind postgresql.parameters. is one name.
    private static IEnumerable<string> PathOf(string path) =>
        path.StartsWith(Parameters, StringComparison.Ordinal) ? ["postgresql", "parameters", path[Parameters.Length..]] : path.Split('.');

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
}
