using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Configuration;

/// <summary>Every setting of a node with its value and who decided it.</summary>
public sealed class EffectiveSettingsTests : IDisposable
{
    private readonly ConfigurationFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void A_value_comes_from_a_default_the_cluster_the_file_or_a_variable()
    {
        var read = _fixture.Load(ConfigurationFixture.Minimal + "tags: {clonefrom: true, datacenter: north}\n", environment:
            [("PATRONI_RESTAPI_LISTEN", "127.0.0.1:9009"), ("PATRONI_SUPERUSER_USERNAME", "admin"), ("PATRONI_RAFT_PASSWORD", "a-secret-of-the-group")]);
        Assert.Empty(read.Problems);
        var all = EffectiveSettings.List(read.Configuration!, DynamicConfiguration.ReadAccepted("""{"ttl": 20}""")).ToDictionary(s => s.Path, s => (s.Value, s.Origin));
        Assert.Equal(("batman", SettingOrigin.Local), all["scope"]);
        Assert.Equal(("127.0.0.1:9009", SettingOrigin.Environment), all["restapi.listen"]);
        Assert.Equal(("none", SettingOrigin.Default), all["restapi.verify_client"]);
        Assert.Equal(("***", SettingOrigin.Environment), all["raft.password"]);
        Assert.Equal(("raft", SettingOrigin.Local), all["raft.data_dir"]);
        Assert.Equal(("500ms", SettingOrigin.Default), all["raft.election_timeout"]);
        Assert.Equal(("north", SettingOrigin.Local), all["tags.datacenter"]);
        Assert.Equal(("true", SettingOrigin.Local), all["tags.clonefrom"]);
        Assert.Equal(("1", SettingOrigin.Default), all["tags.failover_priority"]);
        Assert.Equal(("admin", SettingOrigin.Environment), all["postgresql.authentication.superuser.username"]);
        Assert.Equal(("***", SettingOrigin.Local), all["postgresql.authentication.superuser.password"]);
        Assert.Equal(("20", SettingOrigin.Dynamic), all["ttl"]);
        Assert.Equal(("3", SettingOrigin.Default), all["retry_timeout"]);
        Assert.Equal(("false", SettingOrigin.Default), all["postgresql.use_unix_socket"]);
    }
}
