using System.Runtime.InteropServices;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>CLOCK_BOOTTIME: counts also while the machine sleeps, never jumps. The only clock leases are measured with.</summary>
public static partial class BootClock
{
    private const int ClockBootTime = 7;

    /// <summary>Milliseconds since boot.</summary>
    public static long NowMs
    {
        get
        {
            if (clock_gettime(ClockBootTime, out TimeSpec time) != 0)
                throw new InvalidOperationException($"clock_gettime(CLOCK_BOOTTIME) failed with error {Marshal.GetLastPInvokeError()}.");
            return (time.Seconds * 1000) + (time.Nanoseconds / 1_000_000);
        }
    }

    /// <summary>Identity of this boot of the machine: deadlines of another boot mean nothing.</summary>
    public static string BootId { get; } = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int clock_gettime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
