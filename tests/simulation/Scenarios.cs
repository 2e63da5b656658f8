using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.Simulation;

/// <summary>Defects that seeds found, each as the shortest story that shows it.</summary>
public sealed class Scenarios
{
    private static readonly NodeName Self = new("n1");
    private static readonly Epoch Term = new(1, 10);

    private static ClusterState HeldBy(CommandId renewedBy, long ttlMs, bool unbounded) => ClusterState.Empty with
    {
        Leadership = new Elected(new(Self, Term, ttlMs, 11, renewedBy, true, unbounded, default, [], [])),
    };

    private static RenewLeader Renewal(long ttlMs, bool unbounded) => new(Term, Self, ttlMs, unbounded, default, []);

    /// <summary>The bounded renewal after a pause may be accepted without the holder hearing of it; then its lease expires.</summary>
    [Fact]
    public void ABoundedRenewalUnderWayBoundsTheProof()
    {
        CommandId inPause = new(1, 1), afterPause = new(1, 2);
        LeaseKeeper keeper = LeaseKeeper.Empty
            .Capture(inPause, 1_000, Renewal(10_000, true))
            .Observe(Self, HeldBy(inPause, 10_000, true));
        Assert.True(keeper.Held!.Unbounded);
        keeper = keeper.Capture(afterPause, 50_000, Renewal(10_000, false));
        Assert.False(keeper.Held!.Permits(60_000));
    }

    /// <summary>The same when the news of the unbounded renewal comes after the bounded one was sent.</summary>
    [Fact]
    public void NewsOfAnOlderRenewalDoesNotLiftWhatANewerOneCut()
    {
        CommandId inPause = new(1, 1), afterPause = new(1, 2);
        LeaseKeeper keeper = LeaseKeeper.Empty
            .Capture(inPause, 1_000, Renewal(10_000, true))
            .Capture(afterPause, 2_000, Renewal(10_000, false))
            .Observe(Self, HeldBy(inPause, 10_000, true));
        Assert.False(keeper.Held!.Permits(12_000));
    }

    /// <summary>An operator shortens ttl: the shorter renewal may be the one in force.</summary>
    [Fact]
    public void AShorterRenewalUnderWayShortensTheProof()
    {
        CommandId before = new(1, 1), shorter = new(1, 2);
        LeaseKeeper keeper = LeaseKeeper.Empty
            .Capture(before, 1_000, Renewal(10_000, false))
            .Observe(Self, HeldBy(before, 10_000, false))
            .Capture(shorter, 1_500, Renewal(3_000, false));
        Assert.True(keeper.Held!.Permits(4_000));
        Assert.False(keeper.Held!.Permits(4_500));
    }

    /// <summary>A release on its way may be accepted while PostgreSQL was started again because the reason to release had passed.</summary>
    [Fact]
    public void AProposedReleaseLeavesNoWayBackUnderItsEpoch()
    {
        CommandId renewal = new(1, 1);
        ClusterState state = HeldBy(renewal, 10_000, false);
        LeaseKeeper keeper = LeaseKeeper.Empty
            .Capture(renewal, 1_000, Renewal(10_000, false))
            .Observe(Self, state)
            .GiveUp(new(Term, Self, VacancyReason.Shutdown, "", default, null))
            .Observe(Self, state);
        Assert.Null(keeper.Held);
        NodeView view = new()
        {
            Self = Self,
            NowMs = 1_100,
            UnixNowMs = 0,
            State = state,
            StateIsCurrent = true,
            Lease = keeper.Held,
            Released = keeper.Released,
            Data = new PresentData(new(1), 1, new(1), false, true, default),
            Server = new ServerStopped(),
            MayBeWritable = false,
            Traits = new(),
            Report = new(),
        };
        Assert.Null(Upkeep.Renewal(view, UpkeepMemory.Empty));
        Assert.Equal(new Propose(keeper.Released!), Assert.Single(NodeDecisions.Decide(view).Effects));
    }

    /// <summary>The release of an earlier life of the agent arrives after the next life renewed, and perhaps started PostgreSQL.</summary>
    [Fact]
    public void AReleaseOfAnEarlierLifeIsRefusedOnceTheNextRenewed()
    {
        ClusterState state = HeldBy(new(2, 1), 10_000, false);
        var release = new CommandEnvelope(new(1, 9), 0, new ReleaseLeader(Term, Self, VacancyReason.Shutdown, "", default, null));
        Assert.Equal(OutcomeCode.LeaseRenewed, ClusterStateMachine.Apply(state, release, 12).Outcome.Code);
    }

    /// <summary>A name that no node can have, in a row of the history, made a snapshot that nobody could read.</summary>
    [Fact]
    public void HistoryWithoutALeaderIsRefused()
    {
        ClusterState state = HeldBy(new(1, 1), 10_000, false);
        var append = new CommandEnvelope(new(1, 2), 0, new AppendHistory(Term, [new(new(1), new(100), "", 0, new(""))]));
        Assert.Equal(OutcomeCode.Invalid, ClusterStateMachine.Apply(state, append, 12).Outcome.Code);
    }

    /// <summary>A renewal that an earlier life left on its way arrives after the present one renewed on other terms.</summary>
    [Fact]
    public void ARenewalThatDidNotSeeTheLastOneIsRefused()
    {
        ClusterState state = HeldBy(new(2, 1), 10_000, false);
        var late = new CommandEnvelope(new(1, 9), 0, Renewal(3_000, false) with { LastRenewalIndex = 5 });
        Assert.Equal(OutcomeCode.LeaseRenewed, ClusterStateMachine.Apply(state, late, 12).Outcome.Code);
    }

    private static readonly NodeName Other = new("n2");

    private static NodeView Standby(ClusterState state, NodeName? upstream, uint timeline, params TimelineFork[] history) => new()
    {
        Self = Self,
        NowMs = 1_000,
        UnixNowMs = 0,
        State = state,
        StateIsCurrent = true,
        Data = new PresentData(new(1), 1, new(timeline), true, false, new(500)),
        Server = new StandbyServer(new(timeline), new(500), new(500), upstream, false, [.. history]),
        MayBeWritable = false,
        Traits = new(),
        Report = new(),
    };

    private static ClusterState LedByOther(Promotion promotion) => ClusterState.Empty with
    {
        SystemIdentifier = 1,
        Leadership = new Led(new(Other, promotion.Epoch, 10_000, 21, new(3, 1), true, false, default, [], []), promotion, true),
        Lineage = [promotion],
        Members = ClusterState.Empty.Members.Add(Other, new(Other, MemberPresence.Alive, new(), 1)),
    };

    private static ClusterState Leaderless() => ClusterState.Empty with
    {
        SystemIdentifier = 1,
        Leadership = new Vacant(new(new(1, 20), VacancyReason.LeaseExpired, "", Other, null, default, default,
            System.Collections.Immutable.ImmutableSortedDictionary<NodeName, Stand>.Empty,
            System.Collections.Immutable.ImmutableSortedDictionary<NodeName, Decline>.Empty, [], 0, 0)),
    };

    /// <summary>The last WAL of a primary that stopped comes with its stop: a candidate that stood with an older look fell short of it, and the old primary won back.</summary>
    [Fact]
    public void AMemberStandsOnlyWithALookThatBeganAfterTheVacancy()
    {
        ClusterState state = Leaderless();
        ApplyClock clock = ApplyClock.Empty.Observe(state, 700);
        foreach ((long beganMs, bool stands) in new[] { (699L, false), (700L, false), (701L, true) })
        {
            Decision decision = NodeDecisions.Decide(Standby(state, null, 1) with { SeenBeforeVacancy = clock.IsBeforeVacancy(state, beganMs) });
            Assert.Equal(stands ? "election.stand" : "election.look-again", decision.Rule);
            Assert.Equal(stands ? 1 : 0, decision.Effects.Length);
        }
    }

    /// <summary>While nobody is promoted nothing is streamed: it could come from a promotion whose report is lost, under a number that the next one takes too.</summary>
    [Fact]
    public void AMemberDisconnectsBeforeItStands()
    {
        ClusterState state = Leaderless();
        Assert.Equal(new RunAction(new FollowAction(null)), Assert.Single(NodeDecisions.Decide(Standby(state, Other, 1)).Effects));
        Assert.IsType<StandForElection>(Assert.IsType<Propose>(Assert.Single(NodeDecisions.Decide(Standby(state, null, 1)).Effects)).Command);
    }

    /// <summary>Equal timeline numbers, different origins: PostgreSQL would go on from one into the other.</summary>
    [Fact]
    public void ATimelineOfAnotherOriginIsClonedAnew()
    {
        ClusterState state = LedByOther(new(Other, new(1, 20), new(2), new(1), new(400), 21));
        Assert.Equal("follow.repoint", NodeDecisions.Decide(Standby(state, null, 2, new TimelineFork(new(1), new(400)))).Rule);
        Assert.Equal("rejoin.clone", NodeDecisions.Decide(Standby(state, null, 2, new TimelineFork(new(1), new(300)))).Rule);
    }

    /// <summary>The promotion to timeline 2 was never reported; the next leader tells the log where timeline 1 was left, so that members on it know.</summary>
    [Fact]
    public void TheNextLeaderRecordsAPromotionWhoseReportWasLost()
    {
        CommandId renewal = new(1, 1);
        ClusterState state = HeldBy(renewal, 10_000, false) with { SystemIdentifier = 1, Lineage = [new(Other, new(1, 5), new(1), default, default, 6)] };
        NodeView view = Standby(state, null, 3) with
        {
            Lease = new(Term, 9_000, false),
            RenewedEpoch = Term,
            Server = new PrimaryServer(new(3), new(900), new(2), new(700), [new(new(1), new(300)), new(new(2), new(600))]),
        };
        var append = Assert.IsType<AppendHistory>(Assert.IsType<Propose>(Assert.Single(NodeDecisions.Decide(view).Effects)).Command);
        HistoryEntry row = Assert.Single(append.Entries);
        Assert.Equal((new TimelineId(1), new Lsn(300)), (row.Timeline, row.SwitchLsn));

        ClusterState recorded = LedByOther(new(Other, new(1, 20), new(3), new(2), new(600), 21)) with { History = [row] };
        Assert.Equal("rejoin.stop", NodeDecisions.Decide(Standby(recorded, null, 1)).Rule);
    }

    /// <summary>A restart asked for while the winner is promoted pointed the replica to it, and the report of that promotion was lost.</summary>
    [Fact]
    public void ARestartStreamsNothingFromALeaderThatIsNotPromotedYet()
    {
        Promotion promotion = new(Other, new(1, 20), new(1), default, default, 21);
        ClusterState led = LedByOther(promotion);
        ClusterState elected = led with { Leadership = new Elected(led.Lease!) };
        foreach ((ClusterState state, NodeName? upstream) in new[] { (elected, (NodeName?)null), (led, Other) })
        {
            NodeView view = Standby(state, null, 1) with { Request = NodeRequest.Restart, Followed = FollowMark.Of(promotion, led) };
            Assert.Equal(new RunAction(new RestartAction(null, upstream)), Assert.Single(NodeDecisions.Decide(view).Effects));
        }
    }

    /// <summary>Two promotions to timeline 2 were never reported; the leader went on from one of them, and a member holds WAL of the other below where that was left.</summary>
    [Fact]
    public void ATimelineOfTheLeadersHistoryThatCameFromElsewhereIsClonedAnew()
    {
        ClusterState state = LedByOther(new(Other, new(1, 20), new(3), new(2), new(900), 21)) with { History = [new(new(1), new(300), "", 0, Other), new(new(2), new(900), "", 0, Other)] };
        Assert.Equal("follow.repoint", NodeDecisions.Decide(Standby(state, null, 2, new TimelineFork(new(1), new(300)))).Rule);
        Assert.Equal("rejoin.clone", NodeDecisions.Decide(Standby(state, null, 2, new TimelineFork(new(1), new(200)))).Rule);
    }

    /// <summary>The log from which a group was formed anew said that a node leads that had followed another since: it would have started its standby as primary.</summary>
    [Fact]
    public void ALeadershipOfAFormerGenerationIsNotUsed()
    {
        ClusterState state = HeldBy(new(1, 1), 10_000, false) with { SystemIdentifier = 1, Generation = 2 };
        NodeView view = Standby(state, null, 1) with { Server = new ServerStopped() };
        Assert.Null(Upkeep.Renewal(view, UpkeepMemory.Empty));
        Decision decision = NodeDecisions.Decide(view);
        Assert.Equal("lease.former-generation", decision.Rule);
        var release = Assert.IsType<ReleaseLeader>(Assert.IsType<Propose>(Assert.Single(decision.Effects)).Command);
        Assert.True(ClusterStateMachine.Apply(state, new(new(7, 1), 0, release), 30).Outcome.IsAccepted);
        Assert.Equal(OutcomeCode.StaleEpoch, ClusterStateMachine.Apply(state, new(new(1, 2), 0, Renewal(10_000, false)), 30).Outcome.Code);
    }
}
