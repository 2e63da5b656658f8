using System.Globalization;
using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>
/// Power loss of the whole cluster, again and again. Replication stays asynchronous: nothing may be lost all the same, because every node
/// comes back with its disk, so that the election sees the primary that acknowledged.
/// </summary>
[Collection(OwnClusters.Name)]
public sealed class KillEverythingTests
{
    /// <summary>Three rounds, or as many as BADDAYS_KILL_ROUNDS says.</summary>
    private static int Rounds => int.Parse(Environment.GetEnvironmentVariable("BADDAYS_KILL_ROUNDS") ?? "3", CultureInfo.InvariantCulture);

    [Fact]
    public Task Every_acknowledged_row_and_patch_survives_kills_of_all_processes_of_all_nodes() => TestCluster.RunAsync(new() { Ttl = 10 }, async cluster =>
    {
        await using Writer writer = await Writer.StartAsync(cluster);
        await using Patcher patcher = new(cluster);
        for (int round = 0; round < Rounds; round++)
        {
            await writer.MoreAsync(20);
            await patcher.MoreAsync(2);
            foreach (TestNode node in cluster.Nodes) node.SignalAgent(ProcessControl.SigKill);
            foreach (TestNode node in cluster.Nodes) node.Crash();
            foreach (TestNode node in cluster.Nodes) node.Start();
            await cluster.WholeAsync();
        }
        await writer.MoreAsync(20);
        await patcher.MoreAsync(2);
        await patcher.StopAsync();
        await cluster.VerifyAsync(writer);
        foreach (TestNode node in cluster.Nodes)
        {
            await Wait.UntilAsync($"every acknowledged patch on {node.Name}", async () =>
                (await node.GetAsync("/config")).Json?["postgresql"]?["parameters"] is JsonObject parameters
                && patcher.Acknowledged.All(number => parameters[Patcher.Key(number)]?.ToString() == number.ToString(CultureInfo.InvariantCulture)));
        }
    });
}
