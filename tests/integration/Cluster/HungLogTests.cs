using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>The log's target hangs: the node goes on, and tells what it could not write.</summary>
[Collection(OwnClusters.Name)]
public sealed class HungLogTests
{
    private const int QueueSize = 5;

    [Fact]
    public async Task A_log_that_hangs_holds_up_neither_the_primary_nor_the_end_of_its_agent()
    {
        await using var cluster = new TestCluster(new() { DataNodes = 1 });
        string directory = Path.Combine(cluster.Root, "log"), file = Path.Combine(directory, "patroni.log");
        Directory.CreateDirectory(directory);
        // A pipe that nobody reads: whoever opens it waits.
        Assert.Equal(0, (await Product.RunProgramAsync(cluster.Root, "mkfifo", [file])).ExitCode);
        cluster.Document["log"] = new JsonObject { ["dir"] = directory, ["max_queue_size"] = QueueSize };
        cluster.WriteFile();

        await cluster.RunAsync(async () =>
        {
            await cluster.FormAsync();
            TestNode primary = await cluster.PrimaryAsync();
            await Wait.UntilAsync("lost lines", async () => (await primary.GetAsync("/patroni")).Json is { } status
                && (int?)status["logger_queue_size"] == QueueSize && (long?)status["logger_records_lost"] > 0);
            Assert.Equal(200, (await primary.GetAsync("/primary")).Status);
            primary.SignalAgent(ProcessControl.SigTerm);
            Assert.Equal(0, await primary.AgentExitAsync());
            Assert.Empty(primary.PostgresProcesses);
        });
    }
}
