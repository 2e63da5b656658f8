using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.Simulation;

/// <summary>An oracle that finds nothing proves nothing: deliberate breaks of the agent or the log, never of the product, must be found.</summary>
public sealed class MutationTests(ITestOutputHelper output)
{
    private const int Seeds = 300;

    [Theory]
    [InlineData(nameof(Mutation.NoDriftMargin), "b")]
    [InlineData(nameof(Mutation.ExpireWithoutIndexCheck), "b")]
    [InlineData(nameof(Mutation.StandWithUnknownEnd), "e")]
    [InlineData(nameof(Mutation.CaptureAfterAccept), "b")]
    [InlineData(nameof(Mutation.OrphansUnseen), "a", "c")]
    [InlineData(nameof(Mutation.AgentKilledWithoutGuard), "a", "b")]
    [InlineData(nameof(Mutation.ReleaseBeforeStopped), "c")]
    public void IsFound(string mutation, params string[] invariants)
    {
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            SimResult result = World.Run(SimOptions.Of(seed, Enum.Parse<Mutation>(mutation)));
            if (result.Violation is null) continue;
            output.WriteLine($"{mutation}: found with seed {seed}: {result.Violation.Message}");
            Assert.Contains(result.Violation.Invariant, invariants);
            return;
        }
        Assert.Fail($"{mutation} was not found within {Seeds} seeds.");
    }
}
