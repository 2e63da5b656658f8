using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Configuration;

public sealed class ConfigurationLoaderTests : IDisposable
{
    private readonly ConfigurationFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private string[] Problems(string text, string file = "patroni.yml", string? name = null, bool witness = false, params (string, string)[] environment) =>
        [.. _fixture.Load(text, file, name, witness, null, environment).Problems.Select(p => p.ToString().Replace(_fixture.Directory + "/", ""))];

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
        Assert.Equal((1, false, 1), (c.Tags.FailoverPriority, c.Tags.NoFailover, c.Tags.SyncPriority));
        Assert.Equal(WatchdogMode.Automatic, c.Watchdog.Mode);
        Assert.Null(c.Postgresql.Rewind);
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

    [Fact]
    public void Patronis_own_sample_moves_by_replacing_the_store()
    {
        var etcd = """
            scope: batman
            name: postgresql0
            restapi:
              listen: 127.0.0.1:8008
              connect_address: 127.0.0.1:8008
            etcd:
              host: 127.0.0.1:2379
            bootstrap:
              dcs:
                ttl: 30
                loop_wait: 10
                retry_timeout: 10
                maximum_lag_on_failover: 1048576
                postgresql:
                  use_pg_rewind: true
                  pg_hba:
                  - host replication replicator 127.0.0.1/32 md5
                  - host all all 0.0.0.0/0 md5
                  parameters:
              initdb:
              - encoding: UTF8
              - data-checksums
            postgresql:
              listen: 127.0.0.1:5432
              connect_address: 127.0.0.1:5432
              data_dir: data/postgresql0
              pgpass: /tmp/pgpass0
              authentication:
                replication: {username: replicator, password: rep-pass}
                superuser: {username: postgres, password: patroni}
                rewind: {username: rewind_user, password: rewind_password}
              parameters:
                unix_socket_directories: '..'
            tags:
                noloadbalance: false
                clonefrom: false
                nostream: false

            """;
        Assert.Equal(
        [
            "patroni.yml:6: etcd: there is no external store here: replace this section by 'raft' (self_addr, partner_addrs, data_dir, password)",
            "patroni.yml:1: raft: is missing: The nodes' own consensus group.",
        ], Problems(etcd).OrderByDescending(p => p.Contains("etcd:")));

        var moved = _fixture.Load(etcd.Replace("etcd:\n  host: 127.0.0.1:2379", "raft:\n  self_addr: 127.0.0.1:7008\n  data_dir: raft"));
        Assert.Empty(moved.Problems);
        Assert.Equal("""{"ttl":30,"loop_wait":10,"retry_timeout":10,"maximum_lag_on_failover":1048576,"postgresql":{"use_pg_rewind":true,"pg_hba":["host replication replicator 127.0.0.1/32 md5","host all all 0.0.0.0/0 md5"],"parameters":null}}""",
            moved.Configuration!.Bootstrap.DynamicJson);
        Assert.Equal(["--encoding=UTF8", "--data-checksums"], moved.Configuration.Bootstrap.InitDb.Select(o => o.ToString()));
        Assert.Contains(moved.Notices, n => n.Contains("renewed every 9.1 s"));
    }

    [Fact]
    public void All_problems_come_at_once_with_their_lines()
    {
        var problems = Problems("""
            scope: [batman]
            nmae: node1
            ttl: 30
            restapi:
              listen: 127.0.0.1
              verify_client: maybe
            raft:
              self_addr: 10.0.0.1:7008
              data_dir: raft
              partner_adrs: []
            bootstrap:
              dcs:
                ttl: long
                postgresql:
                  parameters:
                    max_connections: 3
              method: wal_e
            postgresql:
              listen: 127.0.0.1:5432
              data_dir: {}
              use_pg_rewind: perhaps
              authentication:
                superuser: {username: postgres}
            tags:
              nofailover: 3
              my_own: 3

            """);
        Assert.Equal(
        [
            "patroni.yml:1: scope: must be text, not a list",
            "patroni.yml:1: name: is missing: Name of the node, unique in the cluster.",
            "patroni.yml:2: nmae: is not a known key; did you mean 'name'?",
            "patroni.yml:3: ttl: is not a known key here; did you mean 'bootstrap.dcs.ttl'?",
            "patroni.yml:5: restapi.listen: must be host:port, not the text '127.0.0.1'",
            "patroni.yml:6: restapi.verify_client: must be one of none, optional, required, not the text 'maybe'",
            "patroni.yml:8: raft.self_addr: 10.0.0.1:7008 can be reached from other machines: set raft.password (make one with 'patroni-raft raft password') or raft.tls on all nodes",
            "patroni.yml:10: raft.partner_adrs: is not a known key; did you mean 'partner_addrs'?",
            "patroni.yml:13: bootstrap.dcs.ttl: must be a time in seconds, or with a unit (ms, s, min, h, d) from 3 s to 86400 s, not the text 'long'",
            "patroni.yml:16: bootstrap.dcs.postgresql.parameters.max_connections: must be a whole number from 25 to 262143, not 3",
            "patroni.yml:17: bootstrap.method: names 'wal_e', and there is no section bootstrap.wal_e with a command",
            "patroni.yml:20: postgresql.data_dir: must be text, not a map",
            "patroni.yml:21: postgresql.use_pg_rewind: must be a boolean (true/false, on/off, yes/no), not the text 'perhaps'",
            "patroni.yml:23: postgresql.authentication.replication: is missing: User of the standbys.",
            "patroni.yml:25: tags.nofailover: must be a boolean (true/false, on/off, yes/no), not the number 3",
        ], problems);
    }

    [Fact]
    public void Json_has_lines_too()
    {
        var problems = Problems("{\n  \"scope\": \"a\\ud83d\\ude00\",\n\t\"name\": 5,\n  \"bogus\": [\n 1],\n  \"restapi\": {}\n}", "patroni.json");
        Assert.Contains("patroni.json:4: bogus: is not a known key", problems);
        Assert.Contains("patroni.json:6: restapi.listen: is missing: host:port that the API listens on.", problems);
    }

    [Theory]
    [InlineData("a: [", "patroni.yml", 2)]
    [InlineData("scope: a\nscope: b\n", "patroni.yml", 2)]
    [InlineData("scope: a\n  name: b\n", "patroni.yml", 2)]
    [InlineData("- a\n", "patroni.yml", 1)]
    [InlineData("a: 1\n---\nb: 2\n", "patroni.yml", 3)]
    [InlineData("{\"a\": 1,\n\"a\": 2}", "patroni.json", 2)]
    [InlineData("{\"a\": 1,\n", "patroni.json", 2)]
    [InlineData("", "patroni.yml", 0)]
    public void What_cannot_be_read_is_one_problem_with_its_line(string text, string file, int line) =>
        Assert.Equal(line, Assert.Single(_fixture.Load(text, file).Problems).Line);

    [Fact]
    public void A_missing_file_and_an_empty_directory_are_named()
    {
        foreach (var path in new[] { Path.Combine(_fixture.Directory, "none.yml"), _fixture.Directory })
        {
            var problem = Assert.Single(ConfigurationLoader.Load(new ConfigurationRequest { Path = path }).Problems);
            Assert.Equal((path, ConfigurationProblemKind.Missing), (problem.Source, problem.Kind));
        }
    }

    [Fact]
    public void Files_of_a_directory_merge_in_alphabetical_order()
    {
        _fixture.Write(ConfigurationFixture.Minimal, "10-base.yml");
        _fixture.Write("name: node7\npostgresql: {bin_dir: /pg}\n", "20-own.yaml");
        _fixture.Write("not: read\n", "notes.txt");
        var c = ConfigurationLoader.Load(new ConfigurationRequest { Path = _fixture.Directory, BaseDirectory = _fixture.Directory }).Configuration!;
        Assert.Equal(("node7", "/pg", 5432), (c.Name.Value, c.Postgresql!.BinDirectory, c.Postgresql.Port));
    }

    [Fact]
    public void Environment_wins_over_the_file_and_set_over_both()
    {
        var result = _fixture.Load(ConfigurationFixture.Minimal, set: ["restapi.listen=127.0.0.1:9001", "tags.zone=b", "raft.election_timeout=1s"], environment:
        [
            ("PATRONI_NAME", "other"), ("PATRONI_RESTAPI_LISTEN", "127.0.0.1:9000"), ("PATRONI_RESTAPI_CONNECT_ADDRESS", "127.0.0.1:9000"),
            ("PATRONI_RAFT_PARTNER_ADDRS", "'127.0.0.1:1','127.0.0.1:2'"), ("PATRONI_SUPERUSER_PASSWORD", "yes"), ("PATRONI_REWIND_USERNAME", "rew"),
            ("PATRONI_POSTGRESQL_BIN_PG_CTL", "pg_ctl_15"), ("PATRONI_RESTAPI_USERNAME", "u"), ("PATRONI_RESTAPI_PASSWORD", "p"),
            ("PATRONI_RESTAPI_HTTP_EXTRA_HEADERS", "'X-A': 'b'"), ("PATRONI_RESTAPI_ALLOWLIST_INCLUDE_MEMBERS", "true"), ("PATRONI_SCOPE", ""),
            ("PATRONI_LOGLEVEL", "DEBUG"), ("PATRONI_SOMETHING_ELSE", "x"), ("PATRONI_POSTGRESQL_DATADIR", "y"),
        ]);
        Assert.Empty(result.Problems);
        var c = result.Configuration!;
        Assert.Equal(("other", "batman", 9001, 9000), (c.Name.Value, c.Scope, c.RestApi.Listen.Port, c.RestApi.ConnectAddress.Port));
        Assert.Equal([1, 2], c.Raft.Partners.Select(p => p.Port));
        Assert.Equal(("yes", "rew", "pg_ctl_15"), (c.Postgresql!.Superuser.Password, c.Postgresql.Rewind!.Username, c.Postgresql.BinNames["pg_ctl"]));
        Assert.Equal(new BasicCredentials("u", "p"), c.RestApi.Authentication);
        Assert.Equal(c.RestApi.Authentication, c.Ctl.Authentication);
        Assert.Equal(KeyValuePair.Create("X-A", "b"), Assert.Single(c.RestApi.HttpExtraHeaders));
        Assert.True(c.RestApi.AllowlistIncludeMembers);
        Assert.Equal(Microsoft.Extensions.Logging.LogLevel.Debug, c.Log.Level);
        Assert.Equal("b", SettingReader.Text(c.Tags.Reported["zone"]));
        Assert.Equal(1000, c.Raft.ElectionTimeoutLower.TotalMilliseconds);
        Assert.Contains("PATRONI_POSTGRESQL_DATA_DIR", Assert.Single(result.Notices));
    }

    [Fact]
    public void A_wrong_variable_is_named()
    {
        var problem = Assert.Single(Problems(ConfigurationFixture.Minimal, environment: ("PATRONI_RESTAPI_LISTEN", "nowhere")));
        Assert.StartsWith("environment variable PATRONI_RESTAPI_LISTEN: restapi.listen: must be host:port", problem);
    }

    [Fact]
    public void The_whole_configuration_may_be_one_variable_and_then_no_other_counts()
    {
        var result = ConfigurationLoader.Load(new ConfigurationRequest
        {
            Environment = new Dictionary<string, string> { ["PATRONI_CONFIGURATION"] = ConfigurationFixture.Minimal, ["PATRONI_NAME"] = "ignored" },
        });
        Assert.Equal("node1", result.Configuration!.Name.Value);
    }

    [Fact]
    public void Variables_alone_make_a_configuration()
    {
        var result = ConfigurationLoader.Load(new ConfigurationRequest
        {
            Environment = new Dictionary<string, string>
            {
                ["PATRONI_NAME"] = "n", ["PATRONI_SCOPE"] = "s", ["PATRONI_RESTAPI_LISTEN"] = "127.0.0.1:8008", ["PATRONI_RAFT_SELF_ADDR"] = "127.0.0.1:7008",
                ["PATRONI_RAFT_DATA_DIR"] = "/r", ["PATRONI_POSTGRESQL_LISTEN"] = "127.0.0.1:5432", ["PATRONI_POSTGRESQL_DATA_DIR"] = "/d",
                ["PATRONI_SUPERUSER_USERNAME"] = "postgres", ["PATRONI_REPLICATION_USERNAME"] = "rep",
            },
        });
        Assert.Empty(result.Problems);
        Assert.Equal("/d", result.Configuration!.Postgresql!.DataDirectory);
    }

    [Fact]
    public void A_nodes_section_is_merged_over_the_shared_settings()
    {
        const string Cluster = """
            scope: s
            raft: {password: secret, election_timeout: 300ms}
            tags: {zone: a, nofailover: true}
            postgresql:
              authentication: {superuser: {username: postgres}, replication: {username: rep}}
            nodes:
              a:
                restapi: {listen: "127.0.0.1:8008"}
                raft: {self_addr: "10.0.0.1:7008", data_dir: ra}
                postgresql: {listen: "127.0.0.1:5432", data_dir: da}
                tags: {nofailover: null, failover_priority: 2}
              b:
                restapi: {listen: "127.0.0.1:8009"}
                raft: {self_addr: "10.0.0.2:7008", data_dir: rb}
                postgresql: {listen: "127.0.0.1:5433", data_dir: db}
              late:
                restapi: {listen: "127.0.0.1:8010"}
                raft: {self_addr: "10.0.0.3:7008", data_dir: rc, join: ["http://127.0.0.1:8008"]}
                postgresql: {listen: "127.0.0.1:5434", data_dir: dc}

            """;
        var a = _fixture.Load(Cluster, name: "a").Configuration!;
        Assert.Equal(("10.0.0.2:7008", 300, 2, false), (Assert.Single(a.Raft.Partners).ToString(), a.Raft.ElectionTimeoutLower.TotalMilliseconds, a.Tags.FailoverPriority, a.Tags.NoFailover));
        var late = _fixture.Load(Cluster, environment: ("PATRONI_NAME", "late")).Configuration!;
        Assert.Empty(late.Raft.Partners);
        Assert.Equal("http://127.0.0.1:8008/", Assert.Single(late.Raft.Join).ToString());
        var moved = _fixture.Load(Cluster, name: "a", set: ["nodes.b.raft.self_addr=10.0.0.9:7008"]).Configuration!;
        Assert.Equal("10.0.0.9:7008", Assert.Single(moved.Raft.Partners).ToString());
        Assert.Contains("one of a, b, late", Assert.Single(_fixture.Load(Cluster).Problems).Message);
        Assert.Contains("no node 'c'", Assert.Single(_fixture.Load(Cluster, name: "c").Problems).Message);
    }

    [Fact]
    public void A_witness_needs_no_PostgreSQL()
    {
        const string Witness = "scope: s\nname: w\nrestapi: {listen: \"127.0.0.1:8011\"}\nraft: {self_addr: \"127.0.0.1:7011\", data_dir: r}\n";
        Assert.Null(_fixture.Load(Witness, witness: true).Configuration!.Postgresql);
        Assert.Equal("patroni.yml:1: postgresql: is missing: The PostgreSQL instance.", Assert.Single(Problems(Witness)));
    }

    [Theory]
    [InlineData("raft.self_addr=0.0.0.0:7008", "raft.self_addr")]
    [InlineData("raft.bind_addr=0.0.0.0:7008", "raft.bind_addr")]
    [InlineData("raft.bind_addr=db1:7008", "raft.bind_addr")]
    [InlineData("raft.join=[http://x:8008]", "raft.join")]
    [InlineData("raft.partner_addrs=[nowhere]", "raft.partner_addrs")]
    [InlineData("raft.self_addr=127.0.0.1:8008", "raft.self_addr")]
    [InlineData("postgresql.listen=*:8008", "postgresql.listen")]
    [InlineData("restapi.verify_client=required", "restapi.verify_client")]
    [InlineData("restapi.keyfile=/k", "restapi.keyfile")]
    [InlineData("restapi.connect_address=0.0.0.0:8008", "restapi.connect_address")]
    [InlineData("postgresql.create_replica_methods=[wal_e, basebackup]", "postgresql.create_replica_methods")]
    [InlineData("postgresql.wal_e={keep_data: true}", "postgresql.wal_e")]
    [InlineData("name=a/b", "name")]
    [InlineData("name=__patroni_strict_sync_replica_placeholder__", "name")]
    [InlineData("raft.election_timeout=5s", "bootstrap.dcs.ttl")]
    [InlineData("bootstrap.dcs={ttl: 5, loop_wait: 2}", "bootstrap.dcs.ttl")]
    [InlineData("citus={group: 0, database: c}", "citus")]
    public void Values_that_cannot_go_together_are_refused_with_their_key(string set, string path) =>
        Assert.Contains(_fixture.Load(ConfigurationFixture.Minimal, set: [set]).Problems, p => p.Path == path);

    [Theory]
    [InlineData("raft.bind_addr=0.0.0.0:7008", "raft.password=secret")]
    [InlineData("raft.bind_addr=0.0.0.0:7008", "raft.tls={certfile: c, keyfile: k, cafile: a}")]
    [InlineData("raft.bind_addr=localhost:7008", "raft.self_addr=db1:7008")]
    [InlineData("postgresql.create_replica_methods=[wal_e]", "postgresql.wal_e={command: x, threads: 4}")]
    [InlineData("bootstrap.method=mine", "bootstrap.mine={command: x, no_params: true, threads: 4}")]
    [InlineData("watchdog.mode=off", "watchdog.safety_margin=-1")]
    public void Values_that_can_go_together(string first, string second) =>
        Assert.Empty(_fixture.Load(ConfigurationFixture.Minimal, set: [first, second]).Problems);

    [Fact]
    public void Ignored_values_are_said()
    {
        var result = _fixture.Load(ConfigurationFixture.Minimal, set:
            ["postgresql.parameters={max_connections: 200, port: 7, work_mem: 4MB}", "postgresql.use_slots=false", "tags={nofailover: true, failover_priority: 5}", "log.format=x"]);
        Assert.Empty(result.Problems);
        Assert.Equal(5, result.Notices.Count);
    }

    [Fact]
    public void Yaml_anchors_and_merge_keys_are_read()
    {
        var result = _fixture.Load(ConfigurationFixture.Minimal + "tags: &t {zone: a, nosync: yes}\nlog:\n  loggers: {<<: *t, zone: b}\n");
        Assert.Empty(result.Problems);
        Assert.Equal("b", result.Configuration!.Log.Loggers["zone"]);
        Assert.True(result.Configuration.Tags.NoSync);
    }

    [Fact]
    public void Secrets_are_never_in_a_message()
    {
        var problems = Problems(ConfigurationFixture.Minimal.Replace("password: a", "password: [hunter2]"));
        Assert.DoesNotContain("hunter2", Assert.Single(problems));
    }
}
