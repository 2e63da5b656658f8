using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>A member that is away cannot fill the primary's disk.</summary>
public sealed class SlotRulesTests
{
    private static readonly Lsn End = new(2_000_000);

    private static DiskHealth WithFree(long bytes) => DiskHealth.Of("data directory", DiskHealth.DataBytes).Observe(new(1, 2, bytes, ""), 2, 5_000);

    [Theory]
    [InlineData(250_000, false)]
    [InlineData(249_999, true)]
    [InlineData(0, true)]
    public void A_slot_that_nobody_uses_may_keep_four_times_of_what_is_left(long free, bool given) =>
        Assert.Equal(given, SlotRules.GivesUp(WithFree(free), false, new(1_000_000), End));

    [Fact]
    public void A_slot_in_use_is_never_given_up() => Assert.False(SlotRules.GivesUp(WithFree(0), true, new(1_000_000), End));

    [Fact]
    public void What_is_not_known_gives_nothing_up()
    {
        Assert.False(SlotRules.GivesUp(DiskView.Healthy.Data, false, new(1_000_000), End));
        Assert.False(SlotRules.GivesUp(WithFree(0), false, null, End));
    }
}
