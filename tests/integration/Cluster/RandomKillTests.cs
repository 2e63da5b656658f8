using System.Globalization;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>
/// One bad day after the other, chosen by a seed. Commits wait for both standbys, because an asynchronous failover may lose rows by its nature.
/// BADDAYS_ROUNDS says how many (4), BADDAYS_SEED which.
/// </summary>
[Collection(OwnClusters.Name)]
public sealed class RandomKillTests
{
    private static readonly Func<TestNode, Task>[] Strokes =
    [
        node => { node.Crash(); return Task.CompletedTask; },
        node => { node.KillAgent(); return Task.CompletedTask; },
        node => { ProcessControl.Signal(node.PostmasterId(), ProcessControl.SigKill); return Task.CompletedTask; },
        node => { node.KillPostgres(); return Task.CompletedTask; },
        async node => { node.SignalAgent(ProcessControl.SigTerm); await node.AgentExitAsync(); },
    ];

    [Fact]
    public Task No_sequence_of_deaths_loses_a_row_or_branches_the_lineage() => TestCluster.RunAsync(new(), async cluster =>
    {
        int rounds = int.Parse(Environment.GetEnvironmentVariable("BADDAYS_ROUNDS") ?? "4", CultureInfo.InvariantCulture);
        int seed = int.Parse(Environment.GetEnvironmentVariable("BADDAYS_SEED") ?? "1", CultureInfo.InvariantCulture);
        var random = new Random(seed);
        var told = new List<string>();
        await cluster.MakeSynchronousAsync();
        await using Writer writer = await Writer.StartAsync(cluster);
        try
        {
            for (int round = 0; round < rounds; round++)
            {
                await writer.MoreAsync(10);
                // The primary as often as both others together.
                TestNode primary = await cluster.PrimaryAsync();
                TestNode node = random.Next(2) == 0 ? primary : cluster.Nodes[random.Next(cluster.Nodes.Count)];
                int stroke = random.Next(Strokes.Length);
                told.Add($"{stroke} on {node.Name}{(node == primary ? " (primary)" : "")}");
                await Strokes[stroke](node);
                node.Start();
                await cluster.WholeAsync();
            }
            await writer.MoreAsync(10);
            await cluster.VerifyAsync(writer);
        }
        catch (Exception e) when (e is not ScenarioFailedException)
        {
            throw new ScenarioFailedException($"seed {seed}: {string.Join(", ", told)}: {e.Message}", e);
        }
    });
}
