using System.Collections.Immutable;
using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Cli.Generation;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>First configuration files: they are accepted as they are, and say what a PostgreSQL said of itself.</summary>
public sealed class GenerateTests
{
    private static readonly GenerationContext Machine = new("db1", "10.0.0.1", "/usr/lib/postgresql/15/bin", "only-for-this-test-and-long-enough");

    private static RunningInstance Instance { get; } = new()
    {
        Version = 150018,
        InRecovery = false,
        Settings = Map(("cluster_name", "15/main"), ("port", "5433"), ("work_mem", "8MB"), ("max_connections", "60"), ("archive_command", "cp %p /archive/%f"), ("wal_level", "minimal"),
            ("hba_file", "/etc/postgresql/15/main/pg_hba.conf"), ("ident_file", "/elsewhere/ident.conf"), ("listen_addresses", "*"), ("primary_conninfo", "host=x"), ("my.setting", "yes")),
        Always = Map(("cluster_name", "15/main"), ("listen_addresses", "10.0.0.1, 127.0.0.1"), ("port", "5433"), ("data_directory", "/var/lib/postgresql/15/main"),
            ("config_file", "/etc/postgresql/15/main/postgresql.conf"), ("wal_log_hints", "off"), ("data_checksums", "on"), ("wal_level", "minimal")),
        ReplicationRoles = ["standby"],
        PgHba = ["local all all peer", "host all all 10.0.0.0/8 scram-sha-256"],
        PgIdent = ["map a b"],
        BinDirectory = "/usr/lib/postgresql/15/bin",
        Notes = [],
    };

    private static ImmutableSortedDictionary<string, string> Map(params (string Key, string Value)[] pairs) => pairs.ToImmutableSortedDictionary(static p => p.Key, static p => p.Value);

    private static SettingMap Accepted(string text)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, text);
            ConfigurationResult read = ConfigurationLoader.Load(new() { Path = file });
            Assert.Empty(read.Problems);
            return read.Configuration!.Document;
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void The_sample_is_accepted_and_says_what_must_be_written()
    {
        SettingMap sample = Accepted(ConfigurationTemplate.Sample(Machine, SettingMap.Empty));
        Assert.Equal("db1", SettingReader.Text(sample["name"]));
        Assert.Equal(["postgresql.authentication.replication.password", "postgresql.authentication.rewind.password", "postgresql.authentication.superuser.password"],
            ConfigurationTemplate.Unfinished(sample).Order());
    }

    [Fact]
    public void A_running_instance_becomes_a_file_that_is_accepted()
    {
        ClientTarget target = ClientTarget.Read("host=10.0.0.1 port=5433 user=postgres password='a b' sslmode=require", ImmutableDictionary<string, string>.Empty, "me").Target!;
        SettingMap file = Accepted(ConfigurationTemplate.Of(Instance, target, Machine, SettingMap.Empty));
        Dictionary<string, string?> expected = new()
        {
            ["scope"] = "15-main", ["postgresql.listen"] = "10.0.0.1,127.0.0.1:5433", ["postgresql.connect_address"] = "10.0.0.1:5433",
            ["postgresql.data_dir"] = "/var/lib/postgresql/15/main", ["postgresql.config_dir"] = "/etc/postgresql/15/main",
            ["postgresql.authentication.superuser.password"] = "a b", ["postgresql.authentication.superuser.sslmode"] = "require",
            ["postgresql.authentication.replication.username"] = "standby", ["postgresql.parameters.archive_command"] = "cp %p /archive/%f",
            ["postgresql.parameters.ident_file"] = "/elsewhere/ident.conf", ["postgresql.parameters.hba_file"] = null,
            ["bootstrap.dcs.postgresql.use_pg_rewind"] = "true", ["bootstrap.dcs.postgresql.parameters.max_connections"] = "60",
            ["bootstrap.dcs.postgresql.parameters.wal_level"] = "replica", ["bootstrap.dcs.postgresql.parameters.port"] = null,
            ["bootstrap.dcs.postgresql.parameters.primary_conninfo"] = null, ["raft.self_addr"] = "10.0.0.1:7008",
        };
        foreach (var (path, value) in expected) Assert.Equal((path, value), (path, SettingReader.Text(file.Find(path))));
        Assert.Equal("yes", SettingReader.Text(file.Section("bootstrap.dcs.postgresql.parameters")["my.setting"]));
        Assert.Equal(2, SettingReader.Texts(file.Find("postgresql.pg_hba"))!.Count);
    }

    [Fact]
    public void Variables_of_the_environment_win()
    {
        SettingMap environment = EnvironmentVariables.Read(new Dictionary<string, string> { ["PATRONI_SCOPE"] = "production", ["PATRONI_SUPERUSER_PASSWORD"] = "s" }, new List<ConfigurationProblem>(), new List<string>());
        SettingMap sample = Accepted(ConfigurationTemplate.Sample(Machine, environment));
        Assert.Equal(("production", "s"), (SettingReader.Text(sample["scope"]), SettingReader.Text(sample.Find("postgresql.authentication.superuser.password"))));
    }

    [Theory]
    [InlineData("host=h port=1 user=u dbname=d password=p", "h:1 u d p")]
    [InlineData("postgresql://u:p%40@h:1/d?sslmode=require", "h:1 u d p@")]
    [InlineData("postgres://h", "h:7 e d2 w")]
    [InlineData(null, "eh:7 e d2 w")]
    public void A_connection_string_wins_over_the_environment(string? dsn, string expected)
    {
        Dictionary<string, string> environment = new() { ["PGHOST"] = "eh", ["PGPORT"] = "7", ["PGUSER"] = "e", ["PGDATABASE"] = "d2", ["PGPASSWORD"] = "w" };
        ClientTarget target = ClientTarget.Read(dsn, environment, "me").Target!;
        Assert.Equal(expected, $"{target.Address.Host}:{target.Address.Port} {target.User.Username} {target.Database} {target.User.Password}");
    }

    [Theory]
    [InlineData("host")]
    [InlineData("host=a,b")]
    [InlineData("port=none")]
    [InlineData("postgresql://h?x")]
    public void A_malformed_connection_string_is_refused_with_a_sentence(string dsn)
    {
        (ClientTarget? target, string problem) = ClientTarget.Read(dsn, ImmutableDictionary<string, string>.Empty, "me");
        Assert.Null(target);
        Assert.NotEmpty(problem);
    }
}
