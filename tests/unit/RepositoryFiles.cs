using System.Runtime.CompilerServices;
using Xunit;

namespace Patroni.Raft.UnitTests;

/// <summary>Files of the repository that tests compare with what the code says; <c>UPDATE_GOLDEN=1</c> rewrites them for review.</summary>
internal static class RepositoryFiles
{
    /// <summary>The repository's root, as it was when the tests were compiled.</summary>
    public static string Root { get; } = FindRoot();

    private static string FindRoot([CallerFilePath] string here = "")
    {
        string? directory = Path.GetDirectoryName(here);
        while (directory is not null && !File.Exists(Path.Combine(directory, "Patroni.Raft.sln"))) directory = Path.GetDirectoryName(directory);
        return directory ?? throw new InvalidOperationException($"No directory above {here} holds Patroni.Raft.sln.");
    }

    /// <summary>Fails when a file differs from what the code produces, or writes it when asked to.</summary>
    public static void MustBe(string path, string produced)
    {
        string file = Path.Combine(Root, path);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, produced);
            return;
        }
        string stored = File.Exists(file) ? File.ReadAllText(file) : "";
        Assert.True(stored == produced, $"{path} is stale; run the tests with UPDATE_GOLDEN=1 and review the difference.\n{FirstDifference(stored, produced)}");
    }

    private static string FirstDifference(string stored, string produced)
    {
        string[] left = stored.Split('\n'), right = produced.Split('\n');
        int line = 0;
        while (line < left.Length && line < right.Length && left[line] == right[line]) line++;
        return $"line {line + 1}\n  stored:   {left.ElementAtOrDefault(line)}\n  produced: {right.ElementAtOrDefault(line)}";
    }
}
