using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>A primary that people run is adopted: from the proposal on it has a deadline, and it has no moment without one.</summary>
public sealed class AdoptionTests
{
    private const long TtlMs = 10_000, MarginMs = 250;
    private static readonly NodeName Self = new("a");
    private static readonly PrimaryServer Primary = new(new(1), new(500), new(1), new(400), []);

    private readonly TestCluster cluster = TestCluster.Registered("a", "b");

    private InitializationClaim Claimed()
    {
        cluster.Accept(new ClaimInitialization(Self, 0, true, 2, 30_000));
        return ((Initializing)cluster.State.Leadership).Claim;
    }

    private NodeView View(ServerView server, LeaseKeeper? keeper = null, long nowMs = 1_000) => new()
    {
        Self = Self,
        NowMs = nowMs,
        UnixNowMs = 0,
        State = cluster.State,
        StateIsCurrent = true,
        Lease = keeper?.Held,
        RenewedEpoch = keeper?.RenewedEpoch ?? default,
        Data = new PresentData(new(1), TestCluster.SystemIdentifier, new(1), server is StandbyServer, false, new(500)),
        Server = server,
        MayBeWritable = keeper is not null,
        Traits = new(),
        Report = new(),
        BootstrapConfigJson = """{"ttl":10,"loop_wait":2,"retry_timeout":3}""",
    };

    private ProposeAdoption Proposed() => Assert.IsType<ProposeAdoption>(Assert.Single(NodeDecisions.Decide(View(Primary)).Effects));

    [Fact]
    public void A_running_primary_is_adopted_with_a_deadline_and_what_does_not_write_without_one()
    {
        InitializationClaim claim = Claimed();
        ProposeAdoption adoption = Proposed();
        Assert.Equal((LeaseKeeper.EpochOf(cluster.State, claim), TtlMs, true), (adoption.Claim, adoption.TtlMs, adoption.Completion.GrantLeadership));
        Assert.IsType<ProposeAdoption>(Assert.Single(NodeDecisions.Decide(View(new ServerStarting(0))).Effects));
        Assert.True(((CompleteInitialization)Assert.IsType<Propose>(Assert.Single(NodeDecisions.Decide(View(new ServerStopped())).Effects)).Command).GrantLeadership);
        Assert.False(((CompleteInitialization)Assert.IsType<Propose>(Assert.Single(NodeDecisions.Decide(View(new StandbyServer(new(1), default, default, null, false, []))).Effects)).Command).GrantLeadership);
    }

    [Fact]
    public void Before_anything_is_proposed_it_is_nobodys_business()
    {
        foreach (Action step in new Action[] { static () => { }, () => Claimed() })
        {
            step();
            Assert.DoesNotContain(NodeDecisions.Decide(View(Primary) with { MayBeWritable = true }).Effects, effect => effect is Fence);
        }
        Decision ends = NodeDecisions.Decide(View(Primary) with { ShutdownRequested = true });
        Assert.Equal(new EndAgent(false), Assert.Single(ends.Effects));
        ends = NodeDecisions.Decide(View(Primary) with { ShutdownRequested = true, StateIsCurrent = false });
        Assert.Equal(new EndAgent(false), Assert.Single(ends.Effects));
    }

    [Fact]
    public void A_configuration_that_would_be_refused_is_not_proposed()
    {
        InitializationClaim claim = Claimed();
        Decision decision = NodeDecisions.Decide(View(Primary) with { BootstrapConfigJson = """{"ttl":1}""" });
        Assert.Equal(claim.ClaimIndex, Assert.IsType<AbandonInitialization>(Assert.IsType<Propose>(Assert.Single(decision.Effects)).Command).ClaimIndex);
    }

    [Fact]
    public void An_instance_that_cannot_be_guarded_is_not_adopted_and_not_touched()
    {
        Claimed();
        Decision decision = NodeDecisions.Decide(View(Primary, nowMs: 100_000) with { GuardMissingSinceMs = 1_000, GuardProblem = "it does not start" });
        Assert.Equal("init.unprotected", decision.Rule);
        Assert.Empty(decision.Effects);
    }

    [Fact]
    public void It_writes_from_the_proposal_over_the_completion_to_the_first_renewal_without_a_gap()
    {
        Claimed();
        ProposeAdoption adoption = Proposed();
        CommandId id = cluster.NextId(1), renewal = cluster.NextId(1);
        LeaseKeeper keeper = LeaseKeeper.Empty.Adopt(id, 1_000, adoption.Claim, adoption.TtlMs);
        Assert.Equal(1_000 + TtlMs - MarginMs, keeper.Held!.DeadlineMs);
        keeper = keeper.Observe(Self, cluster.State);
        Assert.DoesNotContain(NodeDecisions.Decide(View(Primary, keeper, 1_100)).Effects, effect => effect is Fence);

        Assert.True(cluster.Do(id, adoption.Completion).IsAccepted);
        keeper = keeper.Observe(Self, cluster.State);
        Assert.Equal(new HeldLease(cluster.Lease.Epoch, 1_000 + TtlMs - MarginMs, false), keeper.Held);
        // It goes on, and nothing is begun: leadership counts from its own renewal on.
        NodeView elected = View(Primary, keeper, 1_200);
        Assert.Equal("lease.first-renewal", NodeDecisions.Decide(elected).Rule);
        RenewLeader first = Assert.IsType<RenewLeader>(Upkeep.Renewal(elected, UpkeepMemory.Empty));
        Assert.Equal("fence.no-lease", NodeDecisions.Decide(elected with { NowMs = 1_000 + TtlMs }).Rule);

        keeper = keeper.Capture(renewal, 1_200, first);
        Assert.True(cluster.Do(renewal, first).IsAccepted);
        keeper = keeper.Observe(Self, cluster.State);
        Assert.Equal(1_200 + TtlMs - MarginMs, keeper.Held!.DeadlineMs);
        Assert.Equal("leader.report-promoted", NodeDecisions.Decide(View(Primary, keeper, 1_300)).Rule);
    }

    [Fact]
    public void Proposed_again_it_keeps_the_first_deadline_until_the_log_says_which_was_accepted()
    {
        Claimed();
        ProposeAdoption adoption = Proposed();
        CommandId lost = cluster.NextId(1), again = cluster.NextId(1);
        LeaseKeeper keeper = LeaseKeeper.Empty.Adopt(lost, 1_000, adoption.Claim, adoption.TtlMs).Adopt(again, 5_000, adoption.Claim, adoption.TtlMs);
        Assert.Equal(1_000 + TtlMs - MarginMs, keeper.Held!.DeadlineMs);
        Assert.Equal("fence.no-lease", NodeDecisions.Decide(View(Primary, keeper, 1_000 + TtlMs)).Rule);
        Assert.True(cluster.Do(again, adoption.Completion).IsAccepted);
        Assert.Equal(5_000 + TtlMs - MarginMs, keeper.Observe(Self, cluster.State).Held!.DeadlineMs);
    }

    [Fact]
    public void A_claim_that_is_over_leaves_the_instance_to_people()
    {
        InitializationClaim claim = Claimed();
        ProposeAdoption adoption = Proposed();
        LeaseKeeper keeper = LeaseKeeper.Empty.Adopt(cluster.NextId(1), 1_000, adoption.Claim, adoption.TtlMs);
        cluster.Accept(new ExpireInitialization(claim.ClaimIndex, claim.LastRenewalIndex));
        Assert.Null(keeper.Observe(Self, cluster.State).Held);
        cluster.Refuse(OutcomeCode.IllegalTransition, adoption.Completion);

        // Another node makes a cluster of its own: the agent ends, and what it found is left as it was.
        cluster.Accept(new ClaimInitialization(new("b"), 0, false, 2, 30_000));
        long other = ((Initializing)cluster.State.Leadership).Claim.ClaimIndex;
        Assert.Null(keeper.Observe(Self, cluster.State).Held);
        cluster.Accept(new CompleteInitialization(other, new("b"), 77, true, "{}"));
        keeper = keeper.Observe(Self, cluster.State);
        Assert.Null(keeper.Held);
        Decision foreign = NodeDecisions.Decide(View(Primary, keeper, 1_200));
        Assert.Equal("data.foreign", foreign.Rule);
        Assert.Equal(new EndAgent(true), Assert.Single(foreign.Effects));
    }

    /// <summary>Its claim expired while it initialized, and another node was quicker: what nobody has started since is cleared; what somebody has is people's.</summary>
    [Fact]
    public void Data_of_an_initialization_that_came_too_late_is_cleared_as_long_as_nobody_started_it()
    {
        cluster.Accept(new ClaimInitialization(new("b"), 0, false, 2, 30_000));
        long claim = ((Initializing)cluster.State.Leadership).Claim.ClaimIndex;
        cluster.Accept(new CompleteInitialization(claim, new("b"), 77, true, "{}"));
        NodeView stopped = View(new ServerStopped(), LeaseKeeper.Empty, 1_200) with { MayBeWritable = false };
        NodeView unused = stopped with { Data = (PresentData)stopped.Data with { IsUnused = true } };

        Decision cleared = NodeDecisions.Decide(unused);
        Assert.Equal("init.superseded", cleared.Rule);
        Assert.Equal(new RunAction(new RemoveDataAction(false)), Assert.Single(cleared.Effects));
        Assert.Equal("action.running", NodeDecisions.Decide(unused with { Running = ActionKind.RemoveData }).Rule);
        Assert.Equal(new EndAgent(false), Assert.Single(NodeDecisions.Decide(unused with { ShutdownRequested = true }).Effects));
        Assert.Empty(NodeDecisions.Decide(unused with { LastAction = new(ActionKind.RemoveData, false, "EBUSY", 1_100, "") }).Effects);

        Assert.Equal("data.foreign", NodeDecisions.Decide(stopped).Rule);
        Assert.Equal("data.foreign", NodeDecisions.Decide(unused with { Server = Primary }).Rule);
    }

    [Fact]
    public void The_next_life_of_the_agent_goes_on_with_the_deadline_that_was_left_and_proposes_no_longer_one()
    {
        Claimed();
        ProposeAdoption adoption = Proposed();
        CommandId lost = cluster.NextId(1);
        LeaseKeeper next = LeaseKeeper.Empty.Restore(LeaseKeeper.Empty.Adopt(lost, 1_000, adoption.Claim, adoption.TtlMs).Held!).Observe(Self, cluster.State);
        Assert.NotNull(next.Held);
        next = next.Adopt(cluster.NextId(2), 4_000, adoption.Claim, adoption.TtlMs);
        Assert.Equal(1_000 + TtlMs - MarginMs, next.Held!.DeadlineMs);
        // It was the former life's that arrived.
        Assert.True(cluster.Do(lost, adoption.Completion).IsAccepted);
        next = next.Observe(Self, cluster.State);
        Assert.Equal(new HeldLease(cluster.Lease.Epoch, 1_000 + TtlMs - MarginMs, false), next.Held);
        Assert.DoesNotContain(NodeDecisions.Decide(View(Primary, next, 4_500)).Effects, effect => effect is Fence);
    }
}
