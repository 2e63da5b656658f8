namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>What a test wants of its cluster.</summary>
internal sealed record ClusterOptions
{
    /// <summary>Data nodes of the first formation, node1...</summary>
    public int DataNodes { get; init; } = 3;

    /// <summary>Whether a witness is part of the first formation.</summary>
    public bool Witness { get; init; }

    /// <summary>Whether the Raft ports are reached through proxies, which a scenario can cut while everything else goes on.</summary>
    public bool RaftProxies { get; init; }

    /// <summary>Seconds of the lease. Short where a failover has to be waited for, long where nothing may fail over on a slow machine.</summary>
    public double Ttl { get; init; } = 5;

    public double LoopWait { get; init; } = 1;

    public double RetryTimeout { get; init; } = 1.5;

    /// <summary>Name of the cluster.</summary>
    public string Scope { get; init; } = TestCluster.Scope;

    /// <summary>The dynamic configuration of the bootstrap as JSON, in place of the usual one with the seconds above.</summary>
    public string? Dynamic { get; init; }

    /// <summary>A lease that outlives every hiccup of a loaded machine, for scenarios in which nothing may change hands.</summary>
    public static ClusterOptions Calm { get; } = new() { Ttl = 30, LoopWait = 2, RetryTimeout = 10 };
}
