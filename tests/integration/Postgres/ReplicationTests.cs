using System.Diagnostics;
using Npgsql;
using Patroni.Raft.Postgres;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.Postgres.Provisioning;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.IntegrationTests.Postgres;

public sealed class ReplicationTests(ITestOutputHelper output)
{
    private const string FillSql = "CREATE TABLE filler AS SELECT n, md5(n::text) AS text FROM generate_series(1, 200000) n";

    [Fact]
    public async Task A_clone_reports_progress_streams_and_is_promoted_with_a_marker()
    {
        await using TestInstance primary = await TestInstance.PrimaryAsync("a");
        await primary.SqlAsync(FillSql);
        new PromotionMarker(new(1, 3), new(1), new("a"), DataIncarnation.ReadOrDraw(primary.Settings.DataDir, new("a"))).Write(primary.Settings.DataDir);

        await using TestInstance standby = new("b", primary.Root);
        List<CloneProgress> seen = [];
        CloneResult result = await standby.Cloner.RunAsync(
            new(primary.AsSource(), standby.Controller.VerifyStopped()!, ExpectedSystemIdentifier: (await primary.StatusAsync()).SystemIdentifier),
            progress => { lock (seen) seen.Add(progress); });
        CloneResult.Done done = Assert.IsType<CloneResult.Done>(result);
        Assert.Equal(100, seen[^1].Percent);
        Assert.NotEqual(DataIncarnation.Read(primary.Settings.DataDir, new("a")), done.Incarnation);
        Assert.IsType<PromotionMarkerState.None>(PromotionMarker.Read(standby.Settings.DataDir, new("b"), done.Incarnation));

        await standby.StartAsync(LaunchMode.Standby, primary);
        InstanceStatus streaming = await standby.UntilAsync(s => s.Receiver is { IsStreaming: true });
        Assert.Equal(EndOfWalBasis.Streamed, streaming.EndOfWal.Basis);
        Assert.Equal(primary.Settings.Port, streaming.Receiver!.SenderPort);
        InstanceStatus source = await primary.UntilAsync(s => s.Replication.Any(r => r is { ApplicationName: "b", State: "streaming" }));
        Assert.DoesNotContain("rep:l", await File.ReadAllTextAsync(standby.Configuration.ConfigurationFile));

        await primary.StopAsync(StopMode.Immediate);
        // To whom it is pointed is known also while nobody answers there: a new agent must not take it for disconnected.
        InstanceStatus alone = await standby.UntilAsync(s => s.Receiver is null);
        Assert.Equal((primary.Settings.ConnectAddress.Host, primary.Settings.ConnectAddress.Port), alone.Upstream);
        long begin = Stopwatch.GetTimestamp();
        PromotionOutcome outcome = await standby.PromoteAsync();
        output.WriteLine($"promotion: {Stopwatch.GetElapsedTime(begin).TotalMilliseconds:F1} ms in all, {outcome.Took.TotalMilliseconds:F1} ms of waiting");
        Assert.Equal(2u, outcome.Timeline.Value);
        Assert.True(outcome.ForkLsn >= source.FlushLsn);
        PromotionMarkerState.Own own = Assert.IsType<PromotionMarkerState.Own>(PromotionMarker.Read(standby.Settings.DataDir, new("b"), done.Incarnation));
        Assert.Equal(new Epoch(1, 7), own.Marker.Epoch);
        InstanceStatus promoted = await standby.StatusAsync();
        Assert.False(promoted.InRecovery);
        Assert.Null(promoted.Upstream);
        await standby.SqlAsync("CREATE TABLE after_promotion ()");
    }

    /// <summary>A copy of a replica is only as well known as the replica was.</summary>
    [Fact]
    public async Task A_clone_is_marked_with_what_was_recorded_when_it_began_or_with_the_older_mark_of_the_replica_it_copies()
    {
        FollowMark older = new(new(1, 3), new(1), 7), newer = new(new(1, 9), new(2), 21);
        await using TestInstance primary = await TestInstance.PrimaryAsync("a");
        await using TestInstance replica = new("b", primary.Root);
        CloneResult.Done done = Assert.IsType<CloneResult.Done>(await replica.Cloner.RunAsync(new(primary.AsSource(), replica.Controller.VerifyStopped()!) { Mark = older }));
        Assert.Equal(older, FollowingFile.Read(replica.Settings.DataDir, new("b"), done.Incarnation));
        await replica.StartAsync(LaunchMode.Standby, primary);
        await replica.UntilAsync(s => s.Receiver is { IsStreaming: true });

        await using TestInstance copy = new("c", primary.Root);
        done = Assert.IsType<CloneResult.Done>(await copy.Cloner.RunAsync(new(replica.AsSource() with { IsReplica = true }, copy.Controller.VerifyStopped()!) { Mark = newer }));
        Assert.Equal(older, FollowingFile.Read(copy.Settings.DataDir, new("c"), done.Incarnation));
        DataDirectory.Wipe(copy.Settings, copy.Controller.VerifyStopped()!, "test");
        // What a leader was once pointed to says nothing of what it writes.
        done = Assert.IsType<CloneResult.Done>(await copy.Cloner.RunAsync(new(replica.AsSource(), copy.Controller.VerifyStopped()!) { Mark = newer }));
        Assert.Equal(newer, FollowingFile.Read(copy.Settings.DataDir, new("c"), done.Incarnation));
    }

    /// <summary>A paused replay keeps the WAL receiver: it ends when recovery asks for the next WAL.</summary>
    [Fact]
    public async Task A_standby_that_is_pointed_to_nobody_is_known_to_receive_nothing_any_more()
    {
        await using TestInstance primary = await TestInstance.PrimaryAsync("a");
        await using TestInstance standby = new("b", primary.Root);
        Assert.IsType<CloneResult.Done>(await standby.Cloner.RunAsync(new(primary.AsSource(), standby.Controller.VerifyStopped()!)));
        await standby.StartAsync(LaunchMode.Standby, primary);
        InstanceStatus streaming = await standby.UntilAsync(s => s.Receiver is { IsStreaming: true });
        await using InstanceCommands commands = new(standby.Settings);
        Assert.NotNull(await commands.WaitDetachedAsync(TimeSpan.FromSeconds(1), default));

        await standby.SqlAsync("SELECT pg_wal_replay_pause()");
        await standby.UntilAsync(s => s.ReplayPaused);
        standby.Configuration.Write(new ConfiguredRole.Standby((Upstream?)null), streaming.MajorVersion);
        Assert.IsNotType<SignalResult.Refused>(standby.Controller.Reload());
        Assert.Contains("replay is paused", await commands.WaitDetachedAsync(TimeSpan.FromSeconds(2), default), StringComparison.Ordinal);
        await standby.SqlAsync("SELECT pg_wal_replay_resume()");
        Assert.Null(await commands.WaitDetachedAsync(TimeSpan.FromSeconds(30), default));
        InstanceStatus detached = await standby.StatusAsync();
        Assert.Equal((null, null), (detached.Receiver, detached.Upstream));
    }

    [Fact]
    public async Task A_server_is_asked_for_its_identity_as_a_clone_would_reach_it()
    {
        await using TestInstance primary = await TestInstance.PrimaryAsync("a");
        (ulong? system, string? error) = await LeaderInspection.IdentifyAsync(primary.Settings.ConnectAddress, primary.Settings.Replication, TimeSpan.FromSeconds(10), default);
        Assert.Equal(((await primary.StatusAsync()).SystemIdentifier, null), (system, error));
        await primary.StopAsync(StopMode.Immediate);
        (system, error) = await LeaderInspection.IdentifyAsync(primary.Settings.ConnectAddress, primary.Settings.Replication, TimeSpan.FromSeconds(10), default);
        Assert.Null(system);
        Assert.NotNull(error);
    }

    [Fact]
    public async Task An_interrupted_clone_is_recognised_and_can_be_repeated_but_never_started()
    {
        await using TestInstance primary = await TestInstance.PrimaryAsync("a");
        await primary.SqlAsync(FillSql);
        await using TestInstance standby = new("b", primary.Root, settings => settings with
        {
            CreateReplicaMethods = [new() { Name = "basebackup", Options = [new("max-rate", "1M")] }],
        });
        using CancellationTokenSource cancel = new();
        CloneResult result = await standby.Cloner.RunAsync(new(primary.AsSource(), standby.Controller.VerifyStopped()!),
            progress => { if (progress.DoneBytes > 0) cancel.Cancel(); }, cancel.Token);
        Assert.IsType<CloneResult.Cancelled>(result);
        Assert.True(standby.Controller.Scan().IsEmpty);
        DirectoryState.HalfDone half = Assert.IsType<DirectoryState.HalfDone>(await DataDirectory.InspectAsync(standby.Settings));
        Assert.Equal(DirectoryWorkKind.Clone, half.Work.Kind);
        Cloner again = new(standby.Settings with { CreateReplicaMethods = [] }, Microsoft.Extensions.Logging.Abstractions.NullLogger<Cloner>.Instance);
        Assert.IsType<CloneResult.Done>(await again.RunAsync(new(primary.AsSource(), standby.Controller.VerifyStopped()!)));
        await standby.StartAsync(LaunchMode.Standby, primary);
        await standby.UntilAsync(s => s.Receiver is { IsStreaming: true });
    }

    [Fact]
    public async Task A_clone_tool_that_outlived_its_agent_counts_as_a_process_of_the_instance()
    {
        await using TestInstance primary = await TestInstance.PrimaryAsync("a");
        await primary.SqlAsync(FillSql);
        await using TestInstance standby = new("b", primary.Root, settings => settings with
        {
            CreateReplicaMethods = [new() { Name = "slow", Command = "sleep 120", NoParams = true }],
        });
        using CancellationTokenSource cancel = new();
        Task<CloneResult> clone = standby.Cloner.RunAsync(new(primary.AsSource(), standby.Controller.VerifyStopped()!), cancel: cancel.Token);
        await WaitAsync(() => !standby.Controller.Scan().IsEmpty);
        Assert.Null(standby.Controller.VerifyStopped());
        Assert.NotNull(standby.Controller.Fence(TimeSpan.FromSeconds(5)).Proof);
        Assert.IsType<CloneResult.Failed>(await clone);
    }

    [Fact]
    public async Task A_valid_directory_is_not_overwritten_without_a_reason()
    {
        await using TestInstance primary = await TestInstance.PrimaryAsync("a");
        await using TestInstance other = await TestInstance.PrimaryAsync("b");
        VerifiedStopped proof = await other.StopAsync();
        Assert.IsType<CloneResult.Refused>(await other.Cloner.RunAsync(new(primary.AsSource(), proof)));
        Assert.IsType<DirectoryState.Valid>(await DataDirectory.InspectAsync(other.Settings));
        Assert.IsType<CloneResult.Failed>(await other.Cloner.RunAsync(new(primary.AsSource(), proof, "test", ExpectedSystemIdentifier: 1)));
        // A copy of the wrong cluster stays marked, so that nothing starts it.
        Assert.IsType<DirectoryState.HalfDone>(await DataDirectory.InspectAsync(other.Settings));
    }

    [Fact]
    public async Task A_cleanly_stopped_primary_follows_its_successor_without_a_rewind()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await using TestInstance b = await TestInstance.StandbyOfAsync(a, "b");
        await b.UntilAsync(s => s.Receiver is { IsStreaming: true });
        long begin = Stopwatch.GetTimestamp();
        VerifiedStopped proof = await a.StopAsync();
        TimeSpan stopped = Stopwatch.GetElapsedTime(begin);
        await b.PromoteAsync();
        output.WriteLine($"switchover by hand: stopped and verified after {stopped.TotalMilliseconds:F1} ms, promoted after {Stopwatch.GetElapsedTime(begin).TotalMilliseconds:F1} ms");
        Assert.True((await b.Commands.CheckpointAsync(default)).IsSuccess);
        Assert.IsType<RewindResult.NotNeeded>(await a.Rewinder.RunAsync(b.Settings.ConnectAddress, proof));
        await a.StartAsync(LaunchMode.Standby, b);
        await a.UntilAsync(s => s is { Receiver.IsStreaming: true, Timeline.Value: 2 });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_diverged_former_primary_is_rewound_and_streams(bool crashed)
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await using TestInstance b = await TestInstance.StandbyOfAsync(a, "b");
        await a.SqlAsync("CREATE TABLE t (n int)");
        InstanceStatus before = await a.StatusAsync();
        await b.UntilAsync(s => s.ReplayLsn >= before.FlushLsn);
        await b.StopAsync();
        await a.SqlAsync("INSERT INTO t SELECT generate_series(1, 100)");
        VerifiedStopped proof = crashed ? a.Controller.Fence(TimeSpan.FromSeconds(5)).Proof! : await a.StopAsync();
        await b.StartAsync(LaunchMode.Standby);
        await b.UntilAsync(s => s.EndOfWal.IsKnown);
        await b.PromoteAsync();
        await b.SqlAsync("INSERT INTO t VALUES (-1)");
        Assert.True((await b.Commands.CheckpointAsync(default)).IsSuccess);
        SignalFiles.Prepare(a.Settings.DataDir, LaunchMode.Standby);
        FollowMark mark = new(new(1, 9), new(2), 21);
        RewindResult result = await a.Rewinder.RunAsync(b.Settings.ConnectAddress, proof, mark);
        Assert.True(result is RewindResult.Done, result.ToString());
        Assert.Equal(mark, FollowingFile.Read(a.Settings.DataDir, new("a"), ((RewindResult.Done)result).Incarnation));
        await a.StartAsync(LaunchMode.Standby, b);
        await a.UntilAsync(s => s is { Receiver.IsStreaming: true, Timeline.Value: 2 });
        Assert.Equal(-1L, Convert.ToInt64(await a.SqlAsync("SELECT sum(n) FROM t")));
        Assert.Equal(a.Settings.Port.ToString(), await a.SqlAsync("SHOW port"));
    }

    [Fact]
    public async Task A_standby_with_received_but_unreplayed_wal_beyond_the_fork_counts_as_diverged()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await using TestInstance b = await TestInstance.StandbyOfAsync(a, "b");
        await using TestInstance c = await TestInstance.StandbyOfAsync(a, "c");
        await c.UntilAsync(s => s.Receiver is { IsStreaming: true });
        await a.SqlAsync("CREATE TABLE t (n int)");
        InstanceStatus before = await a.StatusAsync();
        await b.UntilAsync(s => s.ReplayLsn >= before.FlushLsn);
        await b.StopAsync();
        await c.SqlAsync("SELECT pg_wal_replay_pause()");
        await c.UntilAsync(s => s.ReplayPaused);
        await a.SqlAsync("INSERT INTO t SELECT generate_series(1, 1000)");
        InstanceStatus ahead = await a.StatusAsync();
        await c.UntilAsync(s => s.ReceiveLsn >= ahead.FlushLsn);
        // The position at which replay was paused may be before the fork: only the WAL files tell.
        VerifiedStopped proof = await c.StopAsync(StopMode.Immediate);
        await a.StopAsync(StopMode.Immediate);
        await b.StartAsync(LaunchMode.Standby);
        await b.UntilAsync(s => s.EndOfWal.IsKnown);
        PromotionOutcome outcome = await b.PromoteAsync();
        ControlData control = await c.ControlAsync();
        Assert.True(control.MinRecoveryEnd <= outcome.ForkLsn);
        Assert.IsType<DivergenceResult.Diverged>(await Divergence.CheckAsync(c.Settings, control, outcome.History));
        Assert.True((await b.Commands.CheckpointAsync(default)).IsSuccess);
        RewindResult result = await c.Rewinder.RunAsync(b.Settings.ConnectAddress, proof);
        Assert.True(result is RewindResult.Done, result.ToString());
        await c.StartAsync(LaunchMode.Standby, b);
        await c.UntilAsync(s => s is { Receiver.IsStreaming: true, Timeline.Value: 2 });
        Assert.Equal(0L, Convert.ToInt64(await c.SqlAsync("SELECT count(*) FROM t")));
    }

    [Fact]
    public async Task An_interrupted_rewind_is_recognised_and_completed()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await using TestInstance b = await TestInstance.StandbyOfAsync(a, "b");
        await b.UntilAsync(s => s.Receiver is { IsStreaming: true });
        await b.PromoteAsync();
        await a.SqlAsync(FillSql);
        Assert.True((await b.Commands.CheckpointAsync(default)).IsSuccess);
        VerifiedStopped proof = await a.StopAsync();
        // What a crash between the marker and the end leaves; the tool itself is allowed to be run again.
        DirectoryWork.Begin(a.Settings.StateDirectory, DirectoryWorkKind.Rewind, a.Settings.DataDir, "test");
        Assert.Equal(DirectoryWorkKind.Rewind, Assert.IsType<DirectoryState.HalfDone>(await DataDirectory.InspectAsync(a.Settings)).Work.Kind);
        RewindResult result = await a.Rewinder.RunAsync(b.Settings.ConnectAddress, proof);
        Assert.True(result is RewindResult.Done, result.ToString());
        await a.StartAsync(LaunchMode.Standby, b);
        await a.UntilAsync(s => s is { Receiver.IsStreaming: true, Timeline.Value: 2 });
    }

    [Fact]
    public async Task A_rewind_refuses_a_foreign_cluster_and_a_cluster_without_hints()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await using TestInstance b = await TestInstance.PrimaryAsync("b");
        VerifiedStopped proof = await a.StopAsync();
        Assert.IsType<RewindResult.Impossible>(await a.Rewinder.RunAsync(b.Settings.ConnectAddress, proof));
        Rewinder off = new(a.Settings with { UsePgRewind = false }, Microsoft.Extensions.Logging.Abstractions.NullLogger<Rewinder>.Instance);
        Assert.IsType<RewindResult.Impossible>(await off.RunAsync(b.Settings.ConnectAddress, proof));
        Assert.IsType<RewindResult.Failed>(await a.Rewinder.RunAsync(new("127.0.0.1", TestInstance.FreePort()), proof));
    }

    [Fact]
    public async Task A_restarted_standby_knows_its_end_of_wal_only_when_it_has_replayed_all_it_holds()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await using TestInstance b = await TestInstance.StandbyOfAsync(a, "b", settings => settings with
        {
            Parameters = settings.Parameters.SetItem("wal_retrieve_retry_interval", "1s"),
        });
        await a.SqlAsync("CREATE TABLE t (n int)");
        InstanceStatus streaming = await b.UntilAsync(s => s.Receiver is { IsStreaming: true });
        Assert.Equal(EndOfWalBasis.Streamed, streaming.EndOfWal.Basis);
        await b.SqlAsync("SELECT pg_wal_replay_pause()");
        await a.SqlAsync("INSERT INTO t SELECT generate_series(1, 100000)");
        Lsn full = await a.EndOfRecordsAsync();
        InstanceStatus received = await b.UntilAsync(s => s.ReceiveLsn >= full);
        Assert.True(received.EndOfWal.Lsn >= full);
        await a.StopAsync(StopMode.Immediate);
        await b.StopAsync(StopMode.Immediate);

        // With a delay the replay stands in the middle of what is there: nothing may be claimed.
        await using TestInstance delayed = new("b", a.Root, settings => b.Settings with
        {
            RecoveryConf = ServerParameters.Of([new("recovery_min_apply_delay", "1h")]),
        });
        await delayed.StartAsync(LaunchMode.Standby);
        InstanceStatus waiting = await delayed.StatusAsync();
        Assert.True(waiting.LastLsn < full);
        Assert.False(waiting.EndOfWal.IsKnown);
        await delayed.StopAsync(StopMode.Immediate);

        await b.StartAsync(LaunchMode.Standby);
        InstanceStatus known = await b.UntilAsync(s => s.EndOfWal.IsKnown);
        Assert.Equal(EndOfWalBasis.RecoveryWaits, known.EndOfWal.Basis);
        Assert.True(known.EndOfWal.Lsn >= full);
        Assert.Equal(1u, (await b.Commands.ReadReplayTimelineAsync(TimeSpan.FromSeconds(5), default))?.Value);
    }

    [Fact]
    public async Task An_upstream_that_cannot_be_reached_does_not_hide_the_end_of_wal()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await using TestInstance b = await TestInstance.StandbyOfAsync(a, "b");
        await b.UntilAsync(s => s.Receiver is { IsStreaming: true });
        await a.SqlAsync(FillSql);
        Lsn full = await a.EndOfRecordsAsync();
        await b.UntilAsync(s => s.ReceiveLsn >= full);
        await a.StopAsync(StopMode.Immediate);
        await b.StopAsync(StopMode.Immediate);
        await b.StartAsync(LaunchMode.Standby, a);
        InstanceStatus known = await b.UntilAsync(s => s.EndOfWal.IsKnown);
        Assert.True(known.EndOfWal.Lsn >= full, $"{known}, but {full} was received");
    }

    [Fact]
    public async Task Slots_are_created_advanced_and_dropped()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await using TestInstance b = await TestInstance.StandbyOfAsync(a, "b");
        await b.UntilAsync(s => s.Receiver is { IsStreaming: true });
        string name = Slots.NameOf(new("Node-1.Example"));
        Assert.Equal("node_1_example", name);
        await using LocalServer server = LocalServer.Of(b.Settings, null);
        SlotChanges changes = await Slots.SynchronizeAsync(server, await b.StatusAsync(), [new(name, null), new("other", null)], _ => false, default);
        Assert.Equal(new[] { name, "other" }, changes.Created.ToArray());
        await a.SqlAsync(FillSql);
        InstanceStatus ahead = await a.StatusAsync();
        InstanceStatus status = await b.UntilAsync(s => s.ReplayLsn >= ahead.FlushLsn);
        changes = await Slots.SynchronizeAsync(server, status, [new(name, ahead.FlushLsn)], _ => false, default);
        Assert.Empty(changes.Problems);
        Assert.Equal(name, Assert.Single(changes.Advanced));
        Assert.Equal("other", Assert.Single(changes.Dropped));
        ReplicationSlot slot = Assert.Single((await b.StatusAsync()).Slots);
        Assert.True(slot.RestartLsn >= ahead.FlushLsn);
    }

    [Fact]
    public async Task The_status_query_is_quick()
    {
        await using TestInstance a = await TestInstance.PrimaryAsync("a");
        await a.StatusAsync();
        List<double> times = [];
        for (int i = 0; i < 200; i++)
            times.Add(Assert.IsType<StatusResult.Answered>(await a.Reader.ReadAsync(TimeSpan.FromSeconds(5))).Took.TotalMilliseconds);
        times.Sort();
        output.WriteLine($"status query: median {times[100]:F2} ms, p95 {times[190]:F2} ms");
    }

    private static async Task WaitAsync(Func<bool> condition)
    {
        DateTime deadline = DateTime.UtcNow.AddSeconds(20);
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "the condition was not reached in 20 s");
            await Task.Delay(10);
        }
    }
}
