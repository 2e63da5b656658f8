namespace Patroni.Raft.ChaosTests.Nemesis;

/// <summary>Faults one after the other, all of them decided by a seed before the first strikes.</summary>
internal static class Schedule
{
    // Weights: what only the agent or the network suffers is where two primaries could come from.
    private static readonly (FaultKind Kind, int Weight)[] Kinds =
    [
        (FaultKind.KillAgent, 4), (FaultKind.KillGuard, 2), (FaultKind.KillNode, 4), (FaultKind.KillPostmaster, 2), (FaultKind.StopAgent, 4),
        (FaultKind.FreezeNode, 3), (FaultKind.RestartAgent, 2), (FaultKind.Isolate, 4), (FaultKind.Deaf, 2), (FaultKind.Mute, 2), (FaultKind.Ring, 2),
        (FaultKind.Halves, 1), (FaultKind.SlowLink, 2), (FaultKind.LossyLink, 2), (FaultKind.FullData, 2), (FaultKind.FullRaft, 2),
    ];

    /// <summary>A schedule that lasts about as long as asked.</summary>
    /// <param name="seed">Decides everything.</param>
    /// <param name="total">When no further fault begins.</param>
    /// <param name="ttl">Faults last from a quarter of it to twice as long: from unnoticed to a failover with time to spare.</param>
    /// <param name="nodes">Nodes of the cluster.</param>
    public static IReadOnlyList<Fault> Make(int seed, TimeSpan total, TimeSpan ttl, int nodes)
    {
        var random = new Random(seed);
        List<Fault> faults = [];
        TimeSpan at = TimeSpan.Zero;
        int weights = Kinds.Sum(kind => kind.Weight);
        while (at < total)
        {
            int drawn = random.Next(weights);
            FaultKind kind = Kinds.First(candidate => (drawn -= candidate.Weight) < 0).Kind;
            Target target = random.Next(10) switch { < 6 => Target.Primary, < 8 => Target.RaftLeader, _ => Target.Node };
            TimeSpan pause = ttl * (0.2 + 0.8 * random.NextDouble());
            TimeSpan length = ttl * (0.25 + 1.75 * random.NextDouble());
            faults.Add(new(pause, kind, target, 1 + random.Next(nodes), length));
            at += pause + length;
        }
        return faults;
    }
}
