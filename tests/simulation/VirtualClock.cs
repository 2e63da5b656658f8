namespace Patroni.Raft.Simulation;

/// <summary>
/// A node's CLOCK_BOOTTIME: runs at its own rate, at most <see cref="MaxDrift"/> off true time, from an offset of its own, and starts
/// anew at a reboot. True time is known to the simulation and its oracle only.
/// </summary>
internal sealed class VirtualClock(double rate, long bootTrueMs, long offsetMs)
{
    /// <summary>The bound that the lease's drift margin (2 % of ttl between two nodes) is made for.</summary>
    public const double MaxDrift = 0.01;

    private long bootTrueMs = bootTrueMs;
    private long offsetMs = offsetMs;

    public double Rate => rate;
    public long BootId { get; private set; } = 1;

    public long Local(long trueMs) => offsetMs + (long)Math.Floor((trueMs - bootTrueMs) * rate);

    /// <summary>The first true millisecond at which the clock shows at least this.</summary>
    public long TrueAt(long localMs)
    {
        long at = bootTrueMs + (long)Math.Ceiling((localMs - offsetMs) / rate);
        while (Local(at) < localMs) at++;
        return at;
    }

    public void Reboot(long trueMs)
    {
        bootTrueMs = trueMs;
        offsetMs = 1000;
        BootId++;
    }
}
