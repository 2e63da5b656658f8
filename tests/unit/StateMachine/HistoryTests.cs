using Patroni.Raft.StateMachine;
using Xunit;
using static Patroni.Raft.UnitTests.StateMachine.TestCluster;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>The history of timelines is the one of the leader: a wrong row makes members of the right history be cloned again and again.</summary>
public sealed class HistoryTests
{
    private static readonly NodeName A = new("a"), B = new("b");

    private static HistoryEntry Row(uint timeline, ulong lsn, NodeName node) => new(new(timeline), new(lsn), "", 0, node);

    /// <summary>"a" was promoted twice without a report, said how its history went, and was lost before it said that it leads; "b" went on from elsewhere.</summary>
    private static TestCluster AfterPromotionsThatCameToNothing(out NodeView view)
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Accept(cluster.Stand("a", 1000));
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Accept(cluster.Stand("c", 900));
        Assert.Equal(A, cluster.State.Leader);
        cluster.Renew(0);
        cluster.Accept(new AppendHistory(cluster.Lease.Epoch, [Row(1, 1000, A), Row(2, 1100, A)]));
        cluster.Expire();
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Accept(cluster.Stand("c", 900));
        Assert.Equal(B, cluster.State.Leader);
        cluster.Renew(0);
        view = new()
        {
            Self = B,
            NowMs = 1_000_000,
            UnixNowMs = 2_000_000_000_000,
            State = cluster.State,
            StateIsCurrent = true,
            Lease = new(cluster.Lease.Epoch, 1_010_000, false),
            RenewedEpoch = cluster.Lease.Epoch,
            Data = new PresentData(Data("b"), SystemIdentifier, new(3), false, false, new(1200)),
            Server = new PrimaryServer(new(3), new(1200), new(3), new(1200), [Fork(1, 950), Fork(2, 1050)]),
            MayBeWritable = true,
            Traits = new(),
            Report = Report("b", 3) with { Role = PostgresRole.Primary },
        };
        return cluster;
    }

    [Fact]
    public void A_leader_corrects_what_promotions_that_came_to_nothing_left_in_the_history()
    {
        TestCluster cluster = AfterPromotionsThatCameToNothing(out NodeView view);
        var append = Assert.IsType<AppendHistory>(Assert.IsType<Propose>(Assert.Single(NodeDecisions.Decide(view).Effects)).Command);
        Assert.Equal(Row(1, 950, B), Assert.Single(append.Entries));
        cluster.Accept(append);
        Assert.Equal(Row(1, 950, B), Assert.Single(cluster.State.History));

        Decision next = NodeDecisions.Decide(view with { State = cluster.State });
        Assert.Equal("leader.report-promoted", next.Rule);
        cluster.Accept(Assert.IsType<Propose>(Assert.Single(next.Effects)).Command);
        Assert.Equal([(new TimelineId(1), new Lsn(950)), (new(2), new(1050))], cluster.State.History.Select(static row => (row.Timeline, row.SwitchLsn)));
    }

    [Fact]
    public void A_member_of_the_leaders_history_is_not_cloned_for_what_another_said()
    {
        TestCluster cluster = AfterPromotionsThatCameToNothing(out NodeView view);
        cluster.Accept(new AppendHistory(cluster.Lease.Epoch, [Row(1, 950, B)]));
        cluster.Accept(new ReportPromoted(cluster.Lease.Epoch, B, new(3), new(2), new(1050)));
        NodeView member = view with
        {
            Self = new("c"),
            State = cluster.State,
            Lease = null,
            MayBeWritable = false,
            Data = new PresentData(Data("c"), SystemIdentifier, new(3), true, false, new(1100)),
            Server = new ServerStopped(),
        };
        // Its history is the leader's: it was just cloned from it.
        member = member with { Data = ((PresentData)member.Data) with { History = [Fork(1, 950), Fork(2, 1050)] } };
        Assert.Equal("follow.start", NodeDecisions.Decide(member).Rule);
    }

    [Fact]
    public void What_precedes_a_recorded_promotion_is_settled()
    {
        TestCluster cluster = AfterPromotionsThatCameToNothing(out _);
        cluster.Accept(new AppendHistory(cluster.Lease.Epoch, [Row(1, 950, B)]));
        cluster.Accept(new ReportPromoted(cluster.Lease.Epoch, B, new(3), new(2), new(1050)));
        cluster.Refuse(OutcomeCode.Invalid, new AppendHistory(cluster.Lease.Epoch, [Row(2, 1060, B)]));
        cluster.Refuse(OutcomeCode.Invalid, new AppendHistory(cluster.Lease.Epoch, [Row(4, 1300, B), Row(4, 1400, B)]));
        cluster.Accept(new AppendHistory(cluster.Lease.Epoch, [Row(3, 1300, B)]));
    }
}
