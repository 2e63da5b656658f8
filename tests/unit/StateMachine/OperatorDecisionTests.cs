using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>What a node does about restarts and clones that operators ask for, now or for a time, and about starts that fail or take long.</summary>
public sealed class OperatorDecisionTests
{
    private const long Now = 1_000_000, Noon = 2_000_000_000_000, Started = 77;
    private static readonly NodeName A = new("a"), B = new("b");

    private static NodeView Leader(TestCluster cluster) => View(cluster, A, new PrimaryServer(new(1), new(1000), new(1), new(900), [])) with
    {
        Lease = new(cluster.Lease.Epoch, Now + 10_000, false),
        RenewedEpoch = cluster.Lease.Epoch,
        MayBeWritable = true,
    };

    private static NodeView Replica(TestCluster cluster) => View(cluster, B, new StandbyServer(new(1), new(1000), new(1000), A, true, [])) with
    {
        Followed = FollowMark.Of(cluster.State.LatestPromotion!, cluster.State),
    };

    private static NodeView View(TestCluster cluster, NodeName self, ServerView server) => new()
    {
        Self = self,
        NowMs = Now,
        UnixNowMs = Noon,
        State = cluster.State,
        StateIsCurrent = true,
        Data = new PresentData(TestCluster.Data(self.Value), TestCluster.SystemIdentifier, new(1), self != A, false, new(900)),
        Server = server,
        MayBeWritable = false,
        Traits = new(),
        Report = TestCluster.Report(self.Value) with { Role = self == A ? PostgresRole.Primary : PostgresRole.Replica, ServerVersion = 150018 },
        PostmasterStartUnixUs = Started,
    };

    private static TestCluster Cluster(string config = "{}")
    {
        TestCluster cluster = TestCluster.LedWith(config, "a", "b", "c");
        cluster.Accept(new ReportCheckpointed(cluster.Lease.Epoch, A, new(900)));
        return cluster;
    }

    private static TestCluster Scheduled(NodeName node, long at = Noon, RestartConditions? conditions = null, long? timeoutMs = null, string config = "{}")
    {
        TestCluster cluster = Cluster(config);
        cluster.Accept(new ScheduleRestart(node, at, "noon", conditions ?? RestartConditions.None, timeoutMs, Started));
        return cluster;
    }

    private static RestartAction RestartIn(NodeView view, string rule)
    {
        Decision decision = NodeDecisions.Decide(view);
        Assert.Equal(rule, decision.Rule);
        return Assert.IsType<RestartAction>(Assert.IsType<RunAction>(Assert.Single(decision.Effects)).Action);
    }

    [Fact]
    public void A_scheduled_restart_is_done_at_its_time_and_not_before_on_leader_and_replica()
    {
        TestCluster cluster = Scheduled(A, timeoutMs: 5000);
        Assert.Equal(new RestartAction(cluster.Lease.Epoch, null) { TimeoutMs = 5000 }, RestartIn(Leader(cluster), "restart.scheduled"));
        Assert.NotEqual("restart.scheduled", NodeDecisions.Decide(Leader(cluster) with { UnixNowMs = Noon - 1 }).Rule);
        Assert.Null(Upkeep.OverRestart(Leader(cluster)));

        TestCluster other = Scheduled(B);
        Assert.Equal(new RestartAction(null, A), RestartIn(Replica(other), "restart.scheduled"));
        Assert.Equal("leader.steady", NodeDecisions.Decide(Leader(other)).Rule);
    }

    [Fact]
    public void A_scheduled_restart_waits_in_pause_and_during_an_election()
    {
        TestCluster paused = Scheduled(B);
        paused.Accept(new PatchConfig("""{"pause":true}""", 0));
        Assert.Equal("follow.steady", NodeDecisions.Decide(Replica(paused)).Rule);
        Assert.Null(Upkeep.OverRestart(Replica(paused) with { UnixNowMs = Noon + 3_600_000 }));

        TestCluster vacant = Scheduled(B);
        vacant.Expire();
        Assert.StartsWith("election.", NodeDecisions.Decide(Replica(vacant)).Rule);
    }

    [Theory]
    [InlineData(78, 0, "PostgreSQL was started again since it was scheduled")]
    [InlineData(78, -5000, "PostgreSQL was started again since it was scheduled")]
    [InlineData(Started, 15_001, "the time noon passed while it could not be done")]
    [InlineData(0, 15_001, "the time noon passed while it could not be done")]
    [InlineData(0, 15_000, null)]
    [InlineData(Started, 0, null)]
    public void A_scheduled_restart_is_dropped_when_it_is_done_or_stale(long started, long lateMs, string? reason)
    {
        TestCluster cluster = Scheduled(B);
        NodeView view = Replica(cluster) with { PostmasterStartUnixUs = started, UnixNowMs = Noon + lateMs };
        ClearRestart? drop = Upkeep.OverRestart(view);
        Assert.Equal(reason, drop?.Reason);
        if (drop is null) return;
        Assert.NotEqual("restart.scheduled", NodeDecisions.Decide(view).Rule);
        cluster.Accept(drop);
        Assert.Null(cluster.State.Members[B].ScheduledRestart);
        cluster.Refuse(OutcomeCode.RequestConflict, drop);
    }

    [Fact]
    public void Nobody_can_tell_which_postmaster_was_meant_when_none_answered_so_the_next_one_counts_as_started_since()
    {
        TestCluster cluster = Cluster();
        cluster.Accept(new ScheduleRestart(B, Noon, "noon", RestartConditions.None, null, 0));
        Assert.NotNull(Upkeep.OverRestart(Replica(cluster)));
    }

    public static TheoryData<RestartConditions, bool> Conditions => new()
    {
        { new(PostgresRole.Replica, null, false), true },
        { new(PostgresRole.Primary, null, false), false },
        { new(null, "15.19", false), true },
        { new(null, "15.18", false), false },
        { new(null, "9.6.24", false), false },
        { new(null, null, true), false },
        { new(PostgresRole.Replica, "16.0", false), true },
    };

    [Theory]
    [MemberData(nameof(Conditions))]
    public void Conditions_are_looked_at_when_the_time_has_come(RestartConditions conditions, bool holds)
    {
        TestCluster cluster = Scheduled(B, conditions: conditions);
        Assert.Equal(holds, NodeDecisions.Decide(Replica(cluster)).Rule == "restart.scheduled");
        Assert.Equal(!holds, Upkeep.OverRestart(Replica(cluster))?.Reason.StartsWith("restart conditions are not satisfied: ", StringComparison.Ordinal) ?? false);
        Assert.Null(Upkeep.OverRestart(Replica(cluster) with { UnixNowMs = Noon - 1 }));
    }

    [Fact]
    public void A_scheduled_restart_survives_reports_silence_and_a_snapshot_and_ends_with_its_member()
    {
        TestCluster cluster = Scheduled(B);
        ScheduledRestart kept = cluster.State.Members[B].ScheduledRestart!;
        cluster.Touch("b", new Incarnation(5));
        cluster.Accept(new ExpireMember(B, cluster.State.Members[B].LastTouchIndex));
        Assert.Equal(kept, SnapshotCodec.Decode(SnapshotCodec.Encode(cluster.State)).Members[B].ScheduledRestart);
        cluster.Refuse(OutcomeCode.RequestConflict, new ScheduleRestart(B, Noon + 1, "later", RestartConditions.None, null, Started));
        cluster.Refuse(OutcomeCode.StaleVersion, new ClearRestart(B, kept.RequestIndex + 1, "another"));
        cluster.Refuse(OutcomeCode.UnknownNode, new ScheduleRestart(new("x"), Noon, "noon", RestartConditions.None, null, Started));
        cluster.Refuse(OutcomeCode.Invalid, new ScheduleRestart(A, Noon, "noon", new(null, "fifteen", false), null, Started));
        cluster.Accept(new RemovePeer(B));
        cluster.Accept(new RegisterPeer(TestCluster.PeerOf("b")));
        cluster.Touch("b");
        Assert.Null(cluster.State.Members[B].ScheduledRestart);
    }

    [Fact]
    public void A_requested_restart_is_done_also_of_a_server_that_is_down_and_refused_where_it_cannot_be()
    {
        TestCluster cluster = Cluster();
        NodeView asked = Leader(cluster) with { Request = NodeRequest.Restart, RequestTimeoutMs = 9 };
        Assert.Equal(new RestartAction(cluster.Lease.Epoch, null) { TimeoutMs = 9 }, RestartIn(asked, "operator.restart"));
        Assert.Equal(new RestartAction(cluster.Lease.Epoch, null) { TimeoutMs = 9 }, RestartIn(asked with { Server = new ServerStopped() }, "operator.restart"));
        NodeView replica = Replica(cluster) with { Request = NodeRequest.Restart };
        Assert.Equal(new RestartAction(null, A), RestartIn(replica, "operator.restart"));
        Assert.Equal(new RestartAction(null, A), RestartIn(replica with { Server = new ServerStopped(), Data = (PresentData)replica.Data with { ShutDownCleanly = true } }, "operator.restart"));

        Refused(asked with { Lease = null, MayBeWritable = false, Server = new ServerStopped() }, "this node's leadership is not renewed yet");
        Refused(replica with { Server = new ServerStopped(), Data = new NoData() }, "it has no data to start with");
        Refused(replica with { Server = new ServerStopped(), Data = (PresentData)replica.Data with { IsStandby = false } }, "it is a former primary that crashed, and may hold WAL that the leader does not");
        cluster.Expire();
        Refused(replica with { State = cluster.State }, "the cluster has no leader");
    }

    private static void Refused(NodeView view, string reason)
    {
        Decision decision = NodeDecisions.Decide(view);
        Assert.Equal(new RefuseRequest(reason), Assert.Single(decision.Effects));
    }

    [Fact]
    public void A_start_that_takes_too_long_is_given_up_when_another_node_could_take_over()
    {
        TestCluster cluster = Cluster("""{"primary_start_timeout":60}""");
        NodeView starting = Leader(cluster) with { Server = new ServerStarting(Now - 60_001) };
        Decision gaveUp = NodeDecisions.Decide(starting);
        Assert.Equal(("leader.start-timeout", new Fence { GivesUpStart = "PostgreSQL did not start within 60000 ms" }), (gaveUp.Rule, Assert.Single(gaveUp.Effects)));
        Assert.Equal("leader.starting", NodeDecisions.Decide(starting with { Server = new ServerStarting(Now - 60_000) }).Rule);
        Assert.Equal("leader.start-timeout", NodeDecisions.Decide(starting with { Server = new ServerStarting(Now - 5_001), StartTimeoutMs = 5_000 }).Rule);
        Assert.Equal("leader.starting", NodeDecisions.Decide(starting with { StartTimeoutMs = 70_000 }).Rule);

        NodeView stopped = Leader(cluster) with
        {
            Server = new ServerStopped(), MayBeWritable = false,
            LastAction = new(ActionKind.StartPrimary, false, "PostgreSQL did not start within 60000 ms; it was fenced", Now, NodeDecisions.ContextOf(cluster.State)),
        };
        Assert.Equal(VacancyReason.StartFailed, ReleaseIn(stopped).Reason);

        foreach (string name in new[] { "b", "c" }) cluster.Accept(new ExpireMember(new(name), cluster.State.Members[new(name)].LastTouchIndex));
        Assert.Equal("leader.start-overdue", NodeDecisions.Decide(starting with { State = cluster.State }).Rule);
        cluster = Cluster("""{"primary_start_timeout":60,"pause":true}""");
        Assert.Equal("leader.starting", NodeDecisions.Decide(Leader(cluster) with { Server = new ServerStarting(Now - 90_000) }).Rule);
    }

    [Fact]
    public void A_primary_start_timeout_of_0_fails_over_at_once_after_a_crash_if_somebody_can_take_over()
    {
        TestCluster cluster = Cluster("""{"primary_start_timeout":0}""");
        NodeView crashed = Leader(cluster) with { Server = new ServerStopped(), MayBeWritable = false };
        ReleaseLeader release = ReleaseIn(crashed);
        Assert.Equal(VacancyReason.StartFailed, release.Reason);
        cluster.Accept(release);
        cluster.Accept(cluster.Stand("a", 5000));
        cluster.Accept(cluster.Stand("b", 4000));
        cluster.Close();
        Assert.Equal(B, cluster.State.Leader);

        TestCluster alone = Cluster("""{"primary_start_timeout":0}""");
        foreach (string name in new[] { "b", "c" }) alone.Accept(new ExpireMember(new(name), alone.State.Members[new(name)].LastTouchIndex));
        Assert.Equal("leader.restart-in-place", NodeDecisions.Decide(crashed with { State = alone.State, Lease = new(alone.Lease.Epoch, Now + 10_000, false), RenewedEpoch = alone.Lease.Epoch }).Rule);
        Assert.Equal("leader.restart-in-place", NodeDecisions.Decide(Leader(Cluster()) with { Server = new ServerStopped(), MayBeWritable = false }).Rule);
    }

    [Fact]
    public void A_leader_whose_restart_failed_gives_leadership_away()
    {
        TestCluster cluster = Cluster();
        NodeView view = Leader(cluster) with
        {
            Server = new ServerStopped(), MayBeWritable = false,
            LastAction = new(ActionKind.Restart, false, "PostgreSQL exited while it started", Now, NodeDecisions.ContextOf(cluster.State)),
        };
        Assert.Equal(VacancyReason.StartFailed, ReleaseIn(view).Reason);
    }

    /// <summary>The failure outlives the stop: a pre_promote that says no must not send the winner round in a circle.</summary>
    [Fact]
    public void A_promotion_that_failed_gives_leadership_away_and_is_not_tried_again()
    {
        TestCluster cluster = Cluster();
        cluster.Expire();
        cluster.Accept(cluster.Stand("b", 2000));
        cluster.Close();
        cluster.Renew(2000);
        NodeView won = Replica(cluster) with
        {
            Lease = new(cluster.Lease.Epoch, Now + 10_000, false), RenewedEpoch = cluster.Lease.Epoch,
            LastAction = new(ActionKind.Promote, false, "pre_promote failed", Now, NodeDecisions.ContextOf(cluster.State)),
        };
        Fence fence = Assert.IsType<Fence>(Assert.Single(NodeDecisions.Decide(won).Effects));
        Assert.Equal("the promotion failed: pre_promote failed", fence.GivesUpStart);
        NodeView stopped = won with
        {
            Server = new ServerStopped(), MayBeWritable = false,
            LastAction = new(ActionKind.StartPrimary, false, fence.GivesUpStart!, Now, NodeDecisions.ContextOf(cluster.State)),
        };
        ReleaseLeader release = ReleaseIn(stopped);
        Assert.Equal(VacancyReason.PromotionFailed, release.Reason);
        cluster.Accept(release);
        Assert.Contains(B, cluster.Vacancy.Barred);
    }

    private static ReleaseLeader ReleaseIn(NodeView view) =>
        Assert.IsType<ReleaseLeader>(Assert.IsType<Propose>(Assert.Single(NodeDecisions.Decide(view).Effects)).Command);

    [Fact]
    public void Cloning_anew_stops_clears_and_clones_from_the_leader_when_told_so()
    {
        TestCluster cluster = Cluster();
        cluster.Accept(new TouchMember(new("c"), TestCluster.Report("c") with { ReplicationState = "streaming", TagsJson = """{"clonefrom":true}""" }));
        NodeView asked = Replica(cluster) with { Request = NodeRequest.Reinitialize };
        FollowMark mark = FollowMark.Of(cluster.State.LatestPromotion!, cluster.State);
        Assert.Equal(new StopAction(false), ActionIn(asked));
        Assert.Equal(new RemoveDataAction(false) { ReplacedBy = A }, ActionIn(asked with { Server = new ServerStopped() }));
        Assert.Equal(new CloneAction(new("c")) { Mark = mark, FromReplica = true }, ActionIn(asked with { Server = new ServerStopped(), Data = new NoData() }));
        Assert.Equal(new CloneAction(A) { Mark = mark, BaseBackupOnly = true }, ActionIn(asked with { Server = new ServerStopped(), Data = new NoData(), CloneFromLeader = true }));
        Assert.Equal(new CloneAction(A) { Mark = mark, BaseBackupOnly = true }, ActionIn(Replica(cluster) with { Server = new ServerStopped(), Data = new NoData(), CloneFromLeader = true }));
        Assert.Equal(new RemoveDataAction(false) { ReplacedBy = A }, ActionIn(asked with { Server = new ServerStopped(), Data = new UnfinishedData(UnfinishedWork.Clone) }));

        Refused(Leader(cluster) with { Request = NodeRequest.Reinitialize }, "I am the leader, can not reinitialize");
        cluster.Expire();
        Refused(asked with { State = cluster.State }, "Cluster has no leader, can not reinitialize");
    }

    private static NodeAction ActionIn(NodeView view) => Assert.IsType<RunAction>(Assert.Single(NodeDecisions.Decide(view).Effects)).Action;

    [Theory]
    [InlineData(500, 0, true)]
    [InlineData(1_500, 400, true)]
    [InlineData(1_500, 1_200, false)]
    [InlineData(4_999, 0, true)]
    [InlineData(5_001, 0, false)]
    public void Nobody_stands_while_WAL_still_arrives_within_primary_race_backoff(long vacantForMs, long lastWalAgoMs, bool waits)
    {
        TestCluster cluster = Cluster("""{"primary_race_backoff":5,"loop_wait":1}""");
        cluster.Expire();
        NodeView view = Replica(cluster) with { VacancyAtMs = Now - vacantForMs, WalArrivedAtMs = Now - lastWalAgoMs };
        Assert.Equal(waits, NodeDecisions.Decide(view).Rule == "election.race-backoff");
        Assert.NotEqual("election.race-backoff", NodeDecisions.Decide(view with { WalArrivedAtMs = 0 }).Rule);
        TestCluster off = Cluster();
        off.Expire();
        Assert.NotEqual("election.race-backoff", NodeDecisions.Decide(view with { State = off.State }).Rule);
        TestCluster released = Cluster("""{"primary_race_backoff":5,"loop_wait":1}""");
        released.Release(VacancyReason.Shutdown, 1000);
        Assert.NotEqual("election.race-backoff", NodeDecisions.Decide(view with { State = released.State }).Rule);
    }

    [Theory]
    [InlineData(-1, false, "leader.steady")]
    [InlineData(0, false, "switchover.stop")]
    [InlineData(0, true, "leader.steady")]
    [InlineData(15_001, false, "switchover.stale")]
    public void A_scheduled_switchover_is_done_at_its_time_waits_in_pause_and_is_dropped_when_stale(long lateMs, bool pause, string rule)
    {
        TestCluster cluster = Cluster();
        cluster.Accept(new TouchMember(B, TestCluster.Report("b") with { ReplicationState = "streaming", ReceiveLsn = new(1000) }));
        cluster.Accept(new RequestFailover(FailoverKind.Switchover, A, B, Noon, "noon"));
        if (pause) cluster.Accept(new PatchConfig("""{"pause":true}""", 0));
        NodeView view = Leader(cluster);
        if (pause) view = view with { Lease = view.Lease! with { Unbounded = true } };
        Assert.Equal(rule, NodeDecisions.Decide(view with { UnixNowMs = Noon + lateMs }).Rule);
    }

    [Theory]
    [InlineData("""{"synchronous_mode":true,"primary_stop_timeout":5}""", "b", "lease.release")]
    [InlineData("""{"synchronous_mode":true,"primary_stop_timeout":5}""", "c", "switchover.stop-failed")]
    [InlineData("""{"synchronous_mode":true,"primary_stop_timeout":5}""", null, "switchover.stop-failed")]
    [InlineData("""{"synchronous_mode":true}""", "b", "switchover.stop-failed")]
    public void A_primary_killed_in_its_stop_hands_over_to_a_synchronous_standby_only(string config, string? synchronous, string rule)
    {
        TestCluster cluster = Cluster(config);
        cluster.Accept(new TouchMember(B, TestCluster.Report("b") with { ReplicationState = "streaming", ReceiveLsn = new(1000) }));
        if (synchronous is not null) cluster.Accept(cluster.Sync(0, synchronous));
        cluster.Accept(new RequestFailover(FailoverKind.Failover, null, B, null, null));
        Decision decision = NodeDecisions.Decide(Leader(cluster) with
        {
            Server = new ServerStopped(),
            MayBeWritable = false,
            LastAction = new(ActionKind.Stop, false, "it did not stop within 5 s and was killed", Now, NodeDecisions.ContextOf(cluster.State)),
        });
        Assert.Equal(rule, decision.Rule);
        // Without a clean stop nobody knows where its WAL ended.
        if (decision.Effects[0] is Propose { Command: ReleaseLeader release }) Assert.Equal((default, B), (release.ShutdownLsn, release.Candidate));
    }
}
