using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>What a guard did while no agent lived becomes part of the history: once, when every node can read it, and in the story of the change that it led to.</summary>
public sealed class FenceReportTests
{
    private static readonly NodeName A = new("a"), B = new("b");

    private static TestCluster Led(int level)
    {
        TestCluster cluster = TestCluster.Led("a", "b", "c");
        foreach (string name in new[] { "a", "b", "c" })
            cluster.Accept(new TouchMember(new(name), TestCluster.Report(name) with { FeatureLevel = level }));
        return cluster;
    }

    private static FenceFacts Fence(TestCluster cluster, long atUnixMs) => new(cluster.Lease.Epoch, atUnixMs, "its lease ended and nobody had renewed it", 12, 3, 20, 0);

    private static void Raise(TestCluster cluster) => cluster.Accept(new RaiseFeatureLevel(ClusterStateMachine.FencesReportedLevel));

    private static CoordinatorDecision[] Decide(TestCluster cluster) =>
        [.. CoordinatorDecisions.Decide(B, cluster.State, ApplyClock.Empty.Observe(cluster.State, 1000), 1000, 0).Where(static decision => decision.Command is RaiseFeatureLevel)];

    private static NodeView View(TestCluster cluster, FenceFacts fence) => new()
    {
        Self = A,
        NowMs = 1_000,
        UnixNowMs = 0,
        State = cluster.State,
        StateIsCurrent = true,
        Data = new NoData(),
        Server = new ServerStopped(),
        MayBeWritable = false,
        Traits = new(),
        Report = new(),
        Fenced = fence,
    };

    [Fact]
    public void It_waits_until_every_node_with_PostgreSQL_can_read_it()
    {
        TestCluster cluster = Led(1);
        FenceFacts fence = Fence(cluster, 5_000);
        Assert.Null(Upkeep.Fenced(View(cluster, fence)));
        cluster.Refuse(OutcomeCode.FeatureLevel, new ReportFenced(A, fence));
        Assert.Empty(Decide(cluster));
        foreach (string name in new[] { "a", "b" }) cluster.Accept(new TouchMember(new(name), TestCluster.Report(name) with { FeatureLevel = 2 }));
        Assert.Empty(Decide(cluster));
        cluster.Accept(new TouchMember(new("c"), TestCluster.Report("c") with { FeatureLevel = 2 }));
        cluster.Accept(Assert.Single(Decide(cluster)).Command);
        Assert.Empty(Decide(cluster));
        Assert.Equal(new ReportFenced(A, fence), Upkeep.Fenced(View(cluster, fence)));
    }

    [Fact]
    public void It_is_recorded_once_however_often_it_is_told()
    {
        TestCluster cluster = Led(2);
        Raise(cluster);
        FenceFacts fence = Fence(cluster, 5_000);
        cluster.Accept(new ReportFenced(A, fence));
        Assert.Equal(("guard.fence", (ClusterEvent)new GuardFenced(A, fence)), (cluster.Last.Events[0].Rule, cluster.Last.Events[0].Event));
        Assert.Null(Upkeep.Fenced(View(cluster, fence)));
        cluster.Accept(new ReportFenced(A, fence));
        Assert.Empty(cluster.Last.Events);
        ClusterState restored = SnapshotCodec.Decode(SnapshotCodec.Encode(cluster.State));
        Assert.True(restored.RecordsFence(A, 5_000));
        cluster.Accept(new ReportFenced(A, fence with { AtUnixMs = 6_000 }));
        Assert.Single(cluster.Last.Events);
        cluster.Refuse(OutcomeCode.UnknownNode, new ReportFenced(new("x"), fence));
        cluster.Refuse(OutcomeCode.Invalid, new ReportFenced(A, fence with { Killed = 0, AtUnixMs = 7_000 }));
    }

    [Fact]
    public void It_belongs_to_the_change_that_it_led_to_at_its_own_time_and_bounds_what_could_be_lost()
    {
        TestCluster cluster = Led(2);
        Raise(cluster);
        cluster.Renew(5000);
        long renewed = cluster.Lease.RenewedUnixMs;
        FenceFacts fence = Fence(cluster, renewed + 9_000);
        cluster.ClockMs += 10_000;
        cluster.Expire();
        cluster.Accept(cluster.Stand("b", 5000));
        cluster.Close();
        cluster.Promote(2, 1, 5000);
        long before = LeadershipStories.Tell(cluster.State.Events)[0].Loss.UnseenMs;
        // Another change before the agent comes back and tells.
        cluster.ClockMs += 10_000;
        cluster.Expire();
        cluster.Accept(cluster.Stand("c", 6000, timeline: 2, history: TestCluster.Fork(1, 5000)));
        cluster.Close();
        cluster.Promote(3, 2, 6000);
        cluster.Accept(new ReportFenced(A, fence));

        LeadershipStory[] stories = [.. LeadershipStories.Tell(cluster.State.Events)];
        Assert.Null(stories[0].Fenced);
        Assert.Equal((A, fence), (stories[1].From, stories[1].Fenced));
        StoryStep[] steps = [.. stories[1].Steps];
        int at = Array.FindIndex(steps, static step => step.Rule == "guard.fence");
        Assert.Equal(fence.AtUnixMs, steps[at].UnixMs);
        Assert.Equal(steps.Select(static step => step.UnixMs).Order(), steps.Select(static step => step.UnixMs));
        Assert.True(at > 0 && at < steps.Length - 1);
        Assert.Equal(9_003, stories[1].Loss.UnseenMs);
        Assert.True(before > 9_003);
    }
}
