using Patroni.Raft.Postgres;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Xunit;

namespace Patroni.Raft.UnitTests.Postgres;

public sealed class ServerConfigurationTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("conf-").FullName;
    private string Data => Path.Combine(_root, "data");

    public ServerConfigurationTests() => Directory.CreateDirectory(Data);

    private PostgresSettings Settings(params (string Name, string Value)[] parameters) => new()
    {
        Name = new("node-1"), Scope = "my cluster", DataDir = Data, StateDirectory = Path.Combine(_root, "state"),
        ConnectAddress = new("h", 5432), PgPass = Path.Combine(_root, "pgpass"),
        Superuser = new() { Username = "postgres" }, Replication = new() { Username = "repl", Password = "secret" },
        Parameters = ServerParameters.Of(parameters.Select(p => new KeyValuePair<string, string>(p.Name, p.Value))),
    };

    private static readonly ConfiguredRole.Standby Follows = new(new Upstream { Address = new("10.0.0.1", 5433), SlotName = "node_1" });

    [Fact]
    public void The_users_file_is_renamed_once_and_included_and_nothing_changes_the_second_time()
    {
        string conf = Path.Combine(Data, "postgresql.conf"), automatic = Path.Combine(Data, "postgresql.auto.conf");
        File.WriteAllText(conf, "work_mem = '5MB' # mine\n");
        File.WriteAllText(automatic, "work_mem = '6MB'\nprimary_conninfo = 'host=evil'\nrecovery_target_time = 'x'\n");
        File.WriteAllText(Path.Combine(Data, "pg_hba.conf"), "local all all trust\n");
        ServerConfiguration configuration = new(Settings());
        ConfigurationWrite.Written first = Assert.IsType<ConfigurationWrite.Written>(configuration.Write(Follows, 15));
        Assert.True(first.NeedsReload);
        Assert.Equal("work_mem = '5MB' # mine\n", File.ReadAllText(Path.Combine(Data, "postgresql.base.conf")));
        Assert.Equal("work_mem = '6MB'\n", File.ReadAllText(automatic));
        Assert.Equal("local all all trust\n", File.ReadAllText(Path.Combine(Data, "pg_hba.conf")));
        string text = File.ReadAllText(conf);
        Assert.Contains("include 'postgresql.base.conf'", text);
        Assert.Contains("primary_conninfo = 'user=repl passfile=", text);
        Assert.Contains("application_name=node-1", text);
        Assert.Contains("primary_slot_name = 'node_1'", text);
        Assert.Contains("recovery_target_time = ''", text);
        Assert.DoesNotContain("secret", text);
        Assert.Contains("10.0.0.1:5433:*:repl:secret", File.ReadAllText(Path.Combine(_root, "pgpass")));
        Assert.False(Assert.IsType<ConfigurationWrite.Written>(configuration.Write(Follows, 15)).NeedsReload);
    }

    [Fact]
    public void A_crash_between_rename_and_write_is_healed_and_our_own_file_never_becomes_the_users()
    {
        File.WriteAllText(Path.Combine(Data, "postgresql.base.conf"), "work_mem = '5MB'\n");
        ServerConfiguration configuration = new(Settings());
        Assert.IsType<ConfigurationWrite.Written>(configuration.Write(new ConfiguredRole.Primary(), 15));
        File.Delete(Path.Combine(Data, "postgresql.base.conf"));
        Assert.IsType<ConfigurationWrite.Written>(configuration.Write(new ConfiguredRole.Primary(), 15));
        Assert.DoesNotContain("include", File.ReadAllText(Path.Combine(Data, "postgresql.base.conf")));
    }

    [Fact]
    public void Values_cannot_break_out_of_their_quotes_and_names_cannot_be_anything()
    {
        string text = new ServerConfiguration(Settings(("archive_command", "cp '%p' \\\\x\nport = 1"))).Render(new ConfiguredRole.Primary(), 15);
        Assert.Contains(@"archive_command = 'cp ''%p'' \\\\x\nport = 1'", text);
        ConfigurationWrite write = new ServerConfiguration(Settings(("bad name", "1"))).Write(new ConfiguredRole.Primary(), 15);
        Assert.Contains("bad name", Assert.IsType<ConfigurationWrite.Refused>(write).Reason);
    }

    [Theory]
    [InlineData("max_connections", "10", "100")]
    [InlineData("max_connections", "250", "250")]
    [InlineData("wal_level", "minimal", "replica")]
    [InlineData("wal_level", "logical", "logical")]
    [InlineData("wal_level", "hot_standby", "replica")]
    [InlineData("max_wal_senders", "2", "10")]
    [InlineData("track_commit_timestamp", "true", "on")]
    [InlineData("port", "1", "5432")]
    [InlineData("hot_standby", "off", "on")]
    [InlineData("cluster_name", "x", "my cluster")]
    public void Enforced_parameters_keep_their_rules(string name, string wanted, string effective) =>
        Assert.Contains($"--{name}={effective}", new ServerConfiguration(Settings((name, wanted))).CommandLine(LaunchMode.Primary, null));

    [Fact]
    public void A_standby_starts_with_the_limits_of_its_control_file_a_primary_with_its_own()
    {
        StandbyLimits limits = new(500, 20, 5, 7, 128);
        PostgresSettings settings = Settings(("max_connections", "50"));
        Assert.Equal("500", EnforcedParameters.ForStart(settings, LaunchMode.Standby, limits)["max_connections"]);
        Assert.Equal("10", EnforcedParameters.ForStart(settings, LaunchMode.Standby, limits)["max_wal_senders"]);
        Assert.Equal("50", EnforcedParameters.ForStart(settings, LaunchMode.Primary, limits)["max_connections"]);
    }

    [Fact]
    public void The_replaced_wal_keep_parameter_is_converted()
    {
        ServerConfiguration configuration = new(Settings(("wal_keep_segments", "10")));
        Assert.Contains("wal_keep_size = '160MB'", configuration.Render(new ConfiguredRole.Primary(), 15));
        Assert.Contains("wal_keep_segments = '10'", configuration.Render(new ConfiguredRole.Primary(), 12));
    }

    [Fact]
    public void A_new_upstream_needs_a_restart_in_version_12_only()
    {
        ServerConfiguration configuration = new(Settings());
        configuration.Write(Follows, 12);
        ConfiguredRole other = new ConfiguredRole.Standby(new Upstream { Address = new("10.0.0.2", 5433) });
        Assert.True(Assert.IsType<ConfigurationWrite.Written>(configuration.Write(other, 12)).UpstreamNeedsRestart);
        Assert.False(Assert.IsType<ConfigurationWrite.Written>(configuration.Write(Follows, 15)).UpstreamNeedsRestart);
    }

    [Fact]
    public void Files_outside_of_the_data_directory_are_kept_as_copies_in_it_for_replicas()
    {
        string etc = Path.Combine(_root, "etc");
        Directory.CreateDirectory(etc);
        File.WriteAllText(Path.Combine(etc, "postgresql.conf"), "work_mem = '5MB'\n");
        File.WriteAllText(Path.Combine(etc, "pg_hba.conf"), "local all all trust\n");
        new ServerConfiguration(Settings() with { ConfigDir = etc }).Write(new ConfiguredRole.Primary(), 15);
        string replica = Path.Combine(_root, "etc2");
        new ServerConfiguration(Settings() with { ConfigDir = replica }).Write(Follows, 15);
        Assert.Equal("work_mem = '5MB'\n", File.ReadAllText(Path.Combine(replica, "postgresql.base.conf")));
        Assert.Equal("local all all trust\n", File.ReadAllText(Path.Combine(replica, "pg_hba.conf")));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
