using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>What probes make of a disk: trouble only after repetition, health only after more of it.</summary>
public sealed class DiskHealthTests
{
    private const long HungAfter = 5_000;
    private const long Roomy = 1L << 30;
    private long now = 1_000;

    private static DiskHealth Fresh => DiskHealth.Of("data directory", DiskHealth.DataBytes);

    private DiskHealth Probe(DiskHealth disk, string error = "", long free = Roomy, long tookMs = 3)
    {
        now += 1_000;
        return disk.Observe(new(now, now + tookMs, free, error), now + tookMs, HungAfter);
    }

    private DiskHealth Probes(DiskHealth disk, int count, string error = "", long free = Roomy)
    {
        for (int i = 0; i < count; i++) disk = Probe(disk, error, free);
        return disk;
    }

    [Fact]
    public void A_single_failed_write_moves_nothing() => Assert.Equal(DiskState.Healthy, Probe(Probe(Probe(Fresh, "EIO")), "EIO").State);

    [Fact]
    public void Two_failed_writes_in_a_row_are_trouble_and_say_why()
    {
        DiskHealth disk = Probes(Fresh, DiskHealth.FailuresToTrouble, "Input/output error");
        Assert.Equal(DiskState.Failing, disk.State);
        Assert.Equal("the disk of the data directory fails: Input/output error", disk.Reason);
    }

    [Fact]
    public void Little_space_is_trouble_although_writes_succeed()
    {
        DiskHealth disk = Probes(Fresh, DiskHealth.FailuresToTrouble, free: DiskHealth.DataBytes - 1);
        Assert.Equal(DiskState.Full, disk.State);
        Assert.Equal("the disk of the data directory is full: less than 16 MiB are left", disk.Reason);
        Assert.Equal(DiskState.Healthy, Probes(Fresh, 10, free: DiskHealth.DataBytes).State);
    }

    [Fact]
    public void The_same_probe_looked_at_twice_counts_once()
    {
        var probe = new DiskProbeResult(5_000, 5_001, Roomy, "EIO");
        Assert.Equal(DiskState.Healthy, Fresh.Observe(probe, 5_001, HungAfter).Observe(probe, 6_000, HungAfter).State);
    }

    [Fact]
    public void Trouble_ends_after_good_probes_with_room_to_spare_only()
    {
        DiskHealth full = Probes(Fresh, DiskHealth.FailuresToTrouble, free: 0);
        Assert.Equal(DiskState.Full, Probes(full, DiskHealth.SuccessesToHealth - 1).State);
        Assert.Equal(DiskState.Full, Probes(full, 50, free: (2 * DiskHealth.DataBytes) - 1).State);
        Assert.Equal(DiskState.Full, Probes(Probe(Probes(full, DiskHealth.SuccessesToHealth - 1), "EIO"), DiskHealth.SuccessesToHealth - 1).State);
        DiskHealth well = Probes(full, DiskHealth.SuccessesToHealth);
        Assert.Equal((DiskState.Healthy, ""), (well.State, well.Reason));
    }

    [Fact]
    public void A_write_that_does_not_end_is_hung_at_the_second_look()
    {
        var probe = new DiskProbeResult(10_000, null, -1, "");
        DiskHealth disk = Fresh.Observe(probe, 10_000 + HungAfter - 1, HungAfter);
        Assert.Equal(DiskState.Healthy, disk.State);
        disk = disk.Observe(probe, 10_000 + HungAfter, HungAfter).Observe(probe, 10_000 + HungAfter + 1, HungAfter);
        Assert.Equal(DiskState.Healthy, disk.State);
        disk = disk.Observe(probe, 10_000 + HungAfter + DiskHealth.SecondLookMs, HungAfter);
        Assert.Equal(DiskState.Hung, disk.State);
        Assert.Equal("the disk of the data directory hangs: a small write does not end within 5000 ms", disk.Reason);
    }

    [Fact]
    public void A_process_that_stood_still_does_not_take_its_disk_for_hung()
    {
        DiskHealth disk = Fresh.Observe(new(10_000, null, -1, ""), 60_000, HungAfter).Observe(new(10_000, 60_001, Roomy, ""), 60_300, HungAfter);
        Assert.Equal(DiskState.Healthy, disk.State);
    }

    [Fact]
    public void A_hung_disk_that_answers_again_is_well_after_good_probes()
    {
        var probe = new DiskProbeResult(10_000, null, -1, "");
        DiskHealth disk = Fresh.Observe(probe, 20_000, HungAfter).Observe(probe, 21_000, HungAfter);
        disk = disk.Observe(probe with { EndedMs = 30_000, FreeBytes = Roomy }, 30_000, HungAfter);
        Assert.Equal(DiskState.Hung, disk.State);
        now = 30_000;
        Assert.Equal(DiskState.Healthy, Probes(disk, DiskHealth.SuccessesToHealth).State);
    }

    [Fact]
    public void Before_the_first_probe_nothing_is_known_against_a_disk()
    {
        DiskView disks = DiskView.Healthy.Observe(DiskProbeResult.None, DiskProbeResult.None, 1_000_000, 10_000);
        Assert.Same(DiskView.Healthy, disks);
        Assert.False(DiskProbeResult.None.IsLate(1_000_000));
    }

    [Theory]
    [InlineData(3_000, 2_000)]
    [InlineData(10_000, 5_000)]
    [InlineData(30_000, 15_000)]
    public void A_write_may_take_half_of_ttl(long ttlMs, long expectedMs) => Assert.Equal(expectedMs, DiskHealth.HungAfterMs(ttlMs));
}
