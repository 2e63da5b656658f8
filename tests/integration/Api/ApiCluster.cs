using System.Text.Json;
using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>
/// One three-node cluster for all tests of the REST API, formed with the recorded cluster's configuration. The recordings are replayed first, while it
/// is as new as the recorded one was; every test leaves it whole.
/// </summary>
public sealed class ApiCluster : IAsyncLifetime
{
    /// <summary>The recorded cluster's dynamic configuration.</summary>
    public const string RecordedConfig =
        """{"loop_wait": 1, "postgresql": {"parameters": {"max_connections": 50, "shared_buffers": "32MB", "wal_keep_size": "128MB"}, "use_pg_rewind": true}, "retry_timeout": 3, "synchronous_mode": false, "ttl": 20}""";

    internal TestCluster Cluster { get; private set; } = null!;

    /// <summary>What differed from the recordings.</summary>
    internal ContractReplay Contract { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Cluster = new(ClusterOptions.Calm with { Dynamic = RecordedConfig });
        await Cluster.RunAsync(async () =>
        {
            await Cluster.FormAsync();
            Contract = await ContractReplay.RunAsync(Cluster);
        });
    }

    public async Task DisposeAsync() => await Cluster.DisposeAsync();

    /// <summary>Runs a scenario on the whole cluster and leaves it whole.</summary>
    internal Task RunAsync(Func<TestCluster, Task> scenario) => Cluster.RunAsync(async () =>
    {
        foreach (TestNode node in Cluster.Nodes) node.Start();
        await Cluster.WholeAsync();
        await scenario(Cluster);
        await Cluster.WholeAsync();
    });

    /// <summary>Changes the dynamic configuration and waits until every node has it.</summary>
    internal async Task ConfigureAsync(string patch)
    {
        ApiAnswer answer = await Cluster.PatchConfigAsync(JsonNode.Parse(patch)!);
        Assert.True(answer.Status == 200, answer.Body);
        foreach (TestNode node in Cluster.Nodes)
            await Wait.UntilAsync($"{node.Name} to have the configuration", async () => (await node.GetAsync("/config")).Body == answer.Body);
    }

    /// <summary>A field of a node's status document.</summary>
    internal static async Task<JsonElement> StatusAsync(TestNode node)
    {
        ApiAnswer answer = await node.GetAsync("/patroni");
        Assert.Equal(200, answer.Status);
        return JsonDocument.Parse(answer.Body).RootElement;
    }
}

/// <summary>The tests that share <see cref="ApiCluster"/>.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ApiClusterCollection : ICollectionFixture<ApiCluster>
{
    public const string Name = "cluster of the API";
}
