namespace Patroni.Raft.Simulation;

/// <summary>A deliberate break, made in the simulated agent or log and never in the product: the oracle must find it.</summary>
internal enum Mutation
{
    None,
    /// <summary>The deadline forgets the drift margin.</summary>
    NoDriftMargin,
    /// <summary>An expiry counts although the lease was renewed since the observation.</summary>
    ExpireWithoutIndexCheck,
    /// <summary>A restarted standby stands with its replay position before recovery read all of its WAL.</summary>
    StandWithUnknownEnd,
    /// <summary>The clock is captured when the renewal is seen accepted, not before it is proposed.</summary>
    CaptureAfterAccept,
    /// <summary>Processes without a postmaster are taken for an empty scan.</summary>
    OrphansUnseen,
    /// <summary>The guard is off and only the agent is killed: PostgreSQL goes on without anybody who fences it.</summary>
    AgentKilledWithoutGuard,
    /// <summary>A release is proposed while the instance still stops.</summary>
    ReleaseBeforeStopped,
}

/// <summary>The shape of one run; everything follows from the seed.</summary>
internal sealed record SimOptions
{
    public required ulong Seed { get; init; }
    public required int DataNodes { get; init; }
    public required bool Witness { get; init; }
    /// <summary>
    /// Whether a guard fences independently of the agent. Without it the fault "only the agent dies" is left out of the run, because PostgreSQL then
    /// outlives its lease by construction; the header of every failure says so.
    /// </summary>
    public required bool Guard { get; init; }
    /// <summary>Whether commits wait for synchronous standbys, with the set kept in the log.</summary>
    public required bool Synchronous { get; init; }
    /// <summary>Virtual time of the safety phase.</summary>
    public required long ChaosMs { get; init; }
    public required string BootstrapConfigJson { get; init; }
    public Mutation Mutation { get; init; }

    /// <summary>Virtual time within which a healed cluster must be whole again.</summary>
    public const long HealBoundMs = 180_000;

    private static readonly string[] Timings =
    [
        """{"ttl":3,"loop_wait":0.5,"retry_timeout":1,"primary_start_timeout":20}""",
        """{"ttl":5,"loop_wait":1,"retry_timeout":1,"primary_start_timeout":20}""",
        """{"ttl":10,"loop_wait":2,"retry_timeout":3,"primary_start_timeout":20}""",
        """{"ttl":4,"loop_wait":0.5,"retry_timeout":1,"primary_start_timeout":5,"maximum_lag_on_failover":8192}""",
    ];

    public static SimOptions Of(ulong seed, Mutation mutation = Mutation.None)
    {
        var rng = new Rng(seed ^ 0xA5A5_0000_5A5A);
        int shape = rng.Between(0, 9);
        return new()
        {
            Seed = seed,
            DataNodes = shape switch { < 5 => 3, < 7 => 5, 7 => 4, _ => 2 },
            Witness = shape >= 7,
            Guard = mutation != Mutation.AgentKilledWithoutGuard && rng.Chance(0.5),
            Synchronous = rng.Chance(0.25),
            ChaosMs = rng.Between(30_000, 70_000),
            BootstrapConfigJson = rng.Pick(Timings),
            Mutation = mutation,
        };
    }

    public override string ToString() =>
        $"{DataNodes} data nodes{(Witness ? " and a witness" : "")}, guard {(Guard ? "on" : "OFF (fault class 'only the agent dies' EXCLUDED)")}, "
        + $"{(Synchronous ? "synchronous" : "asynchronous")}, {BootstrapConfigJson}{(Mutation == Mutation.None ? "" : $", MUTATION {Mutation}")}";
}
