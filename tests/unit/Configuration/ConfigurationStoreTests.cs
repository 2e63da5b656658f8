using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Configuration;

public sealed class ConfigurationStoreTests : IDisposable
{
    private readonly ConfigurationFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private ConfigurationStore Open()
    {
        var request = new ConfigurationRequest { Path = _fixture.Write(ConfigurationFixture.Minimal), BaseDirectory = _fixture.Directory };
        return new ConfigurationStore(request, ConfigurationLoader.Load(request).Configuration!);
    }

    [Fact]
    public void A_reload_takes_new_values()
    {
        var store = Open();
        _fixture.Write(ConfigurationFixture.Minimal + "tags: {nofailover: true}\n");
        Assert.Empty(store.Reload().Problems);
        Assert.True(store.Current.Tags.NoFailover);
    }

    [Fact]
    public void A_wrong_file_changes_nothing()
    {
        var store = Open();
        var before = store.Current;
        _fixture.Write(ConfigurationFixture.Minimal + "tags: {nofailover: 3}\nbogus: 1\n");
        Assert.Equal(2, store.Reload().Problems.Count);
        Assert.Same(before, store.Current);
        File.Delete(Path.Combine(_fixture.Directory, "patroni.yml"));
        Assert.Single(store.Reload().Problems);
        Assert.Same(before, store.Current);
    }

    [Fact]
    public void Identity_directories_and_the_group_stay_until_a_restart()
    {
        var store = Open();
        _fixture.Write(ConfigurationFixture.Minimal.Replace("name: node1", "name: other").Replace("data_dir: data", "data_dir: moved").Replace("7009", "7019")
            .Replace("listen: 127.0.0.1:5432", "listen: 127.0.0.1:5555"));
        var result = store.Reload();
        Assert.Empty(result.Problems);
        Assert.Equal(3, result.Notices.Count);
        var now = store.Current;
        Assert.Equal(("node1", 5555), (now.Name.Value, now.Postgresql!.Port));
        Assert.EndsWith("/data", now.Postgresql.DataDirectory);
        Assert.Contains(now.Raft.Partners, p => p.Port == 7009);
    }

    [Fact]
    public void The_cached_dynamic_configuration_is_replaced_whole_and_readable_like_the_directory()
    {
        Assert.Equal((null, null), DynamicConfigurationCache.Read(_fixture.Directory));
        File.SetUnixFileMode(_fixture.Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute);
        var path = Path.Combine(_fixture.Directory, DynamicConfigurationCache.FileName);
        File.WriteAllText(path + ".tmp", "left by a crash");
        Assert.Null(DynamicConfigurationCache.Write(_fixture.Directory, """{"ttl": 30}"""));
        Assert.Null(DynamicConfigurationCache.Write(_fixture.Directory, """{"ttl": 20}"""));
        Assert.Equal(("""{"ttl": 20}""", null), DynamicConfigurationCache.Read(_fixture.Directory));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, File.GetUnixFileMode(path));
        Assert.False(File.Exists(path + ".tmp"));
    }

    [Theory]
    [InlineData("{\"ttl\": 20")]
    [InlineData("{\"ttl\": 1}")]
    [InlineData("")]
    public void A_broken_cache_is_reported_and_not_used(string text)
    {
        File.WriteAllText(Path.Combine(_fixture.Directory, DynamicConfigurationCache.FileName), text);
        var (json, problem) = DynamicConfigurationCache.Read(_fixture.Directory);
        Assert.Null(json);
        Assert.EndsWith(DynamicConfigurationCache.FileName, problem!.Source);
    }

    [Fact]
    public void A_cache_that_cannot_be_written_is_reported() =>
        Assert.NotNull(DynamicConfigurationCache.Write(Path.Combine(_fixture.Directory, "missing"), "{}"));

    [Fact]
    public void Missing_programs_and_certificates_are_named_by_their_key()
    {
        var c = _fixture.Load(ConfigurationFixture.Minimal, set: ["postgresql.bin_dir=/nowhere", "restapi.certfile=/nowhere/cert.pem"]).Configuration!;
        Assert.Equal(["postgresql.bin_dir", "restapi.certfile"], HostChecks.Check(c).Select(p => p.Path));
        var other = _fixture.Load(ConfigurationFixture.Minimal, set: ["postgresql.bin_dir=/usr/lib"]).Configuration!;
        Assert.Contains("postgres", Assert.Single(HostChecks.Check(other)).Message);
    }
}
