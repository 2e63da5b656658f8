using Patroni.Raft.StateMachine;
using Xunit;
using static Patroni.Raft.UnitTests.StateMachine.TestCluster;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>
/// What the mark of the recorded promotion to which a replica was pointed says of WAL that arrived since. "a" led timeline 2, was elected and promoted again and never
/// said so; "b" was promoted at the same position, to the same timeline 3 with the same history. "c" heard of nothing, and may have the timeline 3 of either.
/// </summary>
public sealed class FollowMarkTests
{
    private const long Now = 1_000_000;
    private static readonly NodeName A = new("a"), B = new("b"), C = new("c");
    private static readonly TimelineFork[] History = [Fork(1, 1000), Fork(2, 1500)];

    private readonly TestCluster cluster = Vacated("a", "b", "c");
    private readonly FollowMark first;

    public FollowMarkTests()
    {
        Elect("a", 1, 1000);
        cluster.Promote(2, 1, 1000);
        first = FollowMark.Of(cluster.State.LatestPromotion!, cluster.State);
    }

    private FollowMark Newest => FollowMark.Of(cluster.State.LatestPromotion!, cluster.State);

    private void Elect(string winner, uint timeline, ulong end)
    {
        foreach (string name in new[] { "a", "b", "c" })
            if (cluster.State.Vacancy is not null) cluster.Accept(name == winner ? cluster.Stand(name, end, timeline, 1, null, HistoryOf(timeline)) : cluster.Decline(name));
        Assert.Equal(winner, cluster.State.Leader!.Value.Value);
    }

    private static TimelineFork[] HistoryOf(uint timeline) => timeline == 1 ? [] : timeline == 2 ? [Fork(1, 1000)] : History;

    private void ElectedAndNeverRecorded()
    {
        cluster.Expire();
        Elect("a", 2, 1500);
        cluster.Renew(1500);
    }

    private void AnotherIsRecorded()
    {
        cluster.Expire();
        Elect("b", 2, 1500);
        cluster.Promote(3, 2, 1500);
        cluster.Accept(new ReportCheckpointed(cluster.Lease.Epoch, B, new(1500)));
    }

    private NodeView Stopped(FollowMark? followed, uint newestWal) => new()
    {
        Self = C,
        NowMs = Now,
        UnixNowMs = 2_000_000_000_000,
        State = cluster.State,
        StateIsCurrent = true,
        // The control file lags behind what arrived.
        Data = new PresentData(Data("c"), SystemIdentifier, new(2), true, false, new(1400)) { History = [Fork(1, 1000)], NewestWal = new(newestWal) },
        Server = new ServerStopped(),
        MayBeWritable = false,
        Followed = followed,
        Traits = new(),
        Report = Report("c", 2),
    };

    private NodeView Running(FollowMark? followed, NodeName? upstream, bool streams, uint timeline = 2) => Stopped(followed, 0) with
    {
        Server = new StandbyServer(new(timeline), new(1500), new(1500), upstream, streams, [.. HistoryOf(timeline)]),
    };

    private static T ActionOf<T>(Decision decision) where T : NodeAction => Assert.IsType<T>(Assert.IsType<RunAction>(Assert.Single(decision.Effects)).Action);

    [Fact]
    public void Newer_wal_than_was_followed_is_cloned_anew_after_an_epoch_that_ended_without_a_record()
    {
        ElectedAndNeverRecorded();
        AnotherIsRecorded();
        Decision decision = NodeDecisions.Decide(Stopped(first, 3));
        Assert.Equal("rejoin.clone", decision.Rule);
        Assert.Equal(new RemoveDataAction(false) { ReplacedBy = B }, ActionOf<RemoveDataAction>(decision));
        Assert.Equal("rejoin.clone", NodeDecisions.Decide(Running(first, null, false, 3)).Rule);
    }

    [Fact]
    public void What_is_as_old_as_what_was_followed_goes_on_and_is_marked_first()
    {
        ElectedAndNeverRecorded();
        AnotherIsRecorded();
        Decision decision = NodeDecisions.Decide(Stopped(first, 2));
        Assert.Equal("follow.start", decision.Rule);
        Assert.Equal(Newest, ActionOf<StartStandbyAction>(decision).Mark);
    }

    [Fact]
    public void A_log_that_tells_of_every_promotion_leaves_no_doubt()
    {
        AnotherIsRecorded();
        Assert.Equal("follow.start", NodeDecisions.Decide(Stopped(first, 3)).Rule);
    }

    [Fact]
    public void Nobody_is_judged_before_another_promotion_is_recorded()
    {
        ElectedAndNeverRecorded();
        cluster.Expire();
        Decision decision = NodeDecisions.Decide(Running(first, null, false, 3));
        Assert.Equal("election.stand", decision.Rule);
    }

    [Fact]
    public void In_the_next_election_it_declines()
    {
        ElectedAndNeverRecorded();
        AnotherIsRecorded();
        cluster.Expire();
        Decision decision = NodeDecisions.Decide(Running(first, null, false, 3));
        Assert.Equal("election.decline", decision.Rule);
        Assert.IsType<DeclineElection>(Assert.IsType<Propose>(Assert.Single(decision.Effects)).Command);
    }

    [Fact]
    public void What_the_history_no_longer_tells_is_doubted_unless_the_mark_was_written_since()
    {
        AnotherIsRecorded();
        ClusterState late = cluster.State with { Events = cluster.State.Events[^3..] };
        Assert.Equal("rejoin.clone", NodeDecisions.Decide(Stopped(first, 3) with { State = late }).Rule);
        Assert.Equal("follow.start", NodeDecisions.Decide(Stopped(first with { Events = late.EventCount - 3 }, 3) with { State = late }).Rule);
    }

    [Fact]
    public void A_mark_is_written_anew_before_the_history_forgets_what_followed_it()
    {
        ClusterState later = cluster.State with { EventCount = first.Events + 301 };
        Decision decision = NodeDecisions.Decide(Running(first, A, true) with { State = later });
        Assert.Equal("follow.mark", decision.Rule);
        FollowAction follow = ActionOf<FollowAction>(decision);
        Assert.Equal((A, later.EventCount), (follow.Upstream, follow.Mark!.Events));
        Assert.Equal("follow.steady", NodeDecisions.Decide(Running(first with { Events = later.EventCount }, A, true) with { State = later }).Rule);
    }

    [Fact]
    public void A_mark_that_cannot_be_read_is_doubted_and_none_is_not()
    {
        AnotherIsRecorded();
        Assert.Equal("rejoin.clone", NodeDecisions.Decide(Stopped(new(Epoch.None, default, 0), 3)).Rule);
        Assert.Equal("follow.start", NodeDecisions.Decide(Stopped(null, 3)).Rule);
    }

    /// <summary>It may be the only other copy: in pause people decide, and without a leader that answers there is nothing to replace it with.</summary>
    [Fact]
    public void Nothing_is_removed_in_pause_or_while_the_leader_is_silent_or_holds_a_lease_without_end()
    {
        ElectedAndNeverRecorded();
        AnotherIsRecorded();
        ClusterState silent = cluster.State with { Members = cluster.State.Members.SetItem(B, cluster.State.Members[B] with { Presence = MemberPresence.Silent }) };
        ClusterState unbounded = silent with { Leadership = (Led)silent.Leadership with { Lease = silent.Lease! with { Unbounded = true } } };
        cluster.Accept(new PatchConfig("""{"pause":true}""", 0));
        foreach (NodeView view in new[] { Stopped(first, 3), Running(first, null, false, 3) })
        {
            Assert.Equal("rejoin.no-source", NodeDecisions.Decide(view with { State = silent }).Rule);
            Assert.Empty(NodeDecisions.Decide(view with { State = unbounded }).Effects);
            Assert.Empty(NodeDecisions.Decide(view with { State = cluster.State }).Effects);
        }
        Assert.Equal("rejoin.no-source", NodeDecisions.Decide(Stopped(first, 3) with
        {
            State = silent with { Members = silent.Members.SetItem(B, silent.Members[B] with { Presence = MemberPresence.Alive }) },
            LastAction = new(ActionKind.RemoveData, false, "b does not answer", Now - 10, ""),
        }).Rule);
    }

    [Fact]
    public void Who_does_not_know_where_its_own_wal_comes_from_serves_nobody()
    {
        NodeView steady = Running(first, A, true);
        Assert.True(NodeDecisions.IsOfKnownOrigin(cluster.State, first, steady.Data, steady.Server));
        Assert.False(NodeDecisions.IsOfKnownOrigin(cluster.State, null, steady.Data, steady.Server));
        Assert.False(NodeDecisions.IsOfKnownOrigin(cluster.State, first, ((PresentData)steady.Data) with { NewestWal = new(3) }, steady.Server));
        AnotherIsRecorded();
        Assert.False(NodeDecisions.IsOfKnownOrigin(cluster.State, first, steady.Data, steady.Server));

        NodeView cascading = Running(Newest, A, true) with { Traits = new() { ReplicateFrom = A } };
        cluster.Accept(new TouchMember(A, Report("a", 3) with { ReplicationState = "" }));
        Assert.Equal(B, ActionOf<FollowAction>(NodeDecisions.Decide(cascading with { State = cluster.State })).Upstream);
        cluster.Accept(new TouchMember(A, Report("a", 3) with { ReplicationState = "streaming" }));
        Assert.Equal("follow.steady", NodeDecisions.Decide(cascading with { State = cluster.State }).Rule);
    }

    [Fact]
    public void After_a_group_was_formed_anew_newer_wal_is_cloned_from_its_leader_and_not_kept_from_an_election()
    {
        ElectedAndNeverRecorded();
        AnotherIsRecorded();
        cluster.Accept(new RaiseGeneration(2, "the group was formed anew"));
        cluster.Release(VacancyReason.Shutdown);
        Assert.Equal("election.stand", NodeDecisions.Decide(Running(first, null, false, 3)).Rule);
        Assert.Equal("election.stand", NodeDecisions.Decide(Running(new(Epoch.None, default, 0), null, false, 3)).Rule);
        Elect("b", 3, 1600);
        cluster.Promote(4, 3, 1600);
        Assert.Equal("rejoin.clone", NodeDecisions.Decide(Stopped(first, 3)).Rule);
    }

    /// <summary>It won after it was last pointed to anybody: the mark of its promotion tells the rest.</summary>
    [Fact]
    public void Ones_own_promotion_is_no_stranger()
    {
        ElectedAndNeverRecorded();
        Epoch own = cluster.Lease.Epoch;
        AnotherIsRecorded();
        NodeView view = Stopped(first, 3) with { Mark = new(own, new(2)) };
        // Not recorded, hence cloned anew all the same, for that reason.
        Assert.Contains("not in the recorded lineage", NodeDecisions.Decide(view).Reason);
        Assert.DoesNotContain("received", NodeDecisions.Decide(view with { Mark = new(Newest.Epoch, new(2)) }).Reason);
    }

    [Fact]
    public void Replication_is_disconnected_before_a_leader_of_another_epoch_is_followed()
    {
        AnotherIsRecorded();
        Decision decision = NodeDecisions.Decide(Running(first, A, true));
        Assert.Equal("follow.detach-first", decision.Rule);
        Assert.Null(ActionOf<FollowAction>(decision).Upstream);
        // The last of it may still arrive.
        Assert.Equal("follow.detach-first", NodeDecisions.Decide(Running(first, null, true)).Rule);
        FollowAction follow = ActionOf<FollowAction>(NodeDecisions.Decide(Running(first, null, false)));
        Assert.Equal((B, Newest), (follow.Upstream, follow.Mark));
        Assert.Equal("follow.steady", NodeDecisions.Decide(Running(Newest, B, true)).Rule);
    }

    /// <summary>The control file may lag behind; what was never recorded by anybody is not taken for the leader's either.</summary>
    [Fact]
    public void What_the_log_does_not_know_of_yet_is_not_started()
    {
        ElectedAndNeverRecorded();
        Assert.Empty(NodeDecisions.Decide(Stopped(first, 3) with { State = cluster.State with { Leadership = new Led(cluster.Lease, cluster.State.LatestPromotion!, true) } }).Effects);
    }

    [Fact]
    public void A_replica_that_has_not_reached_the_group_is_disconnected_from_a_timeline_it_was_not_pointed_to()
    {
        NodeView alone = Running(first, A, true, 3) with { StateIsCurrent = false };
        Decision decision = NodeDecisions.Decide(alone);
        Assert.Equal("raft.detach", decision.Rule);
        Assert.Null(ActionOf<FollowAction>(decision).Upstream);
        Assert.Equal("raft.catching-up", NodeDecisions.Decide(Running(first, A, true) with { StateIsCurrent = false }).Rule);
        Assert.Equal("raft.catching-up", NodeDecisions.Decide(Running(null, A, true, 3) with { StateIsCurrent = false }).Rule);
        Assert.Equal("raft.catching-up", NodeDecisions.Decide(Running(first, null, false, 3) with { StateIsCurrent = false }).Rule);
    }

    [Fact]
    public void A_replica_without_a_mark_gets_one_and_streams_on()
    {
        FollowAction follow = ActionOf<FollowAction>(NodeDecisions.Decide(Running(null, A, true)));
        Assert.Equal((A, first.Epoch, first.Timeline), (follow.Upstream, follow.Mark!.Epoch, follow.Mark.Timeline));
    }

    [Fact]
    public void A_restart_points_to_nobody_before_it_is_known_what_is_here()
    {
        NodeView steady = Running(first, A, true) with { Request = NodeRequest.Restart };
        Assert.Equal(A, ActionOf<RestartAction>(NodeDecisions.Decide(steady)).Upstream);
        AnotherIsRecorded();
        Assert.Null(ActionOf<RestartAction>(NodeDecisions.Decide(steady with { State = cluster.State })).Upstream);
    }

    [Fact]
    public void Clones_and_rewinds_are_marked_and_a_copy_of_a_replica_says_so()
    {
        AnotherIsRecorded();
        CloneAction clone = ActionOf<CloneAction>(NodeDecisions.Decide(Stopped(null, 0) with { Data = new NoData() }));
        Assert.Equal((B, Newest, false), (clone.Source, clone.Mark, clone.FromReplica));
        cluster.Accept(new TouchMember(A, Report("a", 3) with { ReplicationState = "streaming", TagsJson = """{"clonefrom":true}""" }));
        clone = ActionOf<CloneAction>(NodeDecisions.Decide(Stopped(null, 0) with { Data = new NoData() }));
        Assert.Equal((A, true), (clone.Source, clone.FromReplica));
        RewindAction rewind = ActionOf<RewindAction>(NodeDecisions.Decide(Stopped(first, 2) with { Data = new PresentData(Data("c"), SystemIdentifier, new(2), false, false, new(1600)) }));
        Assert.Equal(Newest, rewind.Mark);
    }

    /// <summary>Promoted twice under one epoch, the second promotion would be known to nobody when it is never reported.</summary>
    [Fact]
    public void A_leader_that_runs_as_a_standby_is_stopped_and_an_election_decides()
    {
        NodeView view = Running(null, null, false) with
        {
            Self = A,
            Data = new PresentData(Data("a"), SystemIdentifier, new(2), true, false, new(1400)),
            Lease = new(cluster.Lease.Epoch, Now + 10_000, false),
            RenewedEpoch = cluster.Lease.Epoch,
            MayBeWritable = true,
        };
        Decision decision = NodeDecisions.Decide(view);
        Assert.Equal("leader.stop-standby", decision.Rule);
        ActionOf<StopAction>(decision);
        decision = NodeDecisions.Decide(view with { Server = new ServerStopped() });
        Assert.Equal("lease.release", decision.Rule);
        // Nor is it started as a primary for a switchover that could not be done.
        cluster.Accept(new RequestFailover(FailoverKind.Switchover, A, B, null, null));
        NodeView asked = view with { Server = new ServerStopped(), State = cluster.State, LastAction = new(ActionKind.Stop, false, "it was killed", Now - 10, NodeDecisions.ContextOf(cluster.State)) };
        Assert.Equal("lease.release", NodeDecisions.Decide(asked).Rule);
        cluster.Accept(new PatchConfig("""{"pause":true}""", 0));
        Assert.Equal("pause.no-start", NodeDecisions.Decide(asked with { State = cluster.State }).Rule);
        Assert.Equal(VacancyReason.Shutdown, Assert.IsType<ReleaseLeader>(Assert.IsType<Propose>(Assert.Single(decision.Effects)).Command).Reason);
    }
}
