using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

public sealed class GuardStateTests
{
    private static readonly Epoch First = new(1, 10), Second = new(1, 20);

    private static HeldLease Lease(Epoch epoch, long deadlineMs, bool unbounded = false) => new(epoch, deadlineMs, unbounded);

    private static GuardState Leased(HeldLease lease) => Accepted(GuardState.Empty.Tell(lease, false));

    private static GuardState Accepted((GuardState State, string? Refusal) step)
    {
        Assert.Null(step.Refusal);
        return step.State;
    }

    [Fact]
    public void A_guard_that_was_told_nothing_orders_nothing_and_fences_nothing()
    {
        Assert.NotNull(GuardState.Empty.Begin(First, 0).Refusal);
        Assert.Null(GuardState.Empty.FenceDueMs);
    }

    [Fact]
    public void A_replica_is_never_fenced_however_old_the_lease()
    {
        GuardState state = Leased(Lease(First, 1_000)).BeginStandby().StandbyStarted().End();
        Assert.False(state.IsArmed);
        Assert.Null(state.FenceDueMs);
    }

    [Fact]
    public void An_order_arms_before_it_is_carried_out_and_is_due_the_kill_budget_before_the_deadline()
    {
        GuardState state = Accepted(Leased(Lease(First, 10_000)).Begin(First, 5_000));
        Assert.True(state.IsArmed);
        Assert.Equal(10_000 - LeaseTimings.KillBudgetMs, state.FenceDueMs);
        Assert.Equal(state, state.Emptied(state.Orders));
        Assert.True(state.End().IsArmed);
    }

    [Theory]
    [InlineData(9_750)]
    [InlineData(9_751)]
    [InlineData(99_999)]
    public void Nothing_is_ordered_once_the_lease_is_over(long nowMs) => Assert.NotNull(Leased(Lease(First, 10_000)).Begin(First, nowMs).Refusal);

    [Fact]
    public void An_order_of_another_epoch_than_the_leases_is_refused()
    {
        Assert.NotNull(Leased(Lease(First, 10_000)).Begin(Second, 0).Refusal);
        Assert.NotNull(Leased(Lease(Second, 10_000)).Begin(First, 0).Refusal);
    }

    [Fact]
    public void An_epoch_older_than_one_seen_is_never_believed_again()
    {
        GuardState state = Accepted(Leased(Lease(Second, 10_000)).Begin(Second, 0)).End();
        Assert.NotNull(state.Tell(Lease(First, 99_000), true).Refusal);
        Assert.NotNull(state.Tell(Lease(First, 99_000), false).Refusal);
        Assert.NotNull(state.Begin(First, 0).Refusal);
    }

    [Fact]
    public void Without_a_lease_or_with_one_of_another_epoch_what_is_armed_is_due_at_once()
    {
        GuardState state = Accepted(Leased(Lease(First, 10_000)).Begin(First, 0)).End();
        Assert.Equal(0, Accepted(state.Tell(null, false)).FenceDueMs);
        Assert.Equal(0, Accepted(state.Tell(Lease(Second, 20_000), false)).FenceDueMs);
        Assert.Equal(19_750, Accepted(state.Tell(Lease(Second, 20_000), true)).FenceDueMs);
    }

    [Fact]
    public void Pause_has_no_deadline_and_its_end_has_one()
    {
        GuardState state = Accepted(Leased(Lease(First, 10_000, true)).Begin(First, 50_000)).End();
        Assert.Null(state.FenceDueMs);
        Assert.Equal(59_750, Accepted(state.Tell(Lease(First, 60_000), true)).FenceDueMs);
    }

    [Fact]
    public void What_the_agent_declared_it_may_take_back_what_was_ordered_only_an_empty_scan()
    {
        GuardState declared = Accepted(GuardState.Empty.Tell(Lease(First, 10_000), true));
        Assert.Equal(9_750, declared.FenceDueMs);
        Assert.False(Accepted(declared.Tell(Lease(First, 10_000), false)).IsArmed);

        GuardState ordered = Accepted(Leased(Lease(First, 10_000)).Begin(First, 0)).End();
        GuardState still = Accepted(ordered.Tell(Lease(First, 10_000), false));
        Assert.True(still.IsArmed);
        Assert.False(still.Emptied(still.Orders).IsArmed);
    }

    [Fact]
    public void A_proof_from_before_an_order_does_not_disarm_it()
    {
        GuardState before = Leased(Lease(First, 10_000));
        GuardState ordered = Accepted(before.Begin(First, 0)).End();
        Assert.True(ordered.Emptied(before.Orders).IsArmed);
    }

    [Fact]
    public void The_lease_file_only_prolongs_the_lease_of_the_same_epoch()
    {
        GuardState state = Accepted(Leased(Lease(First, 10_000)).Begin(First, 0)).End();
        Assert.Equal(11_750, state.Prolong(Lease(First, 12_000)).FenceDueMs);
        Assert.Null(state.Prolong(Lease(First, 0, true)).FenceDueMs);
        Assert.Equal(9_750, state.Prolong(Lease(First, 9_000)).FenceDueMs);
        Assert.Equal(9_750, state.Prolong(Lease(Second, 99_000)).FenceDueMs);
        Assert.Equal(9_750, state.Prolong(null).FenceDueMs);
        Assert.Equal(0, Accepted(state.Tell(null, false)).Prolong(Lease(First, 99_000)).FenceDueMs);
    }

    [Fact]
    public void A_new_agent_finds_an_armed_guard_as_it_was_and_an_idle_one_open_for_a_new_group()
    {
        GuardState armed = Accepted(Leased(Lease(Second, 10_000)).Begin(Second, 0)).End();
        Assert.Equal(armed, armed.NewAgent());
        GuardState idle = armed.Emptied(armed.Orders).NewAgent();
        Assert.Equal(4_750, Accepted(idle.Tell(Lease(First, 5_000), true)).FenceDueMs);
    }
}
