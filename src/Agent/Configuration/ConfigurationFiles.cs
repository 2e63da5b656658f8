using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>Reads a configuration file, or a directory of them merged in alphabetical order (Patroni's rule).</summary>
public static class ConfigurationFiles
{
    private const long MaxBytes = 16 * 1024 * 1024;

    /// <summary>Reads a file or directory; <c>null</c> with problems when it cannot be read.</summary>
    public static SettingMap? Read(string path, ICollection<ConfigurationProblem> problems)
    {
        if (!Directory.Exists(path))
        {
            return ReadFile(path, problems);
        }

        string[] files;
        try
        {
            files = [.. Directory.EnumerateFiles(path)
                .Where(f => Path.GetExtension(f) is ".yml" or ".yaml" or ".json").Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add(new("", "cannot be read: " + e.Message, ConfigurationProblemKind.Syntax, 0, path));
            return null;
        }

        if (files.Length == 0)
        {
            problems.Add(new("", "is a directory without *.yml, *.yaml or *.json files", ConfigurationProblemKind.Missing, 0, path));
            return null;
        }

        var parts = files.Select(f => ReadFile(f, problems)).ToList();
        return parts.Contains(null) ? null : parts.Aggregate(SettingMap.Empty with { Source = path }, (all, part) => all.Merge(part!));
    }

    /// <summary>Parses text that is JSON when it looks like it, else YAML.</summary>
    public static SettingMap? Parse(string text, string source, ICollection<ConfigurationProblem> problems)
    {
        // JSON is nearly YAML, but not quite (tabs, surrogate escapes), and its errors are clearer from a JSON reader.
        if (text.TrimStart() is not ['{', ..])
        {
            return YamlDocumentReader.Read(text, source, problems);
        }

        var json = new List<ConfigurationProblem>();
        var read = JsonDocumentReader.Read(text, source, json);
        if (read is null && !source.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            var yaml = new List<ConfigurationProblem>(); // {name: x} without quotes is YAML.
            read = YamlDocumentReader.Read(text, source, yaml);
        }

        if (read is null)
        {
            json.ForEach(problems.Add);
        }

        return read;
    }

    /// <summary>Reads one value: a list, map or quoted text in YAML's flow form, anything else as it stands (so that *:5432 needs no quotes).</summary>
    public static SettingValue? ParseValue(string text, string source, ICollection<ConfigurationProblem> problems) => text.Trim() is ['[' or '{' or '"' or '\'', ..]
        ? YamlDocumentReader.Read("v: " + text.Trim(), source, problems)?["v"]
        : YamlDocumentReader.Plain(text.Trim(), 0, source);

    private static SettingMap? ReadFile(string path, ICollection<ConfigurationProblem> problems)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > MaxBytes })
            {
                problems.Add(new("", "is larger than 16 MiB; this is not a configuration file", ConfigurationProblemKind.Syntax, 0, path));
                return null;
            }

            return Parse(File.ReadAllText(path), path, problems);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var message = e is FileNotFoundException or DirectoryNotFoundException ? "does not exist" : "cannot be read: " + e.Message;
            problems.Add(new("", message, ConfigurationProblemKind.Missing, 0, path));
            return null;
        }
    }
}
