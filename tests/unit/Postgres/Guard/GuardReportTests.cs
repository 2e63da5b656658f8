using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Postgres.Guard;

public sealed class GuardReportTests
{
    [Fact]
    public void A_report_is_read_as_it_was_written_and_anything_else_is_none()
    {
        FenceFacts fence = new(new(2, 77), 1_790_000_000_123, "its lease ended and nobody had renewed it", 12, 3, 20, 1);
        string line = GuardReport.Format(fence);
        Assert.Equal(fence, GuardReport.Parse(line));
        foreach (string other in new[] { "", "\n", "the lease of epoch 1.2 ended", line.Replace("fence1", "fence2", StringComparison.Ordinal), line.Replace("77", "x", StringComparison.Ordinal), line[..20] })
            Assert.Null(GuardReport.Parse(other));
    }
}
