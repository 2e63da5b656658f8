using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Configuration;

public sealed class ConfigurationLoaderTests : IDisposable
{
    private readonly ConfigurationFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void A_small_file_has_Patronis_defaults()
    {
        var result = _fixture.Load(ConfigurationFixture.Minimal);
        Assert.Empty(result.Problems);
        var c = result.Configuration!;
        Assert.Equal(("node1", "batman", "/service", false), (c.Name.Value, c.Scope, c.Namespace, c.IsWitness));
        Assert.Equal(Path.Combine(_fixture.Directory, "data"), c.Postgresql!.DataDirectory);
        Assert.Equal(Path.Combine(_fixture.Directory, "raft"), c.Raft.DataDirectory);
        Assert.Equal(["127.0.0.1:7009", "127.0.0.1:7010"], c.Raft.Partners.Select(p => p.ToString()));
        Assert.Equal((500, 1000), (c.Raft.ElectionTimeoutLower.TotalMilliseconds, c.Raft.ElectionTimeoutUpper.TotalMilliseconds));
        Assert.Equal("http://127.0.0.1:8008", c.RestApi.Url);
        Assert.Equal("{}", c.Bootstrap.DynamicJson);
        Assert.Equal(1, c.Tags.FailoverPriority);
        Assert.Empty(result.Notices);
    }

    [Fact]
    public void The_sample_of_the_whole_cluster_loads_for_each_node()
    {
        var path = Path.Combine(ConfigurationFixture.RepositoryRoot, "cluster.sample.json");
        foreach (var (name, number) in new[] { ("node1", 0), ("node2", 1), ("node3", 2) })
        {
            var result = ConfigurationLoader.Load(new ConfigurationRequest { Path = path, Name = name, BaseDirectory = _fixture.Directory });
            Assert.Empty(result.Problems);
            Assert.Empty(result.Notices);
            var c = result.Configuration!;
            Assert.Equal((name, 5432 + number, 8008 + number, 7008 + number), (c.Name.Value, c.Postgresql!.Port, c.RestApi.Listen.Port, c.Raft.SelfAddress.Port));
            Assert.Equal(2, c.Raft.Partners.Length);
            Assert.DoesNotContain(c.Raft.SelfAddress, c.Raft.Partners);
            Assert.Empty(DynamicConfiguration.Validate(c.Bootstrap.DynamicJson));
            Assert.StartsWith(_fixture.Directory, c.Postgresql.DataDirectory);
        }
    }
}
