namespace Patroni.Raft.StateMachine;

/// <summary>Conditions of a disk.</summary>
public enum DiskState
{
    /// <summary>It takes writes.</summary>
    Healthy,
    /// <summary>There is no room for what comes next.</summary>
    Full,
    /// <summary>Writes fail.</summary>
    Failing,
    /// <summary>A write does not come to its end.</summary>
    Hung,
}

/// <summary>One probe of a disk: a small file written and flushed, and the free space.</summary>
/// <param name="BeganMs">When it began, CLOCK_BOOTTIME milliseconds.</param>
/// <param name="EndedMs">When it ended; null while it is under way.</param>
/// <param name="FreeBytes">Space left for this user; -1 when not known.</param>
/// <param name="Error">Why the write failed; empty when it did not.</param>
public sealed record DiskProbeResult(long BeganMs, long? EndedMs, long FreeBytes, string Error)
{
    /// <summary>Before the first.</summary>
    public static DiskProbeResult None { get; } = new(0, 0, -1, "");

    /// <summary>Whether it takes so long that it must be watched closely.</summary>
    /// <param name="nowMs">CLOCK_BOOTTIME milliseconds.</param>
    public bool IsLate(long nowMs) => EndedMs is null && nowMs - BeganMs >= 2 * DiskHealth.SecondLookMs;
}

/// <summary>
/// What probes say of one disk, with hysteresis: one failed write, or a pause of the machine, moves nothing, and a disk that is barely
/// well again does not take part at once.
/// </summary>
public sealed record DiskHealth
{
    /// <summary>Failed probes in a row that make trouble.</summary>
    public const int FailuresToTrouble = 2;

    /// <summary>Good probes in a row, with twice the needed space, that end trouble.</summary>
    public const int SuccessesToHealth = 5;

    /// <summary>A hung write is one that takes half of ttl, and never less than this.</summary>
    public const long ShortestHungMs = 2000;

    /// <summary>A write that takes too long is looked at again after this time.</summary>
    public const long SecondLookMs = 250;

    /// <summary>Space that data and WAL need: less does not hold PostgreSQL's next WAL segment of the usual size.</summary>
    public const long DataBytes = 16L * 1024 * 1024;

    /// <summary>Space that the Raft log needs: less does not hold a further snapshot and segment.</summary>
    public const long RaftBytes = 8L * 1024 * 1024;

    /// <summary>A disk with a free space of at least this.</summary>
    public static DiskHealth Of(string name, long neededBytes) => new() { Name = name, NeededBytes = neededBytes };

    /// <summary>What the disk is for, as operators read it.</summary>
    public string Name { get; private init; } = "";

    /// <summary>Its condition.</summary>
    public DiskState State { get; private init; }

    /// <summary>One sentence while it is in trouble, without numbers that change all the time; empty else.</summary>
    public string Reason { get; private init; } = "";

    /// <summary>Space left at the last probe; -1 when not known.</summary>
    public long FreeBytes { get; private init; } = -1;

    private long NeededBytes { get; init; }
    private int Failures { get; init; }
    private int Successes { get; init; }
    private long CountedMs { get; init; }
    private (long BeganMs, long AtMs) SeenHanging { get; init; }

    /// <summary>How long a write may take.</summary>
    /// <param name="ttlMs">ttl, milliseconds.</param>
    public static long HungAfterMs(long ttlMs) => Math.Max(ShortestHungMs, ttlMs / 2);

    /// <summary>Takes note of the latest probe; looking at the same one again changes nothing but the age of one that is under way.</summary>
    /// <param name="probe">The latest probe.</param>
    /// <param name="nowMs">CLOCK_BOOTTIME milliseconds.</param>
    /// <param name="hungAfterMs">See <see cref="HungAfterMs"/>.</param>
    public DiskHealth Observe(DiskProbeResult probe, long nowMs, long hungAfterMs)
    {
        if (probe.EndedMs is not { } ended) return nowMs - probe.BeganMs >= hungAfterMs && State != DiskState.Hung ? Hanging(probe.BeganMs, nowMs, hungAfterMs) : this;
        if (probe.BeganMs == CountedMs) return this;
        DiskHealth counted = this with { CountedMs = probe.BeganMs, FreeBytes = probe.FreeBytes };
        // A write that ended after all is no better than a hung one while every one of them takes so long.
        if (ended - probe.BeganMs >= hungAfterMs) return counted with { Failures = Failures + 1, Successes = 0 };
        bool isFull = probe.FreeBytes >= 0 && probe.FreeBytes < NeededBytes;
        if (probe.Error.Length > 0 || isFull) return counted.Failed(isFull, probe.Error);
        if (State == DiskState.Healthy) return counted with { Failures = 0 };
        bool roomy = probe.FreeBytes < 0 || probe.FreeBytes >= 2 * NeededBytes;
        int successes = roomy ? Successes + 1 : 0;
        return successes >= SuccessesToHealth
            ? counted with { State = DiskState.Healthy, Reason = "", Failures = 0, Successes = 0 }
            : counted with { Failures = 0, Successes = successes };
    }

    /// <summary>Believed at a second look only: after a pause of the whole process a write is old at the first, and has ended at the next.</summary>
    private DiskHealth Hanging(long beganMs, long nowMs, long hungAfterMs)
    {
        if (SeenHanging.BeganMs != beganMs) return this with { SeenHanging = (beganMs, nowMs) };
        if (nowMs - SeenHanging.AtMs < SecondLookMs) return this;
        return this with
        {
            State = DiskState.Hung,
            Reason = $"the disk of the {Name} hangs: a small write does not end within {hungAfterMs} ms",
            Failures = FailuresToTrouble,
            Successes = 0,
        };
    }

    private DiskHealth Failed(bool isFull, string error)
    {
        DiskHealth failed = this with { Failures = Failures + 1, Successes = 0 };
        if (failed.Failures < FailuresToTrouble) return failed;
        return isFull
            ? failed with { State = DiskState.Full, Reason = $"the disk of the {Name} is full: less than {NeededBytes / (1024 * 1024)} MiB are left" }
            : failed with { State = DiskState.Failing, Reason = $"the disk of the {Name} fails: {error}" };
    }
}

/// <summary>The disks of a node.</summary>
/// <param name="Data">Data directory and WAL.</param>
/// <param name="Raft">The Raft directory.</param>
public sealed record DiskView(DiskHealth Data, DiskHealth Raft)
{
    /// <summary>Nothing known against either.</summary>
    public static DiskView Healthy { get; } = new(DiskHealth.Of("data directory", DiskHealth.DataBytes), DiskHealth.Of("Raft log", DiskHealth.RaftBytes));

    /// <summary>Whether either is in trouble.</summary>
    public bool IsTroubled => Data.State != DiskState.Healthy || Raft.State != DiskState.Healthy;

    /// <summary>Whether either hangs: nothing that must be written comes to an end, a clean stop neither.</summary>
    public bool Hangs => Data.State == DiskState.Hung || Raft.State == DiskState.Hung;

    /// <summary>What is wrong, in words; empty when all is well.</summary>
    public string Reason => Data.Reason.Length == 0 ? Raft.Reason : Raft.Reason.Length == 0 ? Data.Reason : $"{Data.Reason}; {Raft.Reason}";

    /// <summary>Takes note of the latest probes.</summary>
    /// <param name="data">Of data directory and WAL.</param>
    /// <param name="raft">Of the Raft directory.</param>
    /// <param name="nowMs">CLOCK_BOOTTIME milliseconds.</param>
    /// <param name="ttlMs">ttl in force, milliseconds.</param>
    public DiskView Observe(DiskProbeResult data, DiskProbeResult raft, long nowMs, long ttlMs)
    {
        long hungAfter = DiskHealth.HungAfterMs(ttlMs);
        DiskHealth nextData = Data.Observe(data, nowMs, hungAfter), nextRaft = Raft.Observe(raft, nowMs, hungAfter);
        return ReferenceEquals(nextData, Data) && ReferenceEquals(nextRaft, Raft) ? this : new(nextData, nextRaft);
    }
}
