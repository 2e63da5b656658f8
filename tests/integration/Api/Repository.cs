using System.Runtime.CompilerServices;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>The work tree, as it was when the tests were compiled.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static string FindRoot([CallerFilePath] string here = "")
    {
        string? directory = Environment.GetEnvironmentVariable("PATRONI_RAFT_ROOT") is { Length: > 0 } given ? given : Path.GetDirectoryName(here);
        while (directory is not null && !File.Exists(Path.Combine(directory, "Patroni.Raft.sln"))) directory = Path.GetDirectoryName(directory);
        return directory ?? throw new InvalidOperationException($"No directory above {here} holds Patroni.Raft.sln.");
    }
}
