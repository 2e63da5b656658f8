using Patroni.Raft.Consensus;
using Patroni.Raft.Consensus.Log;
using Xunit;

namespace Patroni.Raft.UnitTests.Raft;

/// <summary>A failed write or fsync stops the log for good.</summary>
public sealed class LogFailureTests : LogTestBase
{
    [Theory]
    [InlineData("write", "No space left on device")]
    [InlineData("write", "Input/output error")]
    [InlineData("flush file", "Input/output error")]
    public async Task Nothing_is_written_or_answered_after_a_failure_and_what_was_acknowledged_is_there(string kind, string error)
    {
        var disk = NewDisk();
        var log = Open(disk);
        await log.UpdateTermAsync(1);
        await log.AppendReplicatedAsync(1, [Command(1, "acknowledged")]);
        disk.Failing = (_, step) => step == kind ? new IOException(error) : null;
        await Assert.ThrowsAsync<RaftStoppedException>(() => log.AppendReplicatedAsync(2, [Command(1, "fails")]));
        await Assert.ThrowsAsync<RaftStoppedException>(() => log.Stopped);

        // The device works again; the log must not trust what it reports now.
        disk.Failing = (_, _) => null;
        var steps = disk.Steps;
        await Assert.ThrowsAsync<RaftStoppedException>(() => log.AppendReplicatedAsync(2, [Command(1, "again")]));
        await Assert.ThrowsAsync<RaftStoppedException>(() => log.VoteAsync(Other));
        Assert.Equal(steps, disk.Steps);
        Assert.Equal(1, log.LastIndex);
        await log.DisposeAsync();

        await using var reopened = Open(disk.AfterPowerLoss(null));
        Assert.Equal(1, reopened.LastIndex);
    }

    [Theory]
    [InlineData("create")]
    [InlineData("rename")]
    [InlineData("flush directory")]
    [InlineData("delete")]
    [InlineData("write")]
    [InlineData("flush file")]
    public async Task A_failure_at_any_step_of_taking_a_snapshot_stops_the_log_and_loses_nothing(string kind)
    {
        for (var nth = 1; nth <= 2; nth++)
        {
            var disk = NewDisk();
            var log = Open(disk);
            await log.UpdateTermAsync(1);
            await log.AppendReplicatedAsync(1, [Command(1, "a"), Command(1, "b"), Command(1, "c")]);
            log.TryCommit(2);
            var seen = 0;
            disk.Failing = (_, step) => step == kind && ++seen == nth ? new IOException("Input/output error") : null;
            try
            {
                await log.CompactAsync(2, 1, "state"u8.ToArray(), default);
                Assert.True(kind == "delete" && nth == 2, $"{kind} number {nth} did not fail");
            }
            catch (Exception e) when (e is RaftStoppedException or IOException)
            {
                await Assert.ThrowsAsync<RaftStoppedException>(() => log.Stopped);
            }

            disk.Failing = (_, _) => null;
            await log.DisposeAsync();
            for (var seed = 0; seed < 10; seed++)
            {
                await using var reopened = Open(disk.AfterPowerLoss(new Random(seed)));
                Assert.Equal(3, reopened.LastIndex);
                Assert.Equal("c"u8.ToArray(), reopened.EntryAt(3)!.Value.Payload.ToArray());
            }
        }
    }

    [Fact]
    public async Task A_closed_log_refuses_instead_of_waiting()
    {
        var log = Open(NewDisk());
        await log.DisposeAsync();
        await Assert.ThrowsAsync<RaftStoppedException>(() => log.UpdateTermAsync(1));
        Assert.True(log.Stopped.IsCompletedSuccessfully);
    }
}
