using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>Tests that make clusters of their own; one after the other, because two cores are few for real clusters.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class OwnClusters
{
    public const string Name = "clusters of their own";
}

/// <summary>Tests that share one cluster and leave it whole.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class SharedClusterCollection : ICollectionFixture<SharedCluster>
{
    public const string Name = "shared cluster";
}

/// <summary>A cluster with a long lease that tests share; one that a failed test left in pieces is replaced by a new one.</summary>
public sealed class SharedCluster : IAsyncLifetime
{
    private TestCluster? cluster;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (cluster is not null) await cluster.DisposeAsync();
    }

    /// <summary>Runs a scenario on the whole cluster.</summary>
    internal async Task RunAsync(Func<TestCluster, Task> scenario)
    {
        try
        {
            TestCluster shared = cluster ??= new(ClusterOptions.Calm);
            await shared.RunAsync(async () =>
            {
                await shared.FormAsync();
                await scenario(shared);
            });
        }
        catch
        {
            if (cluster is not null) await cluster.DisposeAsync();
            cluster = null;
            throw;
        }
    }
}
