namespace Patroni.Raft.Bench;

/// <summary>What to measure: which systems, which figures (null: all), how often.</summary>
internal sealed record BenchOptions(
    IReadOnlyList<SystemUnderTest> Systems, IReadOnlyList<Figure>? Only, int Repetitions, TimeSpan CommitDuration, TimeSpan IdleDuration)
{
    public bool Wants(params ReadOnlySpan<Figure> figures)
    {
        foreach (var figure in figures)
        {
            if (Only is null || Only.Contains(figure))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>
/// One run over both systems. Repetitions alternate between them, so that a change of the machine's mood meets both; each
/// repetition takes a fresh cluster.
/// </summary>
internal sealed class BenchRun(BenchOptions options, Workplace workplace, Measurements measurements)
{
    private const int CommitWriters = 64;

    public async Task RunAsync(CancellationToken cancel)
    {
        foreach (var system in options.Systems)
        {
            cancel.ThrowIfCancellationRequested();
            if (options.Wants(Figure.CommitP50, Figure.CommitP99, Figure.CommitsPerSecond))
            {
                await CommitAsync(system);
            }
        }

        for (var repetition = 0; repetition < options.Repetitions; repetition++)
        {
            foreach (var system in options.Systems)
            {
                await EqualTimingAsync(system, first: repetition == 0, cancel);
                if (system == SystemUnderTest.PatroniRaft && options.Wants(Figure.HostCrashLowestTiming))
                {
                    await using var cluster = Create(system, Timing.OursLowest);
                    cluster.Start();
                    measurements.Add(system, Figure.HostCrashLowestTiming, await Scenarios.HostCrashAsync(cluster).WaitAsync(cancel));
                }
            }
        }
    }

    /// <summary>Everything at Patroni's lowest timing, with the same settings for both.</summary>
    private async Task EqualTimingAsync(SystemUnderTest system, bool first, CancellationToken cancel)
    {
        var footprint = first && options.Wants(Figure.MemoryMib, Figure.CpuPercent);
        if (!footprint && !options.Wants(Figure.WholeFromNothing, Figure.Switchover, Figure.PostmasterKilled, Figure.HostCrashTtl20)
            && (system != SystemUnderTest.Patroni || !options.Wants(Figure.HostCrashLowestTiming)))
        {
            return;
        }

        await using var cluster = Create(system, Timing.PatroniLowest);
        var whole = await Scenarios.WholeFromNothingAsync(cluster).WaitAsync(cancel);
        measurements.Add(system, Figure.WholeFromNothing, whole.TotalSeconds);
        if (footprint)
        {
            var idle = await Footprint.MeasureAsync(cluster, options.IdleDuration).WaitAsync(cancel);
            measurements.Add(system, Figure.MemoryMib, idle.PssMib, new() { ["processes"] = idle.Processes });
            measurements.Add(system, Figure.CpuPercent, idle.CpuPercentOfACore);
        }

        if (options.Wants(Figure.Switchover))
        {
            measurements.Add(system, Figure.Switchover, await Scenarios.SwitchoverAsync(cluster).WaitAsync(cancel));
        }

        if (options.Wants(Figure.PostmasterKilled))
        {
            measurements.Add(system, Figure.PostmasterKilled, await Scenarios.PostmasterCrashAsync(cluster).WaitAsync(cancel));
        }

        if (options.Wants(Figure.HostCrashTtl20) || (system == SystemUnderTest.Patroni && options.Wants(Figure.HostCrashLowestTiming)))
        {
            var crash = await Scenarios.HostCrashAsync(cluster).WaitAsync(cancel);
            measurements.Add(system, Figure.HostCrashTtl20, crash);
            if (system == SystemUnderTest.Patroni)
            {
                // Patroni's lowest timing is this very one: the same measurement fills both rows.
                measurements.Add(system, Figure.HostCrashLowestTiming, crash);
            }
        }
    }

    private async Task CommitAsync(SystemUnderTest system)
    {
        var figures = system == SystemUnderTest.Patroni
            ? await EtcdCommit.RunAsync(workplace, options.CommitDuration, CommitWriters)
            : await RaftCommit.RunAsync(workplace.RaftDriver, options.CommitDuration, CommitWriters);
        measurements.Add(system, Figure.CommitP50, figures.P50Ms);
        measurements.Add(system, Figure.CommitP99, figures.P99Ms);
        measurements.Add(system, Figure.CommitsPerSecond, figures.PerSecond);
    }

    private ManagedCluster Create(SystemUnderTest system, Timing timing) => system == SystemUnderTest.Patroni
        ? new PatroniEtcdCluster(workplace, timing)
        : new PatroniRaftCluster(workplace, timing);
}
