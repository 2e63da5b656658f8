using Patroni.Raft.StateMachine;
using Xunit;
using static Patroni.Raft.UnitTests.StateMachine.TestCluster;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>What the mark of a promotion, written before it begins, says of a data directory once another node was promoted.</summary>
public sealed class PromotionMarkTests
{
    private static readonly NodeName A = new("a"), B = new("b");

    /// <summary>"a" was promoted to timeline 2, then "b" to timeline 3 from where "a" had left it.</summary>
    private static TestCluster AfterBoth(out Epoch first)
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Accept(cluster.Stand("a", 1000));
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Accept(cluster.Stand("c", 900));
        Assert.Equal(A, cluster.State.Leader);
        first = cluster.Lease.Epoch;
        cluster.Promote(2, 1, 1000);
        cluster.Expire();
        cluster.Accept(cluster.Stand("b", 1100, timeline: 2, history: Fork(1, 1000)));
        cluster.Accept(cluster.Stand("c", 1050, timeline: 2, history: Fork(1, 1000)));
        Assert.Equal(B, cluster.State.Leader);
        cluster.Promote(3, 2, 1100);
        cluster.Accept(new ReportCheckpointed(cluster.Lease.Epoch, B, new(1100)));
        return cluster;
    }

    private static Decision Decide(TestCluster cluster, PromotionMark mark, uint timeline, TimelineFork[] history) => NodeDecisions.Decide(new()
    {
        Self = A,
        NowMs = 1_000_000,
        UnixNowMs = 2_000_000_000_000,
        State = cluster.State,
        StateIsCurrent = true,
        Data = new PresentData(Data("a"), SystemIdentifier, new(timeline), true, false, new(1050)) { History = [.. history] },
        Server = new ServerStopped(),
        MayBeWritable = false,
        Mark = mark,
        Traits = new(),
        Report = Report("a", timeline),
    });

    [Fact]
    public void A_recorded_promotion_lets_a_former_primary_follow() =>
        Assert.Equal("follow.start", Decide(AfterBoth(out Epoch first), new(first, new(1)), 2, [Fork(1, 1000)]).Rule);

    /// <summary>
    /// PostgreSQL of the leader came back as a standby and was promoted once more, to timeline 3, under an epoch of which only the promotion to timeline 2 is
    /// recorded; another node's timeline 3 has the same history.
    /// </summary>
    [Fact]
    public void A_second_promotion_under_a_recorded_epoch_is_not_recorded_by_the_first() =>
        Assert.Equal("rejoin.clone", Decide(AfterBoth(out Epoch first), new(first, new(2)), 3, [Fork(1, 1000), Fork(2, 1100)]).Rule);

    [Fact]
    public void A_promotion_of_an_epoch_that_was_never_recorded_is_cloned_anew() =>
        Assert.Equal("rejoin.clone", Decide(AfterBoth(out Epoch first), new(new(first.Generation, first.Index + 1), new(1)), 2, [Fork(1, 1000)]).Rule);
}
