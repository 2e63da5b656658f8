using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>What an event must say by itself, because the state that it was decided from is gone when somebody asks.</summary>
public sealed class EventFactsTests
{
    [Fact]
    public void An_expiry_says_who_noticed_it_when_the_last_renewal_was_and_who_was_synchronous()
    {
        TestCluster cluster = TestCluster.Led("a", "b", "c");
        cluster.Accept(cluster.Sync(0, "b"));
        cluster.Renew(5000);
        long renewed = cluster.Lease.RenewedUnixMs;
        cluster.Touch("c");
        cluster.Accept(new ExpireLeader(cluster.Lease.Epoch, cluster.Lease.LastRenewalIndex, false, new("c")));
        VacancyOpened opened = Assert.IsType<VacancyOpened>(cluster.Last.Events[0].Event);
        Assert.Equal((new NodeName("c"), renewed, 10_000L, false), (opened.NoticedBy, opened.LastRenewalUnixMs, opened.TtlMs, opened.Paused));
        Assert.Equal(("a", "b"), (opened.Sync.Leader?.Value, opened.Sync.Standbys.Single().Node.Value));
        Assert.True(cluster.Last.Events[0].UnixMs > renewed);
    }

    [Fact]
    public void A_release_is_noticed_by_the_holder_and_says_whether_the_cluster_was_paused()
    {
        TestCluster cluster = TestCluster.LedWith("""{"pause": true}""", "a", "b");
        cluster.Release(VacancyReason.Shutdown, 2000);
        VacancyOpened opened = Assert.IsType<VacancyOpened>(cluster.Last.Events[0].Event);
        Assert.Equal((new NodeName("a"), true), (opened.NoticedBy, opened.Paused));
    }

    [Fact]
    public void An_election_says_who_had_not_answered()
    {
        TestCluster cluster = TestCluster.Vacated("a", "b", "c", "d");
        cluster.Accept(cluster.Stand("b", 1000, priority: 0));
        cluster.Close();
        ElectionFruitless fruitless = Assert.IsType<ElectionFruitless>(cluster.Last.Events[0].Event);
        Assert.Equal(["a", "c", "d"], fruitless.Unanswered.Select(static node => node.Value));
        cluster.Accept(cluster.Decline("c"));
        cluster.Accept(cluster.Stand("d", 1000));
        LeaderElected won = cluster.Last.Events.Select(static record => record.Event).OfType<LeaderElected>().Single();
        Assert.Equal(["a"], won.Unanswered.Select(static node => node.Value));
    }

    [Fact]
    public void A_member_that_streams_again_or_has_other_data_is_worth_an_event()
    {
        TestCluster cluster = TestCluster.Led("a", "b");
        MemberReport report = TestCluster.Report("b") with { ReplicationState = "streaming" };
        cluster.Accept(new TouchMember(new("b"), report));
        Assert.Equal("streaming", Assert.IsType<MemberChanged>(Assert.Single(cluster.Last.Events).Event).Replication);
        cluster.Accept(new TouchMember(new("b"), report with { ReplayLsn = new(9000) }));
        Assert.Empty(cluster.Last.Events);
        cluster.Accept(new TouchMember(new("b"), report with { Incarnation = new(77), Origin = DataOrigin.Rewound }));
        MemberChanged changed = Assert.IsType<MemberChanged>(Assert.Single(cluster.Last.Events).Event);
        Assert.Equal((new Incarnation(77), DataOrigin.Rewound), (changed.Incarnation, changed.Origin));
    }
}
