using Xunit;

namespace Patroni.Raft.Simulation;

/// <summary>The seed decides everything: else a failure could not be run again.</summary>
public sealed class DeterminismTests
{
    [Theory]
    [InlineData(7)]
    [InlineData(4711)]
    [InlineData(90210)]
    public void TheSameSeedGivesTheSameTrace(int seed)
    {
        SimResult first = World.Run(SimOptions.Of((ulong)seed) with { Traced = true });
        SimResult second = World.Run(SimOptions.Of((ulong)seed) with { Traced = true });
        Assert.Equal(first.TraceHash, second.TraceHash);
        Assert.Equal(first.Entries, second.Entries);
        Assert.NotEqual(first.TraceHash, World.Run(SimOptions.Of((ulong)seed + 1) with { Traced = true }).TraceHash);
    }
}
