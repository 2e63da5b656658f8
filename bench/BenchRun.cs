namespace Patroni.Raft.Bench;

/// <summary>What to measure: which systems, which figures (null: all), how often.</summary>
internal sealed record BenchOptions(
    IReadOnlyList<SystemUnderTest> Systems, IReadOnlyList<Figure>? Only, int Repetitions, TimeSpan CommitDuration, TimeSpan IdleDuration,
    TimeSpan LoadDuration, TimeSpan LeaseDuration)
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

        foreach (var system in options.Systems)
        {
            cancel.ThrowIfCancellationRequested();
            await RestLoadAsync(system, cancel);
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
                    await OutageAsync(system, Figure.HostCrashLowestTiming, () => Scenarios.HostCrashAsync(cluster), cancel);
                }
            }
        }
    }

    /// <summary>Everything at Patroni's lowest timing, with the same settings for both.</summary>
    private async Task EqualTimingAsync(SystemUnderTest system, bool first, CancellationToken cancel)
    {
        var footprint = first && options.Wants(Figure.MemoryMib, Figure.GuardRssMib, Figure.GuardPssMib, Figure.CpuPercent);
        var patroniLowest = system == SystemUnderTest.Patroni && options.Wants(Figure.HostCrashLowestTiming);
        if (!footprint && !patroniLowest
            && !options.Wants(Figure.WholeFromNothing, Figure.Switchover, Figure.PostmasterKilled, Figure.HostCrashTtl20, Figure.ListStartUp))
        {
            return;
        }

        await using var cluster = Create(system, Timing.PatroniLowest);
        if (!await AttemptAsync(system, Figure.WholeFromNothing, async () =>
            measurements.Add(system, Figure.WholeFromNothing, (await Scenarios.WholeFromNothingAsync(cluster)).TotalSeconds), cancel))
        {
            return;
        }

        if (footprint)
        {
            var idle = await Footprint.MeasureAsync(cluster, options.IdleDuration).WaitAsync(cancel);
            measurements.Add(system, Figure.MemoryMib, idle.PssMib, new() { ["processes"] = idle.Processes });
            measurements.Add(system, Figure.CpuPercent, idle.CpuPercentOfACore);
            if (idle.Guard is { } guard)
            {
                measurements.Add(system, Figure.GuardRssMib, guard.RssMib);
                measurements.Add(system, Figure.GuardPssMib, guard.PssMib);
            }
        }

        if (options.Wants(Figure.ListStartUp))
        {
            await AttemptAsync(system, Figure.ListStartUp, async () =>
                measurements.Add(system, Figure.ListStartUp, (await Scenarios.ListAsync(cluster)).TotalMilliseconds), cancel);
        }

        if (options.Wants(Figure.Switchover))
        {
            await OutageAsync(system, Figure.Switchover, () => Scenarios.SwitchoverAsync(cluster), cancel);
        }

        if (options.Wants(Figure.PostmasterKilled))
        {
            await OutageAsync(system, Figure.PostmasterKilled, () => Scenarios.PostmasterCrashAsync(cluster), cancel);
        }

        if (options.Wants(Figure.HostCrashTtl20) || patroniLowest)
        {
            // Patroni's lowest timing is this very one: the same measurement fills both rows.
            await OutageAsync(system, Figure.HostCrashTtl20, () => Scenarios.HostCrashAsync(cluster), cancel,
                patroniLowest ? Figure.HostCrashLowestTiming : null);
        }
    }

    private Task OutageAsync(SystemUnderTest system, Figure figure, Func<Task<Outage>> scenario, CancellationToken cancel, Figure? also = null) =>
        AttemptAsync(system, figure, async () =>
        {
            var outage = await scenario();
            measurements.Add(system, figure, outage);
            if (also is { } second)
            {
                measurements.Add(system, second, outage);
            }
        }, cancel);

    /// <summary>A repetition that fails is counted, and the run goes on with the next scenario.</summary>
    private async Task<bool> AttemptAsync(SystemUnderTest system, Figure figure, Func<Task> attempt, CancellationToken cancel)
    {
        try
        {
            await attempt().WaitAsync(cancel);
            return true;
        }
        catch (Exception e) when (e is InvalidOperationException or TimeoutException or IOException or HttpRequestException or Npgsql.NpgsqlException)
        {
            measurements.AddFailure(system, figure, e.Message);
            return false;
        }
    }

    /// <summary>The REST API of the leader of a quiet cluster under load; and, for ours, whether the HA loop keeps the shortest lease meanwhile.</summary>
    private async Task RestLoadAsync(SystemUnderTest system, CancellationToken cancel)
    {
        if (options.Wants(Figure.RestPrimary, Figure.RestPrimaryP99, Figure.RestStatus, Figure.RestCluster, Figure.RestMetrics))
        {
            await using var cluster = Create(system, Timing.PatroniLowest);
            cluster.Start();
            await AttemptAsync(system, Figure.RestPrimary, async () =>
            {
                var leader = await cluster.WaitHealthyAsync(TimeSpan.FromSeconds(120));
                var primary = await LoadAsync(system, Figure.RestPrimary, leader, "/primary");
                measurements.Add(system, Figure.RestPrimaryP99, primary.P99Ms);
                await LoadAsync(system, Figure.RestStatus, leader, "/patroni");
                await LoadAsync(system, Figure.RestCluster, leader, "/cluster");
                await LoadAsync(system, Figure.RestMetrics, leader, "/metrics");
            }, cancel);
        }

        if (system == SystemUnderTest.PatroniRaft && options.Wants(Figure.LeasesLostUnderLoad))
        {
            await using var cluster = Create(system, Timing.OursLowest);
            cluster.Start();
            await AttemptAsync(system, Figure.LeasesLostUnderLoad, async () =>
            {
                var outcome = await LeaseLoad.RunAsync(workplace, cluster, options.LeaseDuration);
                measurements.Add(system, Figure.LeasesLostUnderLoad, outcome.Lost, new() { ["seconds"] = options.LeaseDuration.TotalSeconds, ["requests_per_second"] = Math.Round(outcome.PerSecond) });
            }, cancel);
        }
    }

    private async Task<LoadResult> LoadAsync(SystemUnderTest system, Figure figure, NodeAddress node, string path)
    {
        var result = await HttpLoad.MeasureAsync(workplace, node, path, options.LoadDuration);
        measurements.Add(system, figure, result.PerSecond, new() { ["p99_ms"] = Math.Round(result.P99Ms, 3), ["failed"] = result.Failed });
        return result.Failed == 0 ? result : throw new InvalidOperationException($"{result.Failed} requests for {path} failed");
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
