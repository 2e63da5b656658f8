using System.Collections.Concurrent;
using System.Diagnostics;
using Patroni.Raft.ChaosTests.Checking;

namespace Patroni.Raft.ChaosTests.Clients;

/// <summary>Collects what all clients saw.</summary>
internal sealed partial class Ledger
{
    private readonly ConcurrentQueue<Append> appends = new();
    private readonly ConcurrentQueue<Read> reads = new();
    private readonly ConcurrentQueue<Pulse> pulses = new();
    private readonly ConcurrentQueue<Thaw> thaws = new();
    private readonly ConcurrentDictionary<string, long> failures = new();
    private readonly ConcurrentQueue<long> failedAt = new();
    private long acknowledged;

    /// <summary>CLOCK_MONOTONIC, nanoseconds.</summary>
    public static long Now => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));

    public long Acknowledged => Interlocked.Read(ref acknowledged);

    /// <summary>What clients were told when something did not work, and how often.</summary>
    public IReadOnlyDictionary<string, long> Failures => failures;

    public void Add(Append append)
    {
        appends.Enqueue(append);
        if (append.Accepted is not null) Interlocked.Increment(ref acknowledged);
    }

    public void Add(Read read) => reads.Enqueue(read);

    public void Add(Pulse pulse) => pulses.Enqueue(pulse);

    public void Add(Thaw thaw) => thaws.Enqueue(thaw);

    /// <summary>Notes a failed write.</summary>
    /// <param name="what">What the client was told.</param>
    /// <param name="byStandby">Whether a standby refused it, which is no failure of the service.</param>
    public void Failed(string what, bool byStandby = false)
    {
        failures.AddOrUpdate(what, 1, (_, count) => count + 1);
        if (!byStandby) failedAt.Enqueue(Now);
    }

    public History ToHistory(IReadOnlyDictionary<int, long[]> final) => new() { Appends = [.. appends], Reads = [.. reads], Pulses = [.. pulses], Thaws = [.. thaws], Final = final };
}
