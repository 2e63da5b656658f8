using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Configuration;

public sealed class EffectivePostgresTests : IDisposable
{
    private const string Dynamic = """
        {"postgresql": {"use_slots": false, "use_pg_rewind": true, "pg_hba": ["dynamic"], "pg_ctl_timeout": 5, "wal_e": {"command": "from dcs", "no_master": 1, "threads": 4},
         "create_replica_methods": ["wal_e", "basebackup"], "basebackup": {"max-rate": "100M"}, "callbacks": {"on_start": "a"},
         "parameters": {"max_connections": 200, "work_mem": "4MB", "Shared_Buffers": "1GB", "port": 1, "hot_standby": "off"}}}
        """;

    private readonly ConfigurationFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private (NodeConfiguration Node, DynamicConfiguration Dynamic) Load(string dynamic, params string[] set)
    {
        var result = _fixture.Load(ConfigurationFixture.Minimal, set: set);
        Assert.Empty(result.Problems);
        var (read, problems) = DynamicConfiguration.Parse(dynamic);
        Assert.Empty(problems);
        return (result.Configuration!, read!);
    }

    private EffectivePostgres Merge(string dynamic, params string[] set)
    {
        var (node, read) = Load(dynamic, set);
        return EffectivePostgres.Merge(node.Scope, node.Postgresql!, read.Postgresql);
    }

    [Fact]
    public void Local_values_win_key_by_key()
    {
        var merged = Merge(Dynamic, "postgresql.pg_hba=[local]", "postgresql.use_pg_rewind=off", "postgresql.pg_ctl_timeout=1min");
        Assert.Equal(["local"], merged.PgHba!.Value.ToArray());
        Assert.False(merged.UsePgRewind);
        Assert.Equal(TimeSpan.FromMinutes(1), merged.PgCtlTimeout);
        Assert.Equal("a", merged.Callbacks.OnStart);
        Assert.Null(merged.PgIdent);
    }

    [Theory]
    [InlineData("max_connections", "200", SettingOrigin.Dynamic)] // Only the cluster may set it.
    [InlineData("max_worker_processes", "8", SettingOrigin.Default)]
    [InlineData("work_mem", "64MB", SettingOrigin.Local)]
    [InlineData("shared_buffers", "1GB", SettingOrigin.Dynamic)]
    [InlineData("port", "5432", SettingOrigin.Agent)]
    [InlineData("hot_standby", "on", SettingOrigin.Agent)]
    [InlineData("wal_log_hints", "on", SettingOrigin.Agent)]
    [InlineData("cluster_name", "batman", SettingOrigin.Agent)]
    [InlineData("listen_addresses", "127.0.0.1", SettingOrigin.Agent)]
    [InlineData("my.setting", "x", SettingOrigin.Local)]
    public void Parameters_merge_by_name_with_Patronis_exceptions(string name, string value, SettingOrigin origin)
    {
        var merged = Merge(Dynamic, "postgresql.parameters={max_connections: 70, max_worker_processes: 3, WORK_MEM: 64MB, port: 9, my.setting: x}");
        Assert.Equal((value, origin), (merged.Parameters[name].Value, merged.Parameters[name].Origin));
    }

    [Fact]
    public void Slots_are_decided_by_the_cluster_alone() => Assert.False(Merge(Dynamic, "postgresql.use_slots=true").UseSlots);

    [Fact]
    public void Replica_methods_keep_their_order_and_pass_unknown_keys_on()
    {
        var methods = Merge(Dynamic).CreateReplicaMethods;
        Assert.Equal(["wal_e", "basebackup"], methods.Select(m => m.Name));
        Assert.Equal(("from dcs", true, false, "--threads=4"), (methods[0].Command, methods[0].NoLeader, methods[0].KeepData, Assert.Single(methods[0].Options).ToString()));
        Assert.Equal("--max-rate=100M", Assert.Single(methods[1].Options).ToString());
        Assert.True(Assert.Single(Merge("{}").CreateReplicaMethods).IsBaseBackup);
    }

    [Fact]
    public void The_instance_gets_everything_but_what_the_agent_sets_itself()
    {
        var (node, dynamic) = Load(Dynamic, "postgresql.parameters={unix_socket_directories: '/a, /b'}", "postgresql.listen=127.0.0.1,127.0.0.2:5444");
        var settings = AgentSettings.ForPostgres(node, dynamic);
        Assert.Equal((5444, "127.0.0.1", 5432), (settings.Port, settings.ConnectAddress.Host, settings.ConnectAddress.Port));
        Assert.Equal(["127.0.0.1", "127.0.0.2"], settings.ListenAddresses.ToArray());
        Assert.Equal(["/a", "/b"], settings.UnixSocketDirectories.ToArray());
        Assert.Equal("200", settings.Parameters["max_connections"]);
        Assert.False(settings.Parameters.ContainsKey("port") || settings.Parameters.ContainsKey("hot_standby"));
        Assert.Equal(settings.DataDir + ".agent", settings.StateDirectory);
        Assert.Null(settings.ConfigDir);
    }

    [Fact]
    public void The_raft_node_gets_self_and_partners_or_joins()
    {
        var (first, _) = Load("{}", "raft.bind_addr=127.0.0.2:7008", "raft.election_timeout=300ms");
        var (options, problem) = AgentSettings.ForRaft(first);
        Assert.Null(problem);
        Assert.Equal(("127.0.0.2:7008", 3, false, 600), (options!.BindEndPoint.ToString(), options.InitialMembers.Length, options.Join, options.ElectionTimeoutUpper.TotalMilliseconds));
        var (late, _) = Load("{}", "raft.partner_addrs=null", "raft.join=[http://127.0.0.1:8008]");
        Assert.True(AgentSettings.ForRaft(late).Options!.Join);
        Assert.Empty(AgentSettings.ForRaft(late).Options!.InitialMembers);
        var (lost, _) = Load("{}", "raft.bind_addr=no.such.host.invalid:7008", "raft.password=x");
        Assert.Equal("raft.bind_addr", AgentSettings.ForRaft(lost).Problem!.Path);
    }

    [Fact]
    public void Effective_settings_name_value_and_source_and_mask_secrets()
    {
        var (node, dynamic) = Load("""{"ttl": 20, "postgresql": {"use_pg_rewind": true}}""", "postgresql.parameters={work_mem: 64MB}");
        var all = EffectiveSettings.List(node, dynamic).ToDictionary(s => s.Path);
        Assert.Equal(("20", SettingOrigin.Dynamic), (all["ttl"].Value, all["ttl"].Origin));
        Assert.Equal(("2", SettingOrigin.Default), (all["loop_wait"].Value, all["loop_wait"].Origin));
        Assert.Equal(SettingOrigin.Dynamic, all["postgresql.use_pg_rewind"].Origin);
        Assert.Equal(("data", SettingOrigin.Local), (all["postgresql.data_dir"].Value, all["postgresql.data_dir"].Origin));
        Assert.Equal("***", all["postgresql.authentication.superuser.password"].Value);
        Assert.Equal(("64MB", SettingOrigin.Local), (all["postgresql.parameters.work_mem"].Value, all["postgresql.parameters.work_mem"].Origin));
    }
}
