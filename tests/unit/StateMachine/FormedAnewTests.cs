using Patroni.Raft.StateMachine;
using Xunit;
using static Patroni.Raft.UnitTests.StateMachine.TestCluster;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>A group that was formed anew goes on from a log that may lack the newest entries: what it says of who leads and who stood may be long over.</summary>
public sealed class FormedAnewTests
{
    private static readonly NodeName A = new("a"), B = new("b");

    private static TestCluster Led()
    {
        TestCluster cluster = TestCluster.Led("a", "b", "c");
        cluster.Accept(new ReportCheckpointed(cluster.Lease.Epoch, A, new(900)));
        cluster.Accept(new RaiseGeneration(2, "the group was formed anew"));
        return cluster;
    }

    private static NodeView View(TestCluster cluster, DataView data, ServerView server) => new()
    {
        Self = B,
        NowMs = 1_000_000,
        UnixNowMs = 2_000_000_000_000,
        State = cluster.State,
        StateIsCurrent = true,
        Data = data,
        Server = server,
        MayBeWritable = false,
        Traits = new() { RemoveDataOnDivergedTimelines = true, RemoveDataOnRewindFailure = true },
        Report = Report("b"),
    };

    /// <summary>The lost entries said that this node was promoted to timeline 2: its data, perhaps the only one that holds what was acknowledged since, was removed.</summary>
    [Theory]
    [InlineData(1, true)]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(2, false)]
    public void Data_is_not_judged_by_a_leadership_of_a_former_generation(uint timeline, bool isStandby)
    {
        var data = new PresentData(Data("b"), SystemIdentifier, new(timeline), isStandby, false, new(5000));
        Decision decision = NodeDecisions.Decide(View(Led(), data, new ServerStopped()));
        Assert.Equal("follow.former-generation", decision.Rule);
        Assert.Empty(decision.Effects);
    }

    [Fact]
    public void A_replica_disconnects_from_the_leader_of_a_former_generation_and_stays()
    {
        var data = new PresentData(Data("b"), SystemIdentifier, new(2), true, false, new(5000));
        TestCluster cluster = Led();
        Decision decision = NodeDecisions.Decide(View(cluster, data, new StandbyServer(new(2), new(5000), new(5000), A, true, [Fork(1, 1000)])));
        Assert.Equal(new RunAction(new FollowAction(null)), Assert.Single(decision.Effects));
        decision = NodeDecisions.Decide(View(cluster, data, new StandbyServer(new(2), new(5000), new(5000), null, false, [Fork(1, 1000)])));
        Assert.Equal("follow.former-generation", decision.Rule);
        Assert.Empty(decision.Effects);
    }

    [Fact]
    public void Nothing_is_cloned_anew_for_an_operator_under_a_leadership_of_a_former_generation()
    {
        var data = new PresentData(Data("b"), SystemIdentifier, new(1), true, false, new(5000));
        Decision decision = NodeDecisions.Decide(View(Led(), data, new ServerStopped()) with { Request = NodeRequest.Reinitialize });
        Assert.Equal("operator.reinitialize-refused", decision.Rule);
    }

    /// <summary>A node that stood was rewound in entries that are lost; its old stand won, for WAL that it does not have any more.</summary>
    /// <summary>Such a leadership is never renewed: an agent that waited for a renewal before it ends would wait for ever.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_agent_that_is_told_to_end_gives_up_a_leadership_of_a_former_generation(bool paused)
    {
        TestCluster cluster = TestCluster.Led("a", "b", "c");
        if (paused) cluster.Accept(new PatchConfig("""{"pause":true}""", 0));
        cluster.Accept(new RaiseGeneration(2, "the group was formed anew"));
        NodeView view = View(cluster, new PresentData(Data("a"), SystemIdentifier, new(1), false, true, new(5000)), new ServerStopped()) with { Self = A, ShutdownRequested = true };
        ReleaseLeader release = Assert.IsType<ReleaseLeader>(Assert.IsType<Propose>(Assert.Single(NodeDecisions.Decide(view).Effects)).Command);
        cluster.Accept(release);
        Assert.Equal(new EndAgent(false), Assert.Single(NodeDecisions.Decide(view with { State = cluster.State }).Effects));
    }

    [Fact]
    public void Who_stood_before_is_asked_again()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Accept(cluster.Stand("b", 1000));
        StandForElection late = cluster.Stand("c", 1000);
        cluster.Accept(new RaiseGeneration(2, "the group was formed anew"));
        Assert.Empty(cluster.Vacancy.Stands);
        Assert.Equal(2u, cluster.Vacancy.Id.Generation);
        cluster.Refuse(OutcomeCode.StaleVacancy, late);
        cluster.Accept(cluster.Stand("c", 1000));
        cluster.Accept(cluster.Stand("b", 900));
        Assert.Equal(new NodeName("c"), cluster.State.Leader);
    }
}
