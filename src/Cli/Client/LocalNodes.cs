using System.Text;

namespace Patroni.Raft.Cli.Client;

/// <summary>An agent that runs on this machine.</summary>
/// <param name="ConfigFile">Its configuration file or directory; <c>null</c> when it is configured by the environment alone.</param>
/// <param name="Environment">Its PATRONI_* variables.</param>
/// <param name="Directory">Its working directory.</param>
public sealed record LocalAgent(string? ConfigFile, IReadOnlyDictionary<string, string> Environment, string Directory);

/// <summary>The nodes of this machine: by their files, or by their running agents as far as this user may see them.</summary>
/// <param name="directory">Where packages put one file for each node.</param>
/// <param name="processes">The kernel's view of processes.</param>
public sealed class LocalNodes(string directory, string processes)
{
    /// <summary>Where the files of nodes are.</summary>
    public string Directory => directory;

    /// <summary>The configuration files that this user may read.</summary>
    public IReadOnlyList<string> Files()
    {
        try
        {
            return [.. System.IO.Directory.EnumerateFiles(directory).Where(f => Path.GetExtension(f) is ".yml" or ".yaml" or ".json").Where(IsReadable).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>The running agents.</summary>
    public IReadOnlyList<LocalAgent> Agents()
    {
        try
        {
            return [.. System.IO.Directory.EnumerateDirectories(processes)
                .Where(d => Path.GetFileName(d).All(char.IsAsciiDigit)).Select(AgentOf).OfType<LocalAgent>().DistinctBy(a => a.ConfigFile ?? a.GetHashCode().ToString())];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static bool IsReadable(string file)
    {
        try
        {
            using var open = File.OpenRead(file);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static LocalAgent? AgentOf(string process)
    {
        try
        {
            var words = Words(Path.Combine(process, "cmdline"));
            // Native: patroni-raft run FILE; with a runtime: dotnet .../patroni-raft.dll run FILE.
            var program = words.FindIndex(w => Path.GetFileName(w) is "patroni-raft" or "patroni-raft.dll");
            if (program is < 0 or > 1 || words.ElementAtOrDefault(program + 1) is not ("run" or "witness"))
            {
                return null;
            }

            var home = new DirectoryInfo(Path.Combine(process, "cwd")).LinkTarget ?? "/";
            var file = words.ElementAtOrDefault(program + 2) is { Length: > 0 } next && !next.StartsWith('-') ? Path.Combine(home, next) : null;
            var variables = Words(Path.Combine(process, "environ")).Where(v => v.StartsWith("PATRONI", StringComparison.Ordinal)).Select(v => v.Split('=', 2))
                .Where(v => v.Length == 2).DistinctBy(v => v[0]).ToDictionary(v => v[0], v => v[1], StringComparer.Ordinal);
            return file is null || IsReadable(file) || System.IO.Directory.Exists(file) ? new(file, variables, home) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // It ended, or belongs to somebody else.
        }
    }

    private static List<string> Words(string file) => [.. Encoding.UTF8.GetString(File.ReadAllBytes(file)).Split('\0', StringSplitOptions.RemoveEmptyEntries)];
}
