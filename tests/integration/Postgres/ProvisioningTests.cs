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

public sealed class ProvisioningTests
{
    [Fact]
    public async Task Bootstrap_creates_the_users_runs_the_script_and_stops_cleanly()
    {
        await using TestInstance a = new("a");
        string script = Path.Combine(a.Root, "post init.sh");
        await File.WriteAllTextAsync(script, $"#!/bin/sh\nexec '{a.Settings.Binary("psql")}' \"$2\" -qc 'CREATE DATABASE made_by_script' && test \"$1\" = 'two words'\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Bootstrap bootstrap = new(a.Settings with { PostBootstrap = $"'{script}' 'two words'" }, a.Controller, NullLogger<Bootstrap>.Instance);
        BootstrapResult.Done done = Assert.IsType<BootstrapResult.Done>(await bootstrap.RunAsync());
        Assert.True(done.Proof.IsCurrent);
        Assert.Equal(ClusterRunState.ShutDown, done.Control.State);
        Assert.True(done.Control.WalLogHints);
        Assert.True(UnusedData.IsUnused(a.Settings.DataDir, done.Control, a.Settings.Name, done.Incarnation));
        await a.StartAsync(LaunchMode.Primary);
        Assert.Equal(1L, await a.SqlAsync("SELECT count(*) FROM pg_database WHERE datname = 'made_by_script'"));
        Assert.Equal(true, await a.SqlAsync("SELECT rolreplication AND NOT rolsuper FROM pg_roles WHERE rolname = 'replicator'"));
        Assert.Equal(true, await a.SqlAsync("SELECT has_function_privilege('rewind_user', 'pg_read_binary_file(text)', 'execute')"));
        // The private start asked for no password; the real one does.
        NpgsqlException refused = await Assert.ThrowsAnyAsync<NpgsqlException>(async () =>
        {
            await using LocalServer server = LocalServer.At(a.Settings.ConnectAddress, TestInstance.Superuser with { Password = "wrong" }, "postgres", null);
            await server.ScalarAsync("SELECT 1", default);
        });
        Assert.Equal(PostgresErrorCodes.InvalidPassword, (refused as PostgresException)?.SqlState);
        StatusReader wrong = new(a.Settings with { Superuser = TestInstance.Superuser with { Password = "wrong" } });
        Assert.Equal(PostgresErrorCodes.InvalidPassword, Assert.IsType<StatusResult.Rejected>(await wrong.ReadAsync(TimeSpan.FromSeconds(5))).SqlState);
        await wrong.DisposeAsync();
        // No password, nor a leftover of one, stays behind.
        Assert.DoesNotContain(Directory.GetFiles(a.Settings.StateDirectory), file => Path.GetFileName(file).Contains("password", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_failed_bootstrap_moves_the_directory_away_and_can_be_repeated()
    {
        await using TestInstance a = new("a");
        Bootstrap failing = new(a.Settings with { PostBootstrap = "false" }, a.Controller, NullLogger<Bootstrap>.Instance);
        BootstrapResult.Failed failed = Assert.IsType<BootstrapResult.Failed>(await failing.RunAsync());
        Assert.NotNull(failed.MovedTo);
        Assert.True(File.Exists(Path.Combine(failed.MovedTo, "PG_VERSION")));
        Assert.True(a.Controller.Scan().IsEmpty);
        Assert.IsType<DirectoryState.Missing>(await DataDirectory.InspectAsync(a.Settings));
        Assert.IsType<BootstrapResult.Done>(await a.Bootstrap.RunAsync());
        Assert.IsType<BootstrapResult.Failed>(await a.Bootstrap.RunAsync());
        Assert.IsType<DirectoryState.Valid>(await DataDirectory.InspectAsync(a.Settings));
    }

    [Fact]
    public async Task A_reserved_or_wrong_initdb_option_is_refused_by_name()
    {
        await using TestInstance a = new("a", change: s => s with { InitdbOptions = [new("pgdata", "/x")] });
        Assert.Contains("pgdata", Assert.IsType<BootstrapResult.Failed>(await a.Bootstrap.RunAsync()).Reason);
        await using TestInstance b = new("b", change: s => s with { InitdbOptions = [new("no-such-option")] });
        Assert.Contains("no-such-option", Assert.IsType<BootstrapResult.Failed>(await b.Bootstrap.RunAsync()).Reason);
    }

    [Fact]
    public async Task A_custom_method_makes_the_cluster()
    {
        await using TestInstance a = new("a");
        string script = Path.Combine(a.Root, "restore.sh");
        await File.WriteAllTextAsync(script, $"""
            #!/bin/sh
            for argument; do case $argument in --datadir=*) dir=$(printf %s "$argument" | cut -d= -f2-) ;; --scope=*) test "$argument" = "--scope=test" || exit 3 ;; esac; done
            exec '{a.Settings.Binary("initdb")}' -N -U postgres -D "$dir"
            """);
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Bootstrap bootstrap = new(a.Settings with { CustomBootstrap = new() { Name = "mine", Command = script } }, a.Controller, NullLogger<Bootstrap>.Instance);
        BootstrapResult result = await bootstrap.RunAsync();
        Assert.True(result is BootstrapResult.Done, result.ToString());
        await a.StartAsync(LaunchMode.Primary);
        Assert.Equal(true, await a.SqlAsync("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"));
    }

    [Fact]
    public async Task An_unfinished_bootstrap_is_recognised()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await a.StopAsync(StopMode.Immediate);
        DirectoryWork.Begin(a.Settings.StateDirectory, DirectoryWorkKind.Initialize, a.Settings.DataDir, "initdb");
        Assert.Equal(DirectoryWorkKind.Initialize, Assert.IsType<DirectoryState.HalfDone>(await DataDirectory.InspectAsync(a.Settings)).Work.Kind);
    }

    [Fact]
    public async Task Directories_that_cannot_be_used_are_named_with_the_reason()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await a.StopAsync();
        string version = Path.Combine(a.Settings.DataDir, "PG_VERSION");
        await File.WriteAllTextAsync(version, "13\n");
        DirectoryState.WrongVersion wrong = Assert.IsType<DirectoryState.WrongVersion>(await DataDirectory.InspectAsync(a.Settings));
        Assert.Equal(13, wrong.DirectoryVersion);
        await File.WriteAllTextAsync(version, "9.6\n");
        Assert.IsType<DirectoryState.NotADataDirectory>(await DataDirectory.InspectAsync(a.Settings));
        File.Delete(version);
        Assert.IsType<DirectoryState.NotADataDirectory>(await DataDirectory.InspectAsync(a.Settings));
        await File.WriteAllTextAsync(version, "15\n");
        Assert.IsType<DirectoryState.Unreadable>(await DataDirectory.InspectAsync(a.Settings with { BinDir = "/nonexistent" }));
        string control = Path.Combine(a.Settings.DataDir, "global", "pg_control");
        byte[] content = await File.ReadAllBytesAsync(control);
        await File.WriteAllBytesAsync(control, content[..100]);
        Assert.IsType<DirectoryState.Unreadable>(await DataDirectory.InspectAsync(a.Settings));
        await File.WriteAllBytesAsync(control, content);
        Assert.IsType<DirectoryState.Valid>(await DataDirectory.InspectAsync(a.Settings));

        Assert.IsType<DirectoryState.NotWritable>(await DataDirectory.InspectAsync(a.Settings with { DataDir = "/proc/patroni" }));
        Assert.IsType<DirectoryState.NotWritable>(await DataDirectory.InspectAsync(a.Settings with { DataDir = "/usr" }));
        string empty = Path.Combine(a.Root, "empty");
        Assert.IsType<DirectoryState.Missing>(await DataDirectory.InspectAsync(a.Settings with { DataDir = empty }));
        Directory.CreateDirectory(empty);
        Assert.IsType<DirectoryState.Empty>(await DataDirectory.InspectAsync(a.Settings with { DataDir = empty }));
        File.SetUnixFileMode(empty, UnixFileMode.UserRead);
        Assert.IsType<DirectoryState.NotWritable>(await DataDirectory.InspectAsync(a.Settings with { DataDir = empty }));
    }

    [Fact]
    public async Task Changed_parameters_apply_on_reload_or_are_pending_until_a_restart()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        PostgresSettings changed = a.Settings with
        {
            Parameters = a.Settings.Parameters.SetItem("work_mem", "7MB").SetItem("max_connections", "310").SetItem("shared_buffers", "17MB"),
        };
        ConfigurationWrite write = new ServerConfiguration(changed).Write(new ConfiguredRole.Primary(), 15);
        Assert.True(Assert.IsType<ConfigurationWrite.Written>(write).NeedsReload);
        Assert.IsType<SignalResult.Sent>(a.Controller.Reload());
        await using StatusReader reader = new(changed);
        DateTime deadline = DateTime.UtcNow.AddSeconds(20);
        InstanceStatus status;
        do status = Assert.IsType<StatusResult.Answered>(await reader.ReadAsync(TimeSpan.FromSeconds(5))).Status;
        while (status.PendingRestart.Length < 2 && DateTime.UtcNow < deadline);
        Assert.Equal(new[] { new PendingSetting("max_connections", "300", "310"), new PendingSetting("shared_buffers", "16MB", "17MB") },
            status.PendingRestart.OrderBy(p => p.Name).ToArray());
        Assert.Equal("7MB", await a.SqlAsync("SHOW work_mem"));
    }

    [Fact]
    public async Task A_running_standby_is_pointed_at_another_upstream_by_a_reload()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await using TestInstance b = await TestInstance.StandbyOfAsync(a, "b");
        await using TestInstance c = await TestInstance.StandbyOfAsync(a, "c");
        InstanceStatus before = await c.UntilAsync(s => s.Receiver is { IsStreaming: true });
        c.Configuration.Write(new ConfiguredRole.Standby(new() { Address = b.Settings.ConnectAddress }), 15);
        c.Controller.Reload();
        InstanceStatus after = await c.UntilAsync(s => s.Receiver is { IsStreaming: true } r && r.SenderPort == b.Settings.Port);
        Assert.Equal(before.PostmasterStartTime, after.PostmasterStartTime);
    }

    [Fact]
    public async Task A_standby_never_becomes_writable_by_a_leftover_promotion_request()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await using TestInstance b = await TestInstance.StandbyOfAsync(a, "b");
        await b.StopAsync();
        SignalFiles.RemoveRecovery(b.Settings.DataDir);
        SignalFiles.RequestPromotion(b.Settings.DataDir);
        await b.StartAsync(LaunchMode.Standby, a);
        await b.UntilAsync(s => s is { InRecovery: true, Receiver.IsStreaming: true });
    }

    [Fact]
    public async Task The_exact_timeline_of_a_standby_without_upstream_is_known_after_a_crash()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await using TestInstance b = await TestInstance.StandbyOfAsync(a, "b");
        await using TestInstance c = await TestInstance.StandbyOfAsync(a, "c");
        await a.StopAsync();
        await b.PromoteAsync();
        c.Configuration.Write(new ConfiguredRole.Standby(new() { Address = b.Settings.ConnectAddress }), 15);
        c.Controller.Reload();
        await c.UntilAsync(s => s is { Receiver: { IsStreaming: true, Timeline.Value: 2 } });
        await b.SqlAsync("CREATE TABLE t ()");
        Lsn end = await b.EndOfRecordsAsync();
        await c.UntilAsync(s => s.ReplayLsn >= end);
        b.Controller.Fence(TimeSpan.FromSeconds(5));
        c.Controller.Fence(TimeSpan.FromSeconds(5));
        await c.StartAsync(LaunchMode.Standby);
        InstanceStatus status = await c.UntilAsync(s => s.EndOfWal.IsKnown);
        Assert.True(status.EndOfWal.Lsn >= end);
        Assert.Equal(2u, (await c.Commands.ReadReplayTimelineAsync(TimeSpan.FromSeconds(5), default))?.Value);
    }

    [Fact]
    public async Task Callbacks_get_their_arguments_and_a_new_one_kills_the_old_with_its_children()
    {
        await using TestInstance a = new("a");
        Directory.CreateDirectory(a.Settings.StateDirectory);
        string script = Path.Combine(a.Root, "callback.sh"), arguments = Path.Combine(a.Root, "arguments"), sleeper = Path.Combine(a.Root, "sleeper");
        await File.WriteAllTextAsync(script, $"#!/bin/sh\nif [ \"$1\" = on_start ]; then sleep 300 & echo $! > '{sleeper}.new'; mv '{sleeper}.new' '{sleeper}'; wait; fi\necho \"$@\" > '{arguments}.new'; mv '{arguments}.new' '{arguments}'\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        PostgresSettings settings = a.Settings with { Callbacks = new() { OnStart = script, OnRoleChange = script } };
        using Callbacks callbacks = new(NullLogger<Callbacks>.Instance);
        callbacks.Run(settings, CallbackAction.OnStart, "replica");
        await UntilAsync(() => File.Exists(sleeper));
        int pid = int.Parse(await File.ReadAllTextAsync(sleeper));
        callbacks.Run(settings, CallbackAction.OnRoleChange, "primary");
        await UntilAsync(() => File.Exists(arguments) && ProcFs.ReadStat(pid) is null or { State: 'Z' });
        Assert.Equal("on_role_change primary test\n", await File.ReadAllTextAsync(arguments));
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        DateTime deadline = DateTime.UtcNow.AddSeconds(20);
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "the condition was not reached in 20 s");
            await Task.Delay(10);
        }
    }
}
