using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>Who adopts existing data when the log knows of no cluster: a former primary before its standbys, and never an older timeline before a newer.</summary>
public sealed class AdoptionOrderTests
{
    private static readonly NodeName A = new("a"), B = new("b");

    [Fact]
    public void A_standby_leaves_it_to_a_member_with_the_data_of_a_primary()
    {
        TestCluster cluster = Reported(Stopped("a", 1), TestCluster.Report("b"));
        Assert.Equal("init.claim", Decide(cluster, A, isStandby: false).Rule);
        Assert.Equal("init.adopt-other", Decide(cluster, B, isStandby: true).Rule);
        cluster.Accept(Claim(cluster, A));
    }

    [Fact]
    public void A_standby_with_a_newer_timeline_is_adopted_before_the_old_primary()
    {
        TestCluster cluster = Reported(Stopped("a", 1), TestCluster.Report("b", 2));
        cluster.Refuse(OutcomeCode.NotReady, Claim(cluster, A));
        Assert.Equal("init.claim", Decide(cluster, B, isStandby: true).Rule);
        cluster.Accept(Claim(cluster, B));
    }

    [Fact]
    public void A_standby_does_not_wait_for_a_primary_that_does_not_report()
    {
        TestCluster cluster = Reported(Stopped("a", 1), TestCluster.Report("b"));
        cluster.Silence("a");
        Assert.Equal("init.claim", Decide(cluster, B, isStandby: true).Rule);
        cluster.Accept(Claim(cluster, B));
    }

    [Fact]
    public void A_silent_primary_that_was_last_seen_running_is_waited_for_until_people_remove_it()
    {
        TestCluster cluster = Reported(TestCluster.Report("a") with { Role = PostgresRole.Primary }, TestCluster.Report("b"));
        cluster.Silence("a");
        Assert.Equal("init.adopt-other", Decide(cluster, B, isStandby: true).Rule);
        cluster.Accept(new RemovePeer(A));
        Assert.Equal("init.claim", Decide(cluster, B, isStandby: true).Rule);
    }

    [Fact]
    public void A_standby_whose_claim_overtook_the_report_of_a_primary_gives_it_back()
    {
        TestCluster cluster = Reported(TestCluster.Report("a") with { Role = PostgresRole.Primary }, TestCluster.Report("b"));
        long claim = cluster.Accept(new ClaimInitialization(B, 0, true, 2, 30_000)).Index;
        Assert.Equal(claim, Assert.IsType<AbandonInitialization>(Assert.IsType<Propose>(Assert.Single(Decide(cluster, B, isStandby: true).Effects)).Command).ClaimIndex);
        cluster.Silence("a");
        Assert.Equal("init.abandon", Decide(cluster, B, isStandby: true).Rule);
    }

    private static MemberReport Stopped(string name, uint timeline) =>
        TestCluster.Report(name, timeline) with { State = PostgresState.Stopped, Role = PostgresRole.Primary };

    private static TestCluster Reported(params MemberReport[] reports)
    {
        TestCluster cluster = TestCluster.Registered("a", "b");
        foreach (MemberReport report in reports) cluster.Accept(new TouchMember(new(report.Host), report));
        return cluster;
    }

    private static ClaimInitialization Claim(TestCluster cluster, NodeName node) =>
        (ClaimInitialization)((Propose)Assert.Single(Decide(cluster, node, isStandby: node != A).Effects)).Command;

    private static Decision Decide(TestCluster cluster, NodeName self, bool isStandby)
    {
        MemberReport report = cluster.State.Members[self].Report;
        return NodeDecisions.Decide(new()
        {
            Self = self,
            NowMs = 2_000,
            UnixNowMs = 0,
            State = cluster.State,
            StateIsCurrent = true,
            Data = new PresentData(report.Incarnation, report.SystemIdentifier, report.Timeline, isStandby, true, new(1_000)),
            Server = new ServerStopped(),
            MayBeWritable = false,
            Traits = new(),
            Report = report,
        });
    }
}
