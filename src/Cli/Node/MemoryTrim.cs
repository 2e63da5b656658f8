namespace Patroni.Raft.Cli.Node;

/// <summary>
/// Keeps an idle agent small. The collector sizes its youngest generation by the processor's cache, tens of megabytes on a server, and an
/// agent that allocates little would fill all of it with garbage before the first collection. Collecting a few megabytes takes about a millisecond.
/// </summary>
internal sealed class MemoryTrim : IDisposable
{
    private const long AllowanceBytes = 3 * 1024 * 1024;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private readonly Timer timer;
    private long allocatedAtLast;
    private bool settled;

    /// <summary>Starts.</summary>
    public MemoryTrim() => timer = new(_ => Trim(), null, Interval, Interval);

    /// <inheritdoc/>
    public void Dispose() => timer.Dispose();

    private void Trim()
    {
        long allocated = GC.GetTotalAllocatedBytes();
        if (allocated - allocatedAtLast < AllowanceBytes) return;
        allocatedAtLast = allocated;
        // Once: what only the start needed, given back to the system.
        if (!settled) GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, true, true);
        else GC.Collect(1, GCCollectionMode.Forced, true);
        settled = true;
    }
}
