using System.Collections.Immutable;
using Patroni.Raft.StateMachine;
using Xunit;
using static Patroni.Raft.UnitTests.StateMachine.TestCluster;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>What a node whose disk is in trouble decides.</summary>
public sealed class DiskDecisionTests
{
    private static readonly PresentData Data = new(TestCluster.Data("a"), SystemIdentifier, new(1), false, true, new(900));
    private static readonly PrimaryServer Primary = new(new(1), new(1000), new(1), new(900), []);

    private static DiskProbeResult Good(long at) => new(at, at, 1L << 40, "");

    private static DiskView Disks(DiskProbeResult data, DiskProbeResult raft)
    {
        DiskView disks = DiskView.Healthy;
        for (int look = 0; look < 2; look++)
        {
            DiskProbeResult Next(DiskProbeResult probe) => probe.EndedMs is null ? probe : probe with { BeganMs = probe.BeganMs + look };
            disks = disks.Observe(Next(data), Next(raft), 100_000 + (look * 1000), 10_000);
        }
        return disks;
    }

    private static readonly DiskView FullData = Disks(new(1, 1, 0, ""), Good(1));
    private static readonly DiskView HungData = Disks(new(1, null, -1, ""), Good(1));
    private static readonly DiskView FullRaft = Disks(Good(1), new(1, 1, 0, "No space left on device"));
    private static readonly DiskView HungRaft = Disks(Good(1), new(1, null, -1, ""));

    private static NodeView View(TestCluster cluster, string self, DiskView disks, ServerView server, DataView? data = null)
    {
        bool holds = cluster.State.Leader?.Value == self;
        return new()
        {
            Self = new(self),
            NowMs = 200_000,
            UnixNowMs = 0,
            State = cluster.State,
            StateIsCurrent = true,
            Lease = holds ? new(cluster.Lease.Epoch, 205_000, false) : null,
            RenewedEpoch = holds ? cluster.Lease.Epoch : default,
            Data = data ?? Data,
            Server = server,
            MayBeWritable = holds && server is not ServerStopped,
            Disks = disks,
            Traits = new(),
            Report = new(),
        };
    }

    private static string RuleOf(NodeView view) => NodeDecisions.Decide(view).Rule;

    [Fact]
    public void A_primary_with_a_full_disk_stops_cleanly_and_releases()
    {
        TestCluster cluster = Led("a", "b", "c");
        foreach (DiskView disks in new[] { FullData, FullRaft })
        {
            Assert.Equal(new StopAction(true), Assert.IsType<RunAction>(Assert.Single(NodeDecisions.Decide(View(cluster, "a", disks, Primary)).Effects)).Action);
            var release = Assert.IsType<ReleaseLeader>(Assert.IsType<Propose>(Assert.Single(NodeDecisions.Decide(View(cluster, "a", disks, new ServerStopped())).Effects)).Command);
            Assert.Equal((VacancyReason.DiskTrouble, disks.Reason, new Lsn(900)), (release.Reason, release.Detail, release.ShutdownLsn));
        }
    }

    [Fact]
    public void A_primary_whose_disk_hangs_is_killed_and_does_not_renew()
    {
        TestCluster cluster = Led("a", "b", "c");
        foreach (DiskView disks in new[] { HungData, HungRaft })
        {
            NodeView view = View(cluster, "a", disks, Primary);
            Assert.IsType<Fence>(Assert.Single(NodeDecisions.Decide(view).Effects));
            Assert.Null(Upkeep.Renewal(view, UpkeepMemory.Empty));
            Assert.Equal("lease.release", RuleOf(View(cluster, "a", disks, new ServerStopped())));
        }
    }

    [Fact]
    public void Nobody_gives_leadership_away_when_no_other_node_is_fit()
    {
        foreach (DiskView disks in new[] { FullData, HungData, FullRaft })
        {
            NodeView alone = View(Led("a"), "a", disks, Primary);
            Assert.StartsWith("leader.", RuleOf(alone));
            Assert.NotNull(Upkeep.Renewal(alone, UpkeepMemory.Empty));
        }
        TestCluster cluster = Led("a", "b");
        cluster.Accept(new TouchMember(new("b"), Report("b") with { DiskTrouble = "full" }));
        Assert.StartsWith("leader.", RuleOf(View(cluster, "a", FullData, Primary)));
    }

    [Fact]
    public void A_paused_cluster_leaves_its_primary_alone()
    {
        TestCluster cluster = LedWith("""{"pause": true}""", "a", "b", "c");
        Assert.StartsWith("leader.", RuleOf(View(cluster, "a", FullData, Primary)));
    }

    [Fact]
    public void A_node_whose_raft_disk_hangs_ends_once_nothing_of_it_may_be_writable()
    {
        TestCluster cluster = Led("a", "b", "c");
        var standby = new StandbyServer(new(1), new(1000), new(1000), new("a"), true, []);
        Assert.Equal(new EndAgent(true), Assert.Single(NodeDecisions.Decide(View(cluster, "b", HungRaft, standby)).Effects));
        NodeView writable = View(Led("a"), "a", HungRaft, Primary);
        Assert.DoesNotContain(NodeDecisions.Decide(writable).Effects, effect => effect is EndAgent);
    }

    [Fact]
    public void A_replica_with_a_full_disk_goes_on_following()
    {
        TestCluster cluster = Led("a", "b", "c");
        var standby = new StandbyServer(new(1), new(1000), new(1000), new("a"), true, []);
        NodeView view = View(cluster, "b", FullData, standby, Data with { Incarnation = TestCluster.Data("b"), IsStandby = true });
        Assert.Equal("follow.steady", RuleOf(view with { Followed = FollowMark.Of(cluster.State.LatestPromotion!, cluster.State) }));
    }

    [Fact]
    public void A_node_in_trouble_declines_with_the_reason_and_withdraws_its_stand()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        var standby = new StandbyServer(new(1), new(1000), new(1000), null, false, []);
        PresentData data = Data with { Incarnation = TestCluster.Data("b"), IsStandby = true };
        var decline = Assert.IsType<DeclineElection>(Assert.IsType<Propose>(Assert.Single(NodeDecisions.Decide(View(cluster, "b", FullData, standby, data)).Effects)).Command);
        Assert.Equal(FullData.Reason, decline.Reason);
        cluster.Accept(cluster.Stand("b", 1000));
        Assert.Equal("election.stood", RuleOf(View(cluster, "b", DiskView.Healthy, standby, data)));
        Assert.Equal("election.withdraw", RuleOf(View(cluster, "b", FullData, standby, data)));
    }

    [Fact]
    public void A_member_in_trouble_is_no_candidate_of_a_switchover()
    {
        TestCluster cluster = Led("a", "b");
        cluster.Accept(new TouchMember(new("b"), Report("b") with { ReplicationState = "streaming", DiskTrouble = "the disk is full" }));
        var request = new FailoverRequest(FailoverKind.Switchover, new("a"), new NodeName("b"), null, null, 1);
        Assert.Equal("no good candidates have been found: b: the disk is full", SwitchoverRules.Choose(cluster.State, new("a"), request, new(1), true).Refusal);
    }
}
