using System.Collections.Concurrent;
using System.Diagnostics;
using Patroni.Raft.ChaosTests.Checking;

namespace Patroni.Raft.ChaosTests.Clients;

/// <summary>Collects what all clients saw.</summary>
internal sealed class Ledger
{
    private readonly ConcurrentQueue<Append> appends = new();
    private readonly ConcurrentQueue<Read> reads = new();
    private readonly ConcurrentQueue<Pulse> pulses = new();
    private readonly ConcurrentQueue<Thaw> thaws = new();
    private readonly ConcurrentDictionary<string, long> failures = new();
    private long acknowledged;

    /// <summary>CLOCK_MONOTONIC, nanoseconds.</summary>
    public static long Now => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));

    public long Acknowledged => Interlocked.Read(ref acknowledged);

    /// <summary>What clients were told when something did not work, and how often.</summary>
    public IReadOnlyDictionary<string, long> Failures => failures;

    public IEnumerable<Pulse> Pulses => pulses;

    public void Add(Append append)
    {
        appends.Enqueue(append);
        if (append.Accepted is not null) Interlocked.Increment(ref acknowledged);
    }

    public void Add(Read read) => reads.Enqueue(read);

    public void Add(Pulse pulse) => pulses.Enqueue(pulse);

    public void Add(Thaw thaw) => thaws.Enqueue(thaw);

    public void Failed(string what) => failures.AddOrUpdate(what, 1, (_, count) => count + 1);

    public History ToHistory(IReadOnlyDictionary<int, long[]> final) => new() { Appends = [.. appends], Reads = [.. reads], Pulses = [.. pulses], Thaws = [.. thaws], Final = final };
}
