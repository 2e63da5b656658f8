using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Patroni.Raft.Postgres;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.Postgres.Provisioning;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Postgres;

/// <summary>One real PostgreSQL in a directory of its own, driven through the product's components. Disposing kills and removes it.</summary>
public sealed class TestInstance : IAsyncDisposable
{
    public static readonly Credentials Superuser = new() { Username = "postgres", Password = "s3:cr\\et 'x" };
    public static readonly Credentials Replication = new() { Username = "replicator", Password = "rep:l\\' pass" };
    public static readonly Credentials RewindUser = new() { Username = "rewind_user", Password = "rewind" };

    private readonly bool _ownsRoot;

    public TestInstance(string name, string? root = null, Func<PostgresSettings, PostgresSettings>? change = null)
    {
        _ownsRoot = root is null;
        Root = root ?? Directory.CreateTempSubdirectory("pgt-").FullName;
        int port = FreePort();
        Directory.CreateDirectory(Path.Combine(Root, name));
        PostgresSettings settings = new()
        {
            Name = new(name),
            Scope = "test",
            DataDir = Path.Combine(Root, name, "data"),
            StateDirectory = Path.Combine(Root, name, "state"),
            BinDir = Environment.GetEnvironmentVariable("PG_BIN_DIR") ?? "/usr/lib/postgresql/15/bin",
            Port = port,
            ConnectAddress = new("127.0.0.1", port),
            UnixSocketDirectories = [Path.Combine(Root, name)],
            PgPass = Path.Combine(Root, name, "pgpass"),
            Superuser = Superuser,
            Replication = Replication,
            Rewind = RewindUser,
            UsePgRewind = true,
            PgHba = ["local all all scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256", "host replication replicator 127.0.0.1/32 scram-sha-256"],
            Parameters = ServerParameters.Of([new("shared_buffers", "16MB"), new("max_connections", "300"), new("fsync", "off"), new("password_encryption", "scram-sha-256")]),
            InitdbOptions = [new("encoding", "UTF8"), new("locale", "C")],
        };
        Settings = change?.Invoke(settings) ?? settings;
        Configuration = new(Settings);
        Controller = NewController();
        Commands = new(Settings);
        Reader = new(Settings);
    }

    public string Root { get; }
    public PostgresSettings Settings { get; }
    public ServerConfiguration Configuration { get; }
    public InstanceController Controller { get; }
    public InstanceCommands Commands { get; }
    public StatusReader Reader { get; }
    public Rewinder Rewinder => new(Settings, NullLogger<Rewinder>.Instance);
    public Cloner Cloner => new(Settings, NullLogger<Cloner>.Instance);
    public Bootstrap Bootstrap => new(Settings, Controller, NullLogger<Bootstrap>.Instance);

    public InstanceController NewController() => new(
        Settings.DataDir, Settings.Binary("postgres"), Path.Combine(Settings.StateDirectory, "postgres.log"), NullLogger<InstanceController>.Instance);

    public async Task<ControlData> ControlAsync() =>
        Assert.IsType<DirectoryState.Valid>(await DataDirectory.InspectAsync(Settings)).Control;

    /// <summary>Bootstraps and starts as primary.</summary>
    public static async Task<TestInstance> PrimaryAsync(string name, Func<PostgresSettings, PostgresSettings>? change = null)
    {
        TestInstance instance = new(name, change: change);
        BootstrapResult result = await instance.Bootstrap.RunAsync();
        Assert.True(result is BootstrapResult.Done, result.ToString());
        await instance.StartAsync(LaunchMode.Primary);
        return instance;
    }

    /// <summary>Clones from another instance and starts streaming.</summary>
    public static async Task<TestInstance> StandbyOfAsync(TestInstance primary, string name, Func<PostgresSettings, PostgresSettings>? change = null)
    {
        TestInstance instance = new(name, primary.Root, change);
        CloneResult result = await instance.Cloner.RunAsync(new(primary.AsSource(), instance.Controller.VerifyStopped()!));
        Assert.True(result is CloneResult.Done, result.ToString());
        await instance.StartAsync(LaunchMode.Standby, primary);
        return instance;
    }

    public CloneSource AsSource() => new(Settings.Name, Settings.ConnectAddress, null);

    public async Task<Postmaster> StartAsync(LaunchMode mode, TestInstance? upstream = null, bool wait = true)
    {
        ControlData control = await ControlAsync();
        ConfiguredRole role = mode == LaunchMode.Primary ? new ConfiguredRole.Primary()
            : new ConfiguredRole.Standby(upstream is null ? null : new() { Address = upstream.Settings.ConnectAddress });
        ConfigurationWrite write = Configuration.Write(role, control.MajorVersion);
        Assert.True(write is ConfigurationWrite.Written, write.ToString());
        LaunchResult launch = Controller.Launch(new(mode, new(1, 1), Configuration.CommandLine(mode, control)));
        Assert.True(launch is LaunchResult.Launched, launch.ToString());
        Postmaster postmaster = ((LaunchResult.Launched)launch).Postmaster;
        if (!wait) return postmaster;
        StartProgress progress = await Controller.WaitReadyAsync(postmaster, TimeSpan.FromSeconds(30));
        Assert.True(progress is StartProgress.Ready, progress.ToString());
        return postmaster;
    }

    public async Task<VerifiedStopped> StopAsync(StopMode mode = StopMode.Fast)
    {
        StopResult result = await Controller.StopAsync(mode, TimeSpan.FromSeconds(30));
        Assert.True(result is StopResult.Stopped, result.ToString());
        return ((StopResult.Stopped)result).Proof;
    }

    public async Task<PromotionOutcome> PromoteAsync()
    {
        InstanceStatus status = await StatusAsync();
        SignalResult sent = Controller.Promote(new(new(1, 7), status.Timeline, Settings.Name, DataIncarnation.ReadOrDraw(Settings.DataDir, Settings.Name)));
        Assert.True(sent is SignalResult.Sent, sent.ToString());
        PromotionOutcome? outcome = await Commands.WaitPromotedAsync(TimeSpan.FromSeconds(20), default);
        Assert.NotNull(outcome);
        return outcome;
    }

    public async Task<InstanceStatus> StatusAsync()
    {
        StatusResult result = await Reader.ReadAsync(TimeSpan.FromSeconds(10));
        Assert.True(result is StatusResult.Answered, result.ToString());
        return ((StatusResult.Answered)result).Status;
    }

    /// <summary>Waits for a condition on the status.</summary>
    public async Task<InstanceStatus> UntilAsync(Func<InstanceStatus, bool> condition, int seconds = 20)
    {
        DateTime deadline = DateTime.UtcNow.AddSeconds(seconds);
        StatusResult last;
        do
        {
            last = await Reader.ReadAsync(TimeSpan.FromSeconds(5));
            if (last is StatusResult.Answered { Status: var status } && condition(status)) return status;
            await Task.Delay(20);
        }
        while (DateTime.UtcNow < deadline);
        throw new TimeoutException($"{Settings.Name}: not reached; last: {last}; log: {DurableFile.Tail(Controller.LogFile, 2000)}");
    }

    public async Task<NpgsqlConnection> ConnectAsync()
    {
        NpgsqlConnection connection = new(new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1", Port = Settings.Port, Username = Superuser.Username, Password = Superuser.Password, Database = "postgres", Pooling = false,
        }.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }

    public async Task<object?> SqlAsync(string sql)
    {
        await using NpgsqlConnection connection = await ConnectAsync();
        await using NpgsqlCommand command = new(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>The end of the last whole record: a flush position may be a page boundary inside of a record, which cannot be replayed.</summary>
    public async Task<Lsn> EndOfRecordsAsync() => Lsn.Parse((string)(await SqlAsync("SELECT pg_current_wal_insert_lsn()::text"))!);

    public static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public async ValueTask DisposeAsync()
    {
        await Reader.DisposeAsync();
        await Commands.DisposeAsync();
        if (Directory.Exists(Settings.DataDir)) Controller.Fence(TimeSpan.FromSeconds(10));
        Controller.Dispose();
        if (_ownsRoot && Directory.Exists(Root)) Directory.Delete(Root, recursive: true);
    }
}
