namespace Patroni.Raft.Simulation;

/// <summary>The shape of one run; everything follows from the seed.</summary>
internal sealed record SimOptions
{
    public required ulong Seed { get; init; }
    public required int DataNodes { get; init; }
    public required int Witnesses { get; init; }
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
    /// <summary>What the nemesis is after.</summary>
    public Plot Plot { get; init; }
    /// <summary>Whether the run writes down what happens.</summary>
    public bool Traced { get; init; }

    /// <summary>Whether the run breaks a rule of Apply itself, so that nodes that apply by themselves would differ from the log.</summary>
    public bool BreaksApply => Mutation is Mutation.TopologyNotEnforced or Mutation.LineageCheckOff or Mutation.UnboundedLeaseExpired;

    /// <summary>Virtual time within which a healed cluster must be whole again.</summary>
    public const long HealBoundMs = 180_000;

    /// <summary>How often something strikes between two steps; broken rules of elections need it more often.</summary>
    public required double MomentRate { get; init; }

    /// <summary>
    /// Whether people run a primary on the first node before any agent is started, and a standby of it on the second: the cluster begins by adopting them.
    /// </summary>
    public required bool Adopts { get; init; }

    /// <summary>Whether the Raft ports are cut again and again: broken rules of failsafe mode need it.</summary>
    public required bool RaftTrouble { get; init; }

    /// <summary>Whether the Raft group changes its leader after every few entries.</summary>
    public required bool LeaderChurn { get; init; }

    private const string FailsafeTimings = """{"ttl":4,"loop_wait":0.5,"retry_timeout":1,"primary_start_timeout":20,"failsafe_mode":true}""";

    private static readonly string[] ShortTimings =
    [
        """{"ttl":3,"loop_wait":0.5,"retry_timeout":1,"primary_start_timeout":20}""",
        """{"ttl":4,"loop_wait":0.5,"retry_timeout":1,"primary_start_timeout":5}""",
    ];

    private static readonly string[] Timings =
    [
        """{"ttl":3,"loop_wait":0.5,"retry_timeout":1,"primary_start_timeout":20,"failsafe_mode":true}""",
        """{"ttl":5,"loop_wait":1,"retry_timeout":1,"primary_start_timeout":20}""",
        """{"ttl":10,"loop_wait":2,"retry_timeout":3,"primary_start_timeout":20}""",
        """{"ttl":6,"loop_wait":1,"retry_timeout":1.5,"primary_start_timeout":20,"failsafe_mode":true}""",
        """{"ttl":4,"loop_wait":0.5,"retry_timeout":1,"primary_start_timeout":5,"maximum_lag_on_failover":8192}""",
    ];

    public static SimOptions Of(ulong seed, Mutation mutation = Mutation.None, Plot plot = Plot.None)
    {
        var rng = new Rng(seed ^ 0xA5A5_0000_5A5A);
        int shape = rng.Between(0, 9);
        bool failsafe = mutation is >= Mutation.PromiseNotKept and <= Mutation.CaptureAfterPromises;
        SimOptions options = new()
        {
            Seed = seed,
            DataNodes = shape switch { < 5 => 3, < 7 => 5, 7 => 4, _ => 2 },
            Witnesses = shape >= 7 ? 1 : 0,
            Guard = mutation is not (Mutation.AgentKilledWithoutGuard or Mutation.AgentStoppedWithoutGuard) && rng.Chance(0.6),
            Synchronous = rng.Chance(0.25),
            ChaosMs = rng.Between(30_000, 70_000),
            BootstrapConfigJson = failsafe ? FailsafeTimings : rng.Pick(Timings),
            RaftTrouble = failsafe || rng.Chance(0.15),
            MomentRate = mutation is Mutation.AdoptedWithoutDeadline ? 0.7 : mutation is >= Mutation.StandWithUnknownEnd and <= Mutation.RewindBeforeCheckpoint ? 0.2 : 0.06,
            LeaderChurn = rng.Chance(0.15),
            // Drawn apart: a world that adopts nothing is the one that its seed always was.
            Adopts = mutation == Mutation.AdoptedWithoutDeadline || (plot == Plot.None && new Rng(seed ^ 0xADA7).Chance(0.2)),
            Mutation = mutation,
            Plot = plot,
        };
        return plot switch
        {
            Plot.None => options,
            Plot.Promises => options with { DataNodes = rng.Between(2, 3), Witnesses = rng.Between(1, 2), BootstrapConfigJson = FailsafeTimings, RaftTrouble = false, Synchronous = false },
            Plot.Topologies => options with { DataNodes = rng.Between(3, 4), Witnesses = rng.Between(0, 1), BootstrapConfigJson = FailsafeTimings, RaftTrouble = false },
            // Who has no PostgreSQL keeps the quorum while both others are dead or cut off.
            Plot.LateStands => options with { DataNodes = 2, Witnesses = 3, BootstrapConfigJson = rng.Pick(ShortTimings), RaftTrouble = false, Synchronous = false },
            Plot.DeafReplicas => options with { DataNodes = 3, Witnesses = 2, BootstrapConfigJson = rng.Pick(ShortTimings), RaftTrouble = false, Synchronous = false },
            Plot.EarlyRejoins => options with { BootstrapConfigJson = rng.Pick(ShortTimings), RaftTrouble = false },
            // A group formed anew elects before it has counted as far as the lost one did.
            _ => options with { BootstrapConfigJson = rng.Pick(ShortTimings), Synchronous = false },
        };
    }

    public override string ToString() =>
        $"{DataNodes} data nodes{(Witnesses == 0 ? "" : Witnesses == 1 ? " and a witness" : $" and {Witnesses} witnesses")}, guard {(Guard ? "on" : "OFF (fault class 'only the agent dies or stops' EXCLUDED)")}, "
        + $"{(Synchronous ? "synchronous" : "asynchronous")}{(LeaderChurn ? ", churning Raft leaders" : "")}{(Adopts ? ", adopts a running primary" : "")}{(Plot == Plot.None ? "" : $", plot {Plot}")}, {BootstrapConfigJson}{(Mutation == Mutation.None ? "" : $", MUTATION {Mutation}")}";
}
