using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.IntegrationTests.Postgres;

/// <summary>A real guard beside a real PostgreSQL, without an agent: what it does when nobody tells it anything any more.</summary>
public sealed class GuardProcessTests(ITestOutputHelper output)
{
    private static readonly Epoch Epoch = new(1, 10), Later = new(1, 11);

    [Fact]
    public async Task No_commit_of_200_busy_backends_is_after_the_deadline()
    {
        await using GuardedInstance guarded = await GuardedInstance.LeadingAsync(Epoch, settings => settings with
        {
            Parameters = settings.Parameters.SetItem("track_commit_timestamp", "on"),
        });
        await guarded.Instance.SqlAsync("CREATE TABLE t (n int)");
        List<NpgsqlConnection> connections = [];
        List<Task> running = [];
        for (int i = 0; i < 200; i++)
        {
            NpgsqlConnection connection = await guarded.Instance.ConnectAsync();
            connections.Add(connection);
            running.Add(new NpgsqlCommand("DO $$ BEGIN LOOP INSERT INTO t VALUES (1); COMMIT; PERFORM pg_sleep(0.05); END LOOP; END $$", connection) { CommandTimeout = 0 }
                .ExecuteNonQueryAsync());
        }
        // From here on nobody renews, and nobody of ours acts: the agent is gone.
        long deadline = BootClock.NowMs + 1_500;
        long wallOfBoot = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - BootClock.NowMs;
        Assert.True(guarded.Tell(new(Epoch, deadline, false)));
        guarded.Keeper.Dispose();
        foreach (Task task in running) await Assert.ThrowsAnyAsync<NpgsqlException>(() => task.WaitAsync(TimeSpan.FromSeconds(60)));
        foreach (NpgsqlConnection connection in connections) await connection.DisposeAsync();
        await guarded.GoneAsync();
        FenceFacts report = await Wait.ForAsync("the guard's report", () => Task.FromResult(guarded.Files.ReadReport()));
        Assert.Equal((Epoch, 0), (report.Epoch, report.Left));
        Assert.True(report.Killed > 200, $"{report.Killed} processes were killed");
        output.WriteLine($"{report.Killed} processes signalled within {report.SignalledMs} ms, none left after {report.ElapsedMs} ms");

        await guarded.Instance.StartAsync(LaunchMode.Primary);
        double last = (double)(await guarded.Instance.SqlAsync("SELECT extract(epoch FROM timestamp)::float8 * 1000 FROM pg_last_committed_xact()"))!;
        double after = last - wallOfBoot - (deadline - LeaseTimings.KillBudgetMs);
        output.WriteLine($"last commit {after:F0} ms after the fence was due; the kill budget is {LeaseTimings.KillBudgetMs} ms");
        Assert.True(after <= LeaseTimings.KillBudgetMs, $"the last commit was {after - LeaseTimings.KillBudgetMs:F0} ms after the deadline");
        Assert.True(after > -30_000, "the backends were not busy when the lease ended");
    }

    [Fact]
    public async Task Orphans_of_a_killed_postmaster_do_not_outlive_the_lease()
    {
        await using GuardedInstance guarded = await GuardedInstance.LeadingAsync(Epoch);
        await guarded.Instance.SqlAsync("CREATE TABLE t (n int)");
        await using NpgsqlConnection connection = await guarded.Instance.ConnectAsync();
        Task busy = new NpgsqlCommand("DO $$ BEGIN LOOP INSERT INTO t VALUES (1); COMMIT; END LOOP; END $$", connection) { CommandTimeout = 0 }.ExecuteNonQueryAsync();
        guarded.Keeper.Dispose();
        Postmaster postmaster = guarded.Controller.Current!;
        Libc.Kill(postmaster.Pid, Libc.SigKill);
        await postmaster.Exited.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Contains(guarded.Instance.Controller.Scan().All, process => process.Pid == connection.ProcessID);

        // The next agent shortens the lease, and is gone too.
        using (GuardKeeper next = guarded.NewKeeper())
        {
            Assert.True(await guarded.TellAsync(next, new(Epoch, BootClock.NowMs + 300, false)));
        }
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => busy.WaitAsync(TimeSpan.FromSeconds(60)));
        await guarded.GoneAsync();
    }

    /// <summary>It lives for months. What a fence needs for a moment is not kept.</summary>
    [Fact]
    public async Task A_guard_stays_as_small_as_it_was_however_often_it_fences()
    {
        await using GuardedInstance guarded = await GuardedInstance.LeadingAsync(Epoch);
        int guard = guarded.Keeper.Pid!.Value;
        long afterFirst = 0, now = 0;
        for (int round = 1; round <= 12; round++)
        {
            Assert.True(guarded.Tell(new(new(1, 9 + round), BootClock.NowMs + 300, false)));
            await guarded.GoneAsync();
            now = OwnKilobytes(guard);
            if (round == 2) afterFirst = now;
            guarded.Hold(new(1, 10 + round), 120_000);
            await guarded.StartPrimaryAsync(new(1, 10 + round));
        }
        Assert.Equal(guard, guarded.Keeper.Pid);
        output.WriteLine($"memory of its own: {afterFirst} kB after two fences, {now} kB after twelve");
        // The build that is compiled at run time goes on compiling.
        Assert.True(now - afterFirst < 4096, $"{afterFirst} kB after two fences, {now} kB after twelve");
    }

    private static long OwnKilobytes(int pid) => long.Parse(File.ReadLines($"/proc/{pid}/status").First(static line => line.StartsWith("RssAnon:", StringComparison.Ordinal)).Split(
        (char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture);

    [Fact]
    public async Task A_replica_is_left_alone_and_an_order_without_a_lease_is_refused()
    {
        await using GuardedInstance guarded = await GuardedInstance.MakeAsync();
        Assert.Contains("no lease", Assert.IsType<LaunchResult.Refused>(await guarded.LaunchAsync(LaunchMode.Primary, Epoch)).Reason);
        guarded.Hold(Later, 120_000);
        Assert.IsType<LaunchResult.Refused>(await guarded.LaunchAsync(LaunchMode.Primary, Epoch));
        Assert.IsType<LaunchResult.Launched>(await guarded.LaunchAsync(LaunchMode.Standby, Epoch.None));
        await guarded.Instance.UntilAsync(status => status.InRecovery);

        // A lease that ends, and the end of the agent, are nothing to a standby.
        guarded.Tell(new(Later, BootClock.NowMs + 300, false));
        await Task.Delay(600);
        Assert.NotNull(guarded.Controller.Current);
        PromotionMarker marker = new(Later, new(1), guarded.Instance.Settings.Name, DataIncarnation.ReadOrDraw(guarded.Instance.Settings.DataDir, guarded.Instance.Settings.Name));
        Assert.Contains("over", Assert.IsType<SignalResult.Refused>(guarded.Controller.Promote(marker)).Reason);
        Assert.True((await guarded.Instance.StatusAsync()).InRecovery);

        guarded.Hold(Later, 120_000);
        Assert.IsType<SignalResult.Sent>(guarded.Controller.Promote(marker));
        Assert.NotNull(await guarded.Instance.Commands.WaitPromotedAsync(TimeSpan.FromSeconds(60), default));
        Assert.True(guarded.Tell(null));
        await Wait.UntilAsync("the promoted server, whose lease was taken away, to be gone", () => guarded.Instance.Controller.VerifyStopped() is not null);
    }

    [Fact]
    public async Task Pause_keeps_it_running_and_the_end_of_pause_is_acknowledged_before_it_counts()
    {
        await using GuardedInstance guarded = await GuardedInstance.LeadingAsync(Epoch);
        // As at the start of a pause: the file alone, written while the guard waits for a deadline that then passes.
        Assert.True(guarded.Tell(new(Epoch, BootClock.NowMs + 700, false)));
        Assert.True(new LeaseFile(guarded.Instance.Settings.DataDir).Write(new(Epoch, BootClock.NowMs, true)));
        await Task.Delay(1_200);
        Assert.NotNull(guarded.Controller.Current);
        Assert.True(guarded.Keeper.Tell(new(Epoch, BootClock.NowMs, true), true));
        Assert.True(guarded.Tell(new(Epoch, BootClock.NowMs + 300, false)));
        await guarded.GoneAsync();
    }

    [Fact]
    public async Task A_killed_guard_is_replaced_without_an_interruption_and_a_second_one_refuses()
    {
        await using GuardedInstance guarded = await GuardedInstance.LeadingAsync(Epoch);
        Postmaster postmaster = guarded.Controller.Current!;
        int first = guarded.Keeper.Pid!.Value;
        ProductResult second = await Product.RunAsync("/tmp", ["guard", guarded.Instance.Settings.DataDir]);
        Assert.Equal(GuardProgram.AlreadyGuarded, second.ExitCode);

        Libc.Kill(first, Libc.SigKill);
        await Wait.UntilAsync("another guard", () => guarded.Keeper.Pid is { } pid && pid != first);
        Assert.False(postmaster.HasExited);
        // The new one knows all that matters: it fences, and does not need to have launched it.
        Assert.True(guarded.Tell(new(Epoch, BootClock.NowMs + 300, false)));
        guarded.Keeper.Dispose();
        await guarded.GoneAsync();
    }

    [Fact]
    public async Task A_stopped_guard_is_noticed_and_replaced()
    {
        await using GuardedInstance guarded = await GuardedInstance.LeadingAsync(Epoch);
        Postmaster postmaster = guarded.Controller.Current!;
        int first = guarded.Keeper.Pid!.Value;
        Libc.Kill(first, Libc.SigStop);
        // What would shorten the lease is not acknowledged, so it must not be proposed.
        Assert.False(guarded.Tell(new(Epoch, BootClock.NowMs + 60_000, false)));
        await Wait.UntilAsync("another guard", () => guarded.Keeper.Pid is { } pid && pid != first);
        Assert.False(postmaster.HasExited);
    }

    [Fact]
    public async Task The_newest_agent_wins_and_a_guard_of_another_version_is_replaced_when_nothing_runs()
    {
        await using GuardedInstance guarded = await GuardedInstance.LeadingAsync(Epoch);
        Postmaster postmaster = guarded.Controller.Current!;
        int first = guarded.Keeper.Pid!.Value;
        guarded.Keeper.Dispose();

        // An agent of another version finds PostgreSQL armed: it goes on with the old guard.
        GuardKeeper upgraded = guarded.NewKeeper("9.9.9");
        Assert.True(await guarded.TellAsync(upgraded, new(Epoch, BootClock.NowMs + 120_000, false)));
        Assert.Equal(first, upgraded.Pid);
        using InstanceController controller = guarded.NewController(upgraded);
        Assert.Equal(postmaster.Pid, controller.Adopt()!.Pid);
        Assert.IsType<StopResult.Stopped>(await controller.StopAsync(StopMode.Fast, TimeSpan.FromSeconds(60)));
        upgraded.Dispose();

        using GuardKeeper again = guarded.NewKeeper("9.9.9");
        await Wait.UntilAsync("the old guard to be replaced", () => again.Pid is { } pid && pid != first);
        await Wait.UntilAsync("it to end", () => ProcFs.ReadStat(first) is not { State: not 'Z' });
        Assert.True(again.End(TimeSpan.FromSeconds(60)));
        Assert.False(Directory.Exists(guarded.Files.Directory));
    }

    [Fact]
    public async Task A_guard_without_agent_and_without_postgresql_ends_by_itself()
    {
        await using GuardedInstance guarded = await GuardedInstance.MakeAsync();
        await Wait.UntilAsync("the guard", () => guarded.Keeper.Pid is not null);
        int pid = guarded.Keeper.Pid!.Value;
        guarded.Keeper.Dispose();
        await Wait.UntilAsync("it to end", () => ProcFs.ReadStat(pid) is not { State: not 'Z' });
    }

    /// <summary>An instance whose PostgreSQL a guard launches, and the agent's side of that guard.</summary>
    private sealed class GuardedInstance : IAsyncDisposable
    {
        private GuardedInstance(TestInstance instance)
        {
            Instance = instance;
            Files = new(instance.Settings.DataDir);
            Keeper = NewKeeper();
            Controller = NewController(Keeper);
        }

        public TestInstance Instance { get; }
        public GuardFiles Files { get; }
        public GuardKeeper Keeper { get; }
        public InstanceController Controller { get; }

        public static async Task<GuardedInstance> MakeAsync(Func<Patroni.Raft.Postgres.PostgresSettings, Patroni.Raft.Postgres.PostgresSettings>? change = null)
        {
            TestInstance instance = await TestInstance.PrimaryAsync("a", change);
            await instance.StopAsync(StopMode.Immediate);
            return new(instance);
        }

        /// <summary>With a lease that lasts, and PostgreSQL as primary under it.</summary>
        public static async Task<GuardedInstance> LeadingAsync(Epoch epoch, Func<Patroni.Raft.Postgres.PostgresSettings, Patroni.Raft.Postgres.PostgresSettings>? change = null)
        {
            GuardedInstance guarded = await MakeAsync(change);
            guarded.Hold(epoch, 120_000);
            await guarded.StartPrimaryAsync(epoch);
            return guarded;
        }

        public GuardKeeper NewKeeper(string? version = null)
        {
            string[] product = Product.Executable;
            var keeper = new GuardKeeper(Instance.Settings.DataDir, new(Patroni.Raft.Postgres.Provisioning.CommandLine.Resolve(product[0]), [.. product[1..]]), NullLogger<GuardKeeper>.Instance, version);
            Assert.Null(keeper.Prepare());
            if (new LeaseFile(Instance.Settings.DataDir).Read() is { } left)
            {
                keeper.Tell(left, false);
                keeper.Declare(true);
            }
            keeper.Start();
            return keeper;
        }

        public InstanceController NewController(GuardKeeper keeper) => new(
            Instance.Settings.DataDir, Instance.Settings.Binary("postgres"), Instance.Controller.LogFile, NullLogger<InstanceController>.Instance, keeper);

        /// <summary>A lease that lasts, as an agent has one after a renewal.</summary>
        public void Hold(Epoch epoch, long milliseconds) => Tell(new(epoch, BootClock.NowMs + milliseconds, false));

        /// <summary>Tells file and guard, as the agent does; whether all of them know.</summary>
        public bool Tell(HeldLease? lease) => new LeaseFile(Instance.Settings.DataDir).Write(lease) & Keeper.Tell(lease, true);

        public async Task<bool> TellAsync(GuardKeeper keeper, HeldLease lease)
        {
            await Wait.UntilAsync("the guard", () => keeper.Pid is not null);
            return new LeaseFile(Instance.Settings.DataDir).Write(lease) & keeper.Tell(lease, true);
        }

        public async Task<LaunchResult> LaunchAsync(LaunchMode mode, Epoch epoch)
        {
            ControlData control = await Instance.ControlAsync();
            Patroni.Raft.Postgres.Configuration.ConfiguredRole role = mode == LaunchMode.Primary
                ? new Patroni.Raft.Postgres.Configuration.ConfiguredRole.Primary() : new Patroni.Raft.Postgres.Configuration.ConfiguredRole.Standby(null);
            Instance.Configuration.Write(role, control.MajorVersion);
            return Controller.Launch(new(mode, epoch, Instance.Configuration.CommandLine(mode, control)));
        }

        public async Task StartPrimaryAsync(Epoch epoch)
        {
            Keeper.Declare(true);
            LaunchResult launch = await LaunchAsync(LaunchMode.Primary, epoch);
            Postmaster postmaster = Assert.IsType<LaunchResult.Launched>(launch).Postmaster;
            StartProgress progress = await Controller.WaitReadyAsync(postmaster, TimeSpan.FromSeconds(60));
            Assert.True(progress is StartProgress.Ready, progress.ToString());
            // Launched by the guard, not by this process.
            Assert.Equal(Keeper.Pid, ProcFs.ReadStat(postmaster.Pid)?.ParentPid);
        }

        /// <summary>Waits until nothing of PostgreSQL is left.</summary>
        public Task GoneAsync() => Wait.UntilAsync("an empty scan", () => Instance.Controller.VerifyStopped() is not null);

        public async ValueTask DisposeAsync()
        {
            Keeper.Dispose();
            Controller.Dispose();
            foreach (int id in ProcessControl.GuardsOf(Instance.Settings.DataDir)) Libc.Kill(id, Libc.SigKill);
            await Instance.DisposeAsync();
            Files.Remove();
        }
    }
}
