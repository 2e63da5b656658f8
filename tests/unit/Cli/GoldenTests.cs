using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>Every verb and format against a fixed cluster: Golden/*.txt hold what is printed, asked, sent and returned. UPDATE_GOLDEN=1 rewrites them for review.</summary>
public sealed class GoldenTests
{
    private const string Folder = "tests/unit/Cli/Golden";

    public static TheoryData<string> Scripts => [.. Directory.EnumerateFiles(Path.Combine(RepositoryFiles.Root, Folder), "*.txt").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Scripts))]
    public async Task Script(string name)
    {
        await using var api = await FakeApi.StartAsync();
        var directory = Directory.CreateTempSubdirectory("golden-");
        try
        {
            var path = $"{Folder}/{name}.txt";
            RepositoryFiles.MustBe(path, await new GoldenScript(api, directory.FullName).RunAsync(await File.ReadAllTextAsync(Path.Combine(RepositoryFiles.Root, path))));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }
}
