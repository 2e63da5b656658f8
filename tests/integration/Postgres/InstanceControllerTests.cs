using System.Diagnostics;
using Npgsql;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.Postgres.Status;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.IntegrationTests.Postgres;

public sealed class InstanceControllerTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_new_cluster_starts_answers_and_stops_with_proof()
    {
        await using TestInstance instance = await TestInstance.PrimaryAsync("a");
        InstanceStatus status = await instance.StatusAsync();
        Assert.False(status.InRecovery);
        Assert.Equal(1u, status.Timeline.Value);
        Assert.Empty(status.PendingRestart);
        ControlData control = await instance.ControlAsync();
        Assert.Equal(control.SystemIdentifier, status.SystemIdentifier);
        Assert.Equal("test", await instance.SqlAsync("SHOW cluster_name"));
        StopResult.Stopped stopped = Assert.IsType<StopResult.Stopped>(await instance.Controller.StopAsync(StopMode.Fast, TimeSpan.FromSeconds(20)));
        output.WriteLine($"fast stop: postmaster gone after {stopped.PostmasterGone.TotalMilliseconds:F1} ms, verified after {stopped.Elapsed.TotalMilliseconds:F1} ms");
        Assert.Equal(ClusterRunState.ShutDown, (await instance.ControlAsync()).State);
        Assert.True(instance.Controller.Scan().IsEmpty);
    }

    [Fact]
    public async Task A_second_agent_adopts_the_running_postmaster_and_notices_its_exit()
    {
        await using TestInstance instance = await TestInstance.PrimaryAsync("a");
        int pid = instance.Controller.Current!.Pid;
        using InstanceController second = instance.NewController();
        Postmaster? adopted = second.Adopt();
        Assert.NotNull(adopted);
        Assert.Equal(pid, adopted.Pid);
        Assert.True(adopted.IsAdopted);
        Assert.IsType<LaunchResult.Refused>(second.Launch(new(LaunchMode.Primary, new(1, 1), [])));
        Assert.Null(second.VerifyStopped());
        Process.GetProcessById(pid).Kill();
        await adopted.Exited.WaitAsync(TimeSpan.FromSeconds(5));
        Assert.NotNull(second.Fence(TimeSpan.FromSeconds(5)).Proof);
    }

    [Fact]
    public async Task Nothing_is_adopted_from_a_stale_pid_file_that_names_a_stranger()
    {
        await using TestInstance instance = await TestInstance.PrimaryAsync("a");
        await instance.StopAsync(StopMode.Immediate);
        using Process stranger = Process.Start("sleep", "60");
        await File.WriteAllTextAsync(Path.Combine(instance.Settings.DataDir, "postmaster.pid"), $"{stranger.Id}\n{instance.Settings.DataDir}\n1\n{instance.Settings.Port}\n");
        Assert.Null(instance.Controller.Adopt());
        Assert.True(instance.Controller.Scan().IsEmpty);
        await instance.StartAsync(LaunchMode.Primary);
        Assert.False(stranger.HasExited);
        stranger.Kill();
    }

    [Fact]
    public async Task A_killed_postmaster_is_noticed_at_once_and_its_orphans_keep_the_proof_away_until_they_are_fenced()
    {
        await using TestInstance instance = await TestInstance.PrimaryAsync("a");
        await instance.SqlAsync("CREATE TABLE t (n bigint)");
        await using NpgsqlConnection busy = await instance.ConnectAsync();
        int backend = busy.ProcessID;
        await using NpgsqlCommand loop = new("DO $$ BEGIN LOOP INSERT INTO t VALUES (1); COMMIT; END LOOP; END $$", busy) { CommandTimeout = 0 };
        Task running = loop.ExecuteNonQueryAsync();
        Postmaster postmaster = instance.Controller.Current!;
        TaskCompletionSource<long> noticed = new();
        _ = postmaster.Exited.ContinueWith(_ => noticed.SetResult(Stopwatch.GetTimestamp()), TaskContinuationOptions.ExecuteSynchronously);
        long killed = Stopwatch.GetTimestamp();
        Process.GetProcessById(postmaster.Pid).Kill();
        TimeSpan notice = Stopwatch.GetElapsedTime(killed, await noticed.Task.WaitAsync(TimeSpan.FromSeconds(5)));
        output.WriteLine($"exit noticed after {notice.TotalMilliseconds:F2} ms");
        Assert.Equal(9, (await postmaster.Exited).Signal);

        // The backend is an orphan in a session of its own, and still works.
        InstanceProcesses left = instance.Controller.Scan();
        Assert.Contains(left.All, process => process.Pid == backend && process.IsServer);
        Assert.Null(instance.Controller.VerifyStopped());
        Assert.False(running.IsCompleted);

        FenceReport report = instance.Controller.Fence(TimeSpan.FromSeconds(5));
        output.WriteLine($"fence: {report.Killed} processes, signalled after {report.Signalled.TotalMilliseconds:F1} ms, none left after {report.Elapsed.TotalMilliseconds:F1} ms");
        Assert.NotNull(report.Proof);
        Assert.True(report.Proof.IsCurrent);
        Assert.False(Directory.Exists($"/proc/{backend}") && ProcFs.ReadStat(backend) is { State: not 'Z' });
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => running);
        await instance.StartAsync(LaunchMode.Primary);
        Assert.False(report.Proof.IsCurrent);
    }

    [Fact]
    public async Task An_exit_is_noticed_within_a_tenth_of_a_second()
    {
        // The best of several: what is measured is the mechanism, not how busy the machine is with other things.
        TimeSpan best = TimeSpan.MaxValue;
        for (int round = 0; round < 10 && best >= TimeSpan.FromMilliseconds(100); round++)
        {
            (ChildProcess? child, string? error) = ChildProcess.Start(new() { File = "/bin/sleep", Arguments = ["60"], WorkingDirectory = "/" });
            Assert.True(child is not null, error);
            TaskCompletionSource<long> noticed = new();
            _ = child.Exited.ContinueWith(_ => noticed.SetResult(Stopwatch.GetTimestamp()), TaskContinuationOptions.ExecuteSynchronously);
            long killed = Stopwatch.GetTimestamp();
            child.KillGroup();
            TimeSpan notice = Stopwatch.GetElapsedTime(killed, await noticed.Task.WaitAsync(TimeSpan.FromSeconds(10)));
            if (notice < best) best = notice;
        }
        output.WriteLine($"exit noticed after {best.TotalMilliseconds:F2} ms");
        Assert.True(best < TimeSpan.FromMilliseconds(100), best.ToString());
    }

    [Fact]
    public async Task Fencing_two_hundred_busy_backends_stays_within_the_kill_budget()
    {
        await using TestInstance instance = await TestInstance.PrimaryAsync("a");
        await instance.SqlAsync("CREATE TABLE t (n bigint)");
        FenceReport report;
        int round = 0;
        // The architecture's kill budget is 250 ms; other load on the machine may spoil a round, the mechanism must not.
        do
        {
            if (round > 0) await instance.StartAsync(LaunchMode.Primary);
            report = await FenceBusyAsync(instance, 200);
            output.WriteLine($"fence of {report.Killed} processes: all signalled after {report.Signalled.TotalMilliseconds:F1} ms, none left after {report.Elapsed.TotalMilliseconds:F1} ms");
        }
        while (report.Signalled >= TimeSpan.FromMilliseconds(250) && ++round < 3);
        Assert.True(report.Signalled < TimeSpan.FromMilliseconds(250), $"{report.Signalled.TotalMilliseconds} ms");
    }

    private static async Task<FenceReport> FenceBusyAsync(TestInstance instance, int backends)
    {
        List<NpgsqlConnection> connections = [];
        List<Task> running = [];
        for (int i = 0; i < backends; i++)
        {
            NpgsqlConnection connection = await instance.ConnectAsync();
            connections.Add(connection);
            running.Add(new NpgsqlCommand("DO $$ BEGIN LOOP INSERT INTO t VALUES (1); COMMIT; PERFORM pg_sleep(0.05); END LOOP; END $$", connection) { CommandTimeout = 0 }
                .ExecuteNonQueryAsync());
        }
        FenceReport report = await instance.Controller.FenceAsync(TimeSpan.FromSeconds(10));
        Assert.NotNull(report.Proof);
        foreach (Task task in running) await Assert.ThrowsAnyAsync<NpgsqlException>(() => task);
        foreach (NpgsqlConnection connection in connections) await connection.DisposeAsync();
        return report;
    }

    [Fact]
    public async Task A_stopped_postmaster_is_fenced_too()
    {
        await using TestInstance instance = await TestInstance.PrimaryAsync("a");
        Assert.Equal(0, Libc.Kill(instance.Controller.Current!.Pid, Libc.SigStop));
        Assert.NotNull(instance.Controller.Fence(TimeSpan.FromSeconds(5)).Proof);
    }

    [Fact]
    public async Task A_server_that_cannot_start_is_reported_with_its_own_words()
    {
        await using TestInstance instance = await TestInstance.PrimaryAsync("a");
        await instance.StopAsync();
        LaunchResult launch = instance.Controller.Launch(new(LaunchMode.Primary, new(1, 1), ["--config_file=/nonexistent/postgresql.conf"]));
        StartProgress progress = await instance.Controller.WaitReadyAsync(Assert.IsType<LaunchResult.Launched>(launch).Postmaster, TimeSpan.FromSeconds(10));
        StartProgress.Exited exited = Assert.IsType<StartProgress.Exited>(progress);
        Assert.NotEqual(0, exited.Exit.Code);
        Assert.Contains("/nonexistent/postgresql.conf", exited.LastLogLines);
    }

    [Fact]
    public async Task Missing_binaries_are_named_and_nothing_changes()
    {
        await using TestInstance instance = new("a", change: settings => settings with { BinDir = "/nonexistent" });
        LaunchResult launch = instance.Controller.Launch(new(LaunchMode.Primary, new(1, 1), []));
        Assert.Contains("/nonexistent/postgres", Assert.IsType<LaunchResult.Refused>(launch).Reason);
        Assert.Contains("/nonexistent/initdb", ServerBinaries.FindMissing(instance.Settings));
    }

    [Fact]
    public async Task A_hung_server_is_unresponsive_within_the_limit_and_answers_again_afterwards()
    {
        await using TestInstance instance = await TestInstance.PrimaryAsync("a");
        await instance.StatusAsync();
        foreach (InstanceProcess process in instance.Controller.Scan().All) Libc.Kill(process.Pid, Libc.SigStop);
        long begin = Stopwatch.GetTimestamp();
        StatusResult hung = await instance.Reader.ReadAsync(TimeSpan.FromMilliseconds(200));
        Assert.IsType<StatusResult.Unresponsive>(hung);
        Assert.True(Stopwatch.GetElapsedTime(begin) < TimeSpan.FromSeconds(1));
        Assert.IsType<StatusResult.Unresponsive>(await instance.Reader.ReadAsync(TimeSpan.FromMilliseconds(200)));
        foreach (InstanceProcess process in instance.Controller.Scan().All) Libc.Kill(process.Pid, Libc.SigCont);
        await instance.UntilAsync(_ => true);
        await instance.StopAsync();
        StatusResult.NotAccepting gone = Assert.IsType<StatusResult.NotAccepting>(await instance.Reader.ReadAsync(TimeSpan.FromSeconds(5)));
        Assert.Equal(ServerPhase.NotListening, gone.Phase);
    }
}
