using System.Globalization;
using Patroni.Raft.Postgres.Guard;
using Xunit;

namespace Patroni.Raft.UnitTests.Postgres.Guard;

public sealed class GuardEnvironmentTests
{
    /// <summary>A native binary does not read a number with the prefix 0x, and says nothing: the guard then grows with every fence.</summary>
    [Theory]
    [InlineData("DOTNET_GCHeapHardLimit", 32L * 1024 * 1024)]
    [InlineData("DOTNET_GCgen0size", 256L * 1024)]
    [InlineData("DOTNET_GCgen0MaxBudget", 256L * 1024)]
    public void The_heap_is_limited_in_the_form_that_every_build_reads(string name, long bytes) =>
        Assert.Equal(bytes, long.Parse(GuardKeeper.GuardEnvironment()[name], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
}
