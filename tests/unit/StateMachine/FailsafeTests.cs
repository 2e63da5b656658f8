using System.Collections.Immutable;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>The promises of failsafe mode and what the holder makes of them.</summary>
public sealed class FailsafeTests
{
    private const long Ttl = 10_000;
    private static readonly NodeName A = new("a"), B = new("b");

    private static TestCluster Enabled(params string[] topology)
    {
        TestCluster cluster = TestCluster.LedWith("""{"failsafe_mode":true}""", "a", "b", "c");
        cluster.Accept(new SetFailsafeTopology(cluster.Lease.Epoch, 0, Members(topology)));
        return cluster;
    }

    private static ImmutableSortedDictionary<NodeName, string> Members(params string[] names) =>
        names.ToImmutableSortedDictionary(static name => new NodeName(name), static name => $"http://{name}:8008/patroni");

    private static FailsafeAnswer Ask(TestCluster cluster, Epoch epoch, VacancyId? stoodIn = null, FailsafePromise? before = null, bool writable = false) =>
        FailsafePromises.Answer(new(B, cluster.State, writable, stoodIn, before), new(A, epoch, Ttl), 1_000);

    [Fact]
    public void A_member_promises_for_ttl_from_receipt()
    {
        TestCluster cluster = Enabled("a", "b", "c");
        Assert.Equal(new FailsafePromise(A, cluster.Lease.Epoch, 11_000), Ask(cluster, cluster.Lease.Epoch).Promise);
        Assert.Equal(FailsafePromises.Accepted, Ask(cluster, cluster.Lease.Epoch).Text);
        Assert.False(Ask(TestCluster.Led("a", "b", "c"), new(1, 8)).IsEnabled);
    }

    [Fact]
    public void Nobody_promises_who_writes_or_knows_of_a_later_leadership()
    {
        TestCluster cluster = Enabled("a", "b", "c");
        Epoch epoch = cluster.Lease.Epoch;
        Assert.Equal("Running as a leader", Ask(cluster, epoch, writable: true).Text);
        Assert.Null(Ask(cluster, epoch, before: new(new("c"), new(1, 99), 5_000)).Promise);
        Assert.Null(Ask(cluster, new(1, 1)).Promise);
        cluster.Expire();
        cluster.Accept(cluster.Stand("c", 2_000));
        cluster.Accept(cluster.Stand("b", 1_000));
        Assert.Equal(new NodeName("c"), cluster.State.Leader);
        Assert.Null(Ask(cluster, epoch).Promise);
    }

    [Fact]
    public void In_a_vacancy_only_who_does_not_stand_promises()
    {
        TestCluster cluster = Enabled("a", "b", "c");
        Epoch epoch = cluster.Lease.Epoch;
        cluster.Expire();
        Assert.NotNull(Ask(cluster, epoch).Promise);
        Assert.Null(Ask(cluster, epoch, stoodIn: cluster.Vacancy.Id).Promise);
        cluster.Accept(cluster.Stand("b", 1_000));
        Assert.Null(Ask(cluster, epoch).Promise);
    }

    [Fact]
    public void A_holder_that_gave_leadership_up_needs_no_promise_and_ends_those_given()
    {
        TestCluster cluster = Enabled("a", "b", "c");
        FailsafePromise promise = Ask(cluster, cluster.Lease.Epoch).Promise!;
        Assert.True(promise.Binds(cluster.State, 2_000));
        cluster.Release(VacancyReason.Switchover, 1_000, "b");
        Assert.False(promise.Binds(cluster.State, 2_000));
        Assert.Null(Ask(cluster, promise.Epoch).Promise);
    }

    [Fact]
    public void Who_promised_neither_stands_nor_detaches_nor_uses_a_leadership_won_meanwhile()
    {
        TestCluster cluster = Enabled("a", "b", "c");
        var promise = new FailsafePromise(A, cluster.Lease.Epoch, 11_000);
        cluster.Expire();
        NodeView view = View(cluster, B) with { Promise = promise, Server = new StandbyServer(new(1), new(1_000), new(1_000), A, true, []) };
        Assert.Equal("failsafe.promised", NodeDecisions.Decide(view).Rule);
        Assert.Equal("election.detach", NodeDecisions.Decide(view with { NowMs = 11_000 }).Rule);
        cluster.Accept(cluster.Stand("b", 1_000));
        cluster.Close();
        view = View(cluster, B) with { Promise = promise, Server = view.Server };
        Assert.Null(Upkeep.Renewal(view, UpkeepMemory.Empty));
        Assert.NotNull(Upkeep.Renewal(view with { NowMs = 11_000 }, UpkeepMemory.Empty));
    }

    [Fact]
    public void The_raft_leader_does_not_expire_a_lease_that_it_promised_to_leave_alone()
    {
        TestCluster cluster = Enabled("a", "b", "c");
        ApplyClock clock = ApplyClock.Empty.Observe(cluster.State, 0);
        var promise = new FailsafePromise(A, cluster.Lease.Epoch, 15_000);
        static bool Expires(ImmutableArray<CoordinatorDecision> decisions) => decisions.Any(static d => d.Command is ExpireLeader);
        Assert.True(Expires(CoordinatorDecisions.Decide(B, cluster.State, clock, 10_000, 0)));
        Assert.False(Expires(CoordinatorDecisions.Decide(B, cluster.State, clock, 10_000, 0, promise)));
        Assert.Equal(15_000, CoordinatorDecisions.NextDueMs(cluster.State, clock, 10_000, 0, promise));
        Assert.True(Expires(CoordinatorDecisions.Decide(B, cluster.State, clock, 15_000, 0, promise)));
        Assert.True(Expires(CoordinatorDecisions.Decide(B, cluster.State, clock, 10_000, 0, promise with { Epoch = new(1, 1) })));
    }

    [Fact]
    public void The_holder_asks_everybody_who_may_be_able_to_win()
    {
        TestCluster cluster = Enabled("a", "b");
        NodeView view = Holder(cluster);
        FailsafeRound round = FailsafeRules.Round(view, FailsafeMemory.Empty)!;
        Assert.Equal([B], round.Members.Select(static member => member.Name));
        Assert.Equal([new("c")], round.Others.Select(static member => member.Name));

        // The change that lets c win may be in the log already.
        FailsafeMemory memory = FailsafeMemory.Empty.Propose(new(cluster.Lease.Epoch, cluster.State.FailsafeVersion, Members("a", "c")));
        Assert.Equal([B, new("c")], FailsafeRules.Round(view, memory)!.Members.Select(static member => member.Name));
        // And so may the one that lets everybody win.
        memory = memory.Propose(new(cluster.Lease.Epoch, cluster.State.FailsafeVersion, Members()));
        Assert.Null(FailsafeRules.Round(view, memory));
        // A proposal that names an older version can no longer be accepted.
        memory = FailsafeMemory.Empty.Propose(new(cluster.Lease.Epoch, cluster.State.FailsafeVersion - 1, Members()));
        Assert.NotNull(FailsafeRules.Round(view, memory));
    }

    [Fact]
    public void The_holder_asks_in_the_second_half_of_its_lease_and_then_every_loop_wait()
    {
        NodeView view = Holder(Enabled("a", "b", "c"));
        Assert.Null(FailsafeRules.Round(view with { NowMs = 1_000 }, FailsafeMemory.Empty));
        Assert.Null(FailsafeRules.Round(view with { NowMs = 9_600 }, FailsafeMemory.Empty));
        NodeView extended = view with { Lease = view.Lease! with { ByPromises = true, DeadlineMs = 20_000 } };
        Assert.Null(FailsafeRules.Round(extended, FailsafeMemory.Empty with { AskedAtMs = 4_001 }));
        Assert.NotNull(FailsafeRules.Round(extended, FailsafeMemory.Empty with { AskedAtMs = 4_000 }));
    }

    [Theory]
    [InlineData("off")]
    [InlineData("not-current")]
    [InlineData("restarted")]
    [InlineData("given-up")]
    [InlineData("no-topology")]
    public void The_holder_does_not_ask_without_ground(string why)
    {
        TestCluster cluster = why switch
        {
            "off" => TestCluster.Led("a", "b", "c"),
            "no-topology" => TestCluster.LedWith("""{"failsafe_mode":true}""", "a", "b", "c"),
            _ => Enabled("a", "b", "c"),
        };
        NodeView view = Holder(cluster);
        view = why switch
        {
            "not-current" => view with { StateIsCurrent = false },
            "restarted" => view with { RenewedEpoch = default },
            "given-up" => view with { Released = new(cluster.Lease.Epoch, A, VacancyReason.Shutdown, "", default, null) },
            _ => view,
        };
        Assert.Null(FailsafeRules.Round(view, FailsafeMemory.Empty));
    }

    [Fact]
    public void The_holder_records_who_reports()
    {
        TestCluster cluster = TestCluster.LedWith("""{"failsafe_mode":true}""", "a", "b", "c");
        cluster.Silence("c");
        SetFailsafeTopology topology = FailsafeRules.Topology(Holder(cluster))!;
        Assert.Equal([A, B], topology.Topology.Keys);
        cluster.Accept(topology);
        Assert.Null(FailsafeRules.Topology(Holder(cluster)));
        cluster.Accept(new PatchConfig("""{"failsafe_mode":false}""", 0));
        Assert.Empty(FailsafeRules.Topology(Holder(cluster))!.Topology);
    }

    [Fact]
    public void Promises_carry_the_deadline_from_the_clock_before_the_question_and_revive_nothing()
    {
        TestCluster cluster = Enabled("a", "b", "c");
        CommandId id = cluster.NextId(1);
        var renewal = new RenewLeader(cluster.Lease.Epoch, A, Ttl, false, default, []);
        LeaseKeeper keeper = LeaseKeeper.Empty.Capture(id, 1_000, renewal);
        cluster.Do(id, renewal);
        keeper = keeper.Observe(A, cluster.State);
        Assert.Equal(10_750, keeper.Held!.DeadlineMs);
        Assert.Equal(keeper, keeper.Extend(cluster.Lease.Epoch, 6_000, Ttl, 10_500));
        LeaseKeeper extended = keeper.Extend(cluster.Lease.Epoch, 6_000, Ttl, 6_100);
        Assert.Equal(15_750, extended.Held!.DeadlineMs);
        Assert.True(extended.Held.ByPromises);
        Assert.Equal(keeper.Held, keeper.Extend(new(1, 1), 6_000, Ttl, 6_100).Held);
        Assert.Null(LeaseKeeper.Empty.Restore(keeper.Held).Extend(cluster.Lease.Epoch, 6_000, Ttl, 6_100).Held is { ByPromises: true } ? "extended" : null);
        cluster.Expire();
        Assert.Null(extended.Observe(A, cluster.State).Held);
    }

    /// <summary>Found by the simulation: the quorum came back during a round, and the holder recorded a member that nobody had asked.</summary>
    [Fact]
    public void Promises_count_only_while_everybody_who_may_win_is_among_those_who_gave_them()
    {
        TestCluster cluster = Enabled("a", "b");
        FailsafeRound round = FailsafeRules.Round(Holder(cluster), FailsafeMemory.Empty)!;
        Assert.True(FailsafeRules.Covers(round, A, cluster.State, FailsafeMemory.Empty));
        SetFailsafeTopology wider = FailsafeRules.Topology(Holder(cluster))!;
        Assert.Contains(new NodeName("c"), wider.Topology.Keys);
        Assert.False(FailsafeRules.Covers(round, A, cluster.State, FailsafeMemory.Empty.Propose(wider)));
        NodeView carried = Holder(cluster);
        Assert.Null(FailsafeRules.Topology(carried with { Lease = carried.Lease! with { ByPromises = true } }));
        cluster.Accept(wider);
        Assert.False(FailsafeRules.Covers(round, A, cluster.State, FailsafeMemory.Empty));
    }

    private static NodeView Holder(TestCluster cluster) => View(cluster, A) with
    {
        NowMs = 6_000,
        Lease = new(cluster.Lease.Epoch, 9_750, false),
        RenewedEpoch = cluster.Lease.Epoch,
        Server = new PrimaryServer(new(1), new(1_000), new(1), new(500), []),
        MayBeWritable = true,
    };

    private static NodeView View(TestCluster cluster, NodeName self) => new()
    {
        Self = self,
        NowMs = 2_000,
        UnixNowMs = 0,
        State = cluster.State,
        StateIsCurrent = true,
        Data = new PresentData(TestCluster.Data(self.Value), TestCluster.SystemIdentifier, new(1), true, false, new(1_000)),
        Server = new ServerStopped(),
        MayBeWritable = false,
        Traits = new(),
        Report = TestCluster.Report(self.Value),
    };
}
