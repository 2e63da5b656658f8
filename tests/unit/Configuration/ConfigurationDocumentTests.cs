using Xunit;

namespace Patroni.Raft.UnitTests.Configuration;

public sealed class ConfigurationDocumentTests
{
    [Fact]
    public void Docs_hold_every_key_of_the_schema()
    {
        var path = Path.Combine(ConfigurationFixture.RepositoryRoot, "docs", "configuration.md");
        var text = File.ReadAllText(path);
        var begin = text.IndexOf(ConfigurationDocument.Begin, StringComparison.Ordinal) + ConfigurationDocument.Begin.Length;
        var end = text.IndexOf(ConfigurationDocument.End, StringComparison.Ordinal);
        Assert.True(begin > 0 && end >= begin, "docs/configuration.md lost the marks of its tables");
        var wanted = "\n" + ConfigurationDocument.Tables() + "\n";
        if (Environment.GetEnvironmentVariable("PATRONI_RAFT_UPDATE_DOCS") == "1")
        {
            File.WriteAllText(path, text[..begin] + wanted + text[end..]);
            return;
        }

        Assert.True(text[begin..end] == wanted, "docs/configuration.md is stale: run PATRONI_RAFT_UPDATE_DOCS=1 dotnet test tests/unit --filter ConfigurationDocument");
    }
}
