using Patroni.Raft.StateMachine;
using Xunit;
using static Patroni.Raft.UnitTests.StateMachine.TestCluster;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>What a node decides whose PostgreSQL nobody would stop in its agent's place.</summary>
public sealed class ProtectionTests
{
    private const long NowMs = 200_000;
    private static readonly PresentData Held = new(Data("a"), SystemIdentifier, new(1), false, true, new(900));
    private static readonly PrimaryServer Primary = new(new(1), new(1000), new(1), new(900), []);
    private static readonly StandbyServer Standby = new(new(1), new(900), new(900), null, false, []);

    private static NodeView View(TestCluster cluster, ServerView server)
    {
        bool holds = cluster.State.Leader?.Value == "a";
        return new()
        {
            Self = new("a"),
            NowMs = NowMs,
            UnixNowMs = 0,
            State = cluster.State,
            StateIsCurrent = true,
            Lease = holds ? new(cluster.Lease.Epoch, NowMs + 5_000, false) : null,
            RenewedEpoch = holds ? cluster.Lease.Epoch : default,
            Data = Held,
            Server = server,
            MayBeWritable = holds && server is not ServerStopped,
            Traits = new(),
            Report = new(),
        };
    }

    private static NodeView Unguarded(NodeView view) => view with { GuardMissingSinceMs = NowMs - (view.State.Settings.TtlMs / 2), GuardProblem = "it ended" };

    private static string RuleOf(NodeView view) => NodeDecisions.Decide(view).Rule;

    [Fact]
    public void A_guard_that_is_being_replaced_is_waited_for()
    {
        NodeView view = View(Led("a", "b", "c"), Primary);
        Assert.Equal(RuleOf(view), RuleOf(view with { GuardMissingSinceMs = NowMs - 200 }));
    }

    [Fact]
    public void A_primary_without_a_guard_for_half_a_lease_stops_and_releases()
    {
        NodeView view = Unguarded(View(Led("a", "b", "c"), Primary));
        Assert.Equal("leader.unprotected", RuleOf(view));
        Decision released = NodeDecisions.Decide(view with { Server = new ServerStopped() });
        Assert.IsType<ReleaseLeader>(Assert.IsType<Propose>(Assert.Single(released.Effects)).Command);
        Assert.Contains("it ended", released.Reason);
    }

    [Fact]
    public void A_watchdog_that_is_required_and_lost_bars_a_start_and_leaves_a_running_primary_alone()
    {
        NodeView view = View(Led("a", "b", "c"), Primary) with { WatchdogProblem = "no device" };
        Assert.Equal(RuleOf(view with { WatchdogProblem = null }), RuleOf(view));
        Assert.Equal("lease.release", RuleOf(view with { Server = new ServerStopped() }));
        Assert.Equal("leader.unprotected", RuleOf(view with { Server = Standby }));
    }

    [Fact]
    public void In_pause_nothing_is_stopped()
    {
        TestCluster cluster = LedWith("""{"pause": true}""", "a", "b", "c");
        Assert.NotEqual("leader.unprotected", RuleOf(Unguarded(View(cluster, Primary))));
    }

    [Theory]
    [InlineData(10_000, 5, 5)]
    [InlineData(10_000, -1, 5)]
    [InlineData(30_000, 5, 25)]
    [InlineData(3_000, 5, -2)]
    [InlineData(9_500, 4, 5)]
    public void The_timeout_is_ttl_less_the_margin_in_whole_seconds(long ttlMs, int margin, int seconds) =>
        Assert.Equal(seconds, WatchdogRules.TimeoutSeconds(ttlMs, margin));

    [Theory]
    [InlineData(10, 2, 5, true)]
    [InlineData(10, 2, -1, true)]
    [InlineData(3, 0.5, 5, false)]
    [InlineData(3, 0.5, -1, true)]
    [InlineData(10, 2, 9, false)]
    [InlineData(10, 2, 0, false)]
    public void Timings_that_cannot_hold_are_refused(double ttl, double loopWait, int margin, bool usable)
    {
        DynamicConfiguration settings = Settings($$"""{"ttl": {{ttl}}, "loop_wait": {{loopWait}}, "retry_timeout": 1}""");
        Assert.Equal(usable, WatchdogRules.WhyUnusable(settings, margin) is null);
    }

    [Fact]
    public void It_is_kept_alive_only_while_a_reset_would_still_come_before_the_deadline()
    {
        HeldLease lease = new(new(1, 1), 10_000, false);
        Assert.True(WatchdogRules.MayKeepAlive(lease, 5, 5_000));
        Assert.False(WatchdogRules.MayKeepAlive(lease, 5, 5_001));
    }

    [Fact]
    public void A_member_whose_watchdog_failed_is_no_candidate()
    {
        TestCluster cluster = Led("a", "b", "c");
        MemberReport report = cluster.State.Members[new("b")].Report with { WatchdogFailed = true };
        cluster.Accept(new TouchMember(new("b"), report));
        Assert.Equal("not watchdog capable", SwitchoverRules.WhyUnfit(cluster.State, cluster.State.Members[new("b")], default, false));
    }

    private static DynamicConfiguration Settings(string json) => DynamicConfiguration.ReadAccepted(json);
}
