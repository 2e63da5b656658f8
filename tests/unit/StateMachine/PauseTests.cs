using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>What a node does, and does not, while the cluster is paused.</summary>
public sealed class PauseTests
{
    private static readonly NodeName A = new("a"), B = new("b");
    private static readonly StandbyServer Following = new(new(1), new(1_000), new(1_000), A, true, []);

    private static TestCluster Paused(bool unbounded = true)
    {
        TestCluster cluster = TestCluster.Led("a", "b", "c");
        cluster.Accept(new PatchConfig("""{"pause":true}""", 0));
        if (unbounded) cluster.Renew(1000, unbounded: true);
        return cluster;
    }

    private static NodeView View(TestCluster cluster, NodeName self, ServerView server, HeldLease? lease = null) => new()
    {
        Self = self,
        NowMs = 2_000,
        UnixNowMs = 0,
        State = cluster.State,
        StateIsCurrent = true,
        Lease = lease,
        RenewedEpoch = lease?.Epoch ?? default,
        Data = new PresentData(TestCluster.Data(self.Value), TestCluster.SystemIdentifier, new(1), self != A, false, new(1_000)),
        Server = server,
        MayBeWritable = lease is not null,
        Traits = new(),
        Report = TestCluster.Report(self.Value),
    };

    private static PrimaryServer Writing => new(new(1), new(1_000), new(1), new(500), []);

    private static HeldLease Lease(TestCluster cluster, bool unbounded) => new(cluster.Lease.Epoch, 9_000, unbounded);

    [Fact]
    public void The_lease_is_unbounded_only_while_something_runs()
    {
        TestCluster cluster = Paused(unbounded: false);
        Assert.True(Upkeep.Renewal(View(cluster, A, Writing, Lease(cluster, false)), UpkeepMemory.Empty)!.Unbounded);
        Assert.False(Upkeep.Renewal(View(cluster, A, new ServerStopped(), Lease(cluster, false)), UpkeepMemory.Empty)!.Unbounded);
    }

    [Fact]
    public void An_agent_that_ends_leaves_postgresql_running_once_the_lease_needs_no_renewals()
    {
        TestCluster cluster = Paused(unbounded: false);
        NodeView ending = View(cluster, A, Writing, Lease(cluster, false)) with { ShutdownRequested = true };
        Assert.Equal("pause.await-unbounded", NodeDecisions.Decide(ending).Rule);
        Decision ended = NodeDecisions.Decide(ending with { Lease = Lease(cluster, true) });
        Assert.Equal(new EndAgent(false), Assert.Single(ended.Effects));
        Assert.Equal(new EndAgent(false), Assert.Single(NodeDecisions.Decide(View(cluster, B, Following) with { ShutdownRequested = true }).Effects));
    }

    [Fact]
    public void An_agent_whose_postgresql_was_stopped_ends_once_its_lease_has_an_end()
    {
        NodeView Ending(TestCluster cluster, bool unbounded) => View(cluster, A, new ServerStopped(), Lease(cluster, unbounded)) with { ShutdownRequested = true };
        Assert.Equal("pause.await-bounded", NodeDecisions.Decide(Ending(Paused(), true)).Rule);
        Assert.Equal(new EndAgent(false), Assert.Single(NodeDecisions.Decide(Ending(Paused(unbounded: false), false)).Effects));
    }

    [Fact]
    public void Nothing_is_killed_when_time_passes_and_nothing_is_started_or_stopped()
    {
        TestCluster cluster = Paused();
        cluster.Accept(new ReportCheckpointed(cluster.Lease.Epoch, A, new(500)));
        Assert.Equal("leader.steady", NodeDecisions.Decide(View(cluster, A, Writing, Lease(cluster, true)) with { NowMs = 1_000_000 }).Rule);
        Assert.Equal("pause.no-start", NodeDecisions.Decide(View(cluster, A, new ServerStopped(), Lease(cluster, true))).Rule);
        Assert.Equal("leader.starting", NodeDecisions.Decide(View(cluster, A, new ServerStarting(0), Lease(cluster, true)) with { NowMs = 1_000_000 }).Rule);
        Assert.Equal("pause.no-promotion", NodeDecisions.Decide(View(cluster, A, Following, Lease(cluster, true))).Rule);
        Assert.Equal("pause.no-start", NodeDecisions.Decide(View(cluster, B, new ServerStopped())).Rule);
        Assert.Equal("pause.parallel-primary", NodeDecisions.Decide(View(cluster, B, Writing)).Rule);
        Assert.Equal("pause.diverged", NodeDecisions.Decide(View(cluster, B, Following with { Timeline = new(2) })).Rule);
    }

    [Fact]
    public void What_this_agent_itself_stopped_for_a_switchover_that_came_to_nothing_is_started_again()
    {
        TestCluster cluster = Paused();
        NodeView stopped = View(cluster, A, new ServerStopped(), Lease(cluster, true)) with
        {
            LastAction = new(ActionKind.Stop, true, "", 1_000, NodeDecisions.ContextOf(cluster.State)),
        };
        Assert.Equal("leader.restart-in-place", NodeDecisions.Decide(stopped).Rule);
    }

    [Theory]
    [InlineData(ActionKind.Stop, true, "follow.start")]
    [InlineData(ActionKind.Clone, true, "follow.start")]
    [InlineData(ActionKind.StartStandby, false, "follow.start")]
    [InlineData(ActionKind.StartStandby, true, "pause.no-start")]
    public void What_this_agent_stopped_follows_the_new_leader_in_pause_too(ActionKind kind, bool succeeded, string rule)
    {
        TestCluster cluster = Paused();
        NodeView stopped = View(cluster, B, new ServerStopped()) with { LastAction = new(kind, succeeded, "", 1_000, "epoch 1.1"), NowMs = 100_000 };
        Assert.Equal(rule, NodeDecisions.Decide(stopped).Rule);
    }

    [Fact]
    public void After_the_pause_an_unreachable_holder_is_left_to_people_and_the_node_says_so()
    {
        TestCluster cluster = Paused();
        cluster.Silence("a");
        cluster.Accept(new PatchConfig("""{"pause":null}""", 0));
        Decision decision = NodeDecisions.Decide(View(cluster, B, Following));
        Assert.Equal("resume.holder-unreachable", decision.Rule);
        Assert.Contains("raft expire a", decision.Reason);
        Assert.Empty(decision.Effects);
        Assert.DoesNotContain(CoordinatorDecisions.Decide(B, cluster.State, ApplyClock.Empty.Observe(cluster.State, 0), 1_000_000, 0), static d => d.Command is ExpireLeader);
    }

    [Fact]
    public void In_a_vacancy_nobody_stands_but_a_named_candidate()
    {
        TestCluster cluster = Paused();
        cluster.Release(VacancyReason.Switchover, 900, "b");
        Assert.Equal("election.detach", NodeDecisions.Decide(View(cluster, B, Following)).Rule);
        Assert.Equal("pause.no-election", NodeDecisions.Decide(View(cluster, new("c"), Following)).Rule);
    }
}
