using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>
/// The agent of a replica stands still, and its PostgreSQL streams on. A switchover fails, the primary is elected and promoted again, and is gone before the log hears
/// of it; another is promoted at the same position, to the same timeline number with the same history. PostgreSQL and pg_rewind see no difference.
/// </summary>
[Collection(OwnClusters.Name)]
public sealed class DeafReplicaTests
{
    [Fact]
    public async Task A_replica_that_received_a_promotion_of_which_the_log_does_not_know_is_cloned_anew()
    {
        await using var cluster = new TestCluster(new() { Witness = true });
        // With both agents that stand still there is a quorum.
        cluster.AddNode("witness2", null, witness: true);
        foreach (TestNode node in cluster.DataNodes)
        {
            JsonNode section = cluster.Document["nodes"]![node.Name]!["postgresql"]!;
            section["pre_promote"] = $"test ! -e {File(node, "refuses")}";
            section["recovery_conf"] = new JsonObject
            {
                ["recovery_end_command"] = $"touch {File(node, "is-promoted")}; while test -e {File(node, "holds")}; do sleep 0.05; done",
            };
        }
        cluster.WriteFile();
        await cluster.RunAsync(async () =>
        {
            await cluster.FormAsync();
            await StoryAsync(cluster);
        });
    }

    private static async Task StoryAsync(TestCluster cluster)
    {
        TestNode old = await cluster.PrimaryAsync();
        TestNode[] replicas = [.. cluster.DataNodes.Where(node => node != old)];
        TestNode next = replicas[0], deaf = replicas[1];
        await old.SqlAsync("CREATE TABLE told (by text)");
        await cluster.CaughtUpAsync();
        string life = Incarnation(deaf);
        Assert.Contains($"epoch {await cluster.EpochAsync()}\n", Mark(deaf), StringComparison.Ordinal);

        deaf.SignalAgent(ProcessControl.SigStop);
        Put(next, "refuses");
        Put(old, "holds");
        Task<ProductResult> switchover = cluster.CommandAsync("switchover", "--leader", old.Name, "--candidate", next.Name, "--force");
        await Wait.UntilAsync("the former primary to be elected and promoted again", () => System.IO.File.Exists(File(old, "is-promoted")));
        old.SignalAgent(ProcessControl.SigStop);
        System.IO.File.Delete(File(old, "holds"));
        System.IO.File.Delete(File(next, "refuses"));
        await Wait.UntilAsync("its new timeline on the replica", () => DataDirectory.NewestWal(deaf.DataDirectory) == new TimelineId(2));
        await Wait.UntilAsync("the guard to end it", () => old.PostgresProcesses.Count == 0);
        old.Crash();
        Directory.Delete(old.DataDirectory, recursive: true);
        old.Start();
        await switchover;

        await Wait.UntilAsync($"{next.Name} to be primary", () => next.IsPrimaryAsync());
        await next.SqlAsync("INSERT INTO told VALUES ('the recorded primary')");
        deaf.SignalAgent(ProcessControl.SigCont);
        await cluster.WholeAsync();
        Assert.NotEqual(life, Incarnation(deaf));
        Assert.Contains($"epoch {await cluster.EpochAsync()}\n", Mark(deaf), StringComparison.Ordinal);
        await cluster.CaughtUpAsync();
        Assert.Equal("the recorded primary", await deaf.SqlAsync("SELECT string_agg(by, ',') FROM told"));
    }

    private static string File(TestNode node, string what) => $"{node.Directory}.{what}";
    private static void Put(TestNode node, string what) => System.IO.File.WriteAllText(File(node, what), "");
    private static string Mark(TestNode node) => System.IO.File.ReadAllText(Path.Combine(node.DataDirectory, FollowingFile.FileName));
    private static string Incarnation(TestNode node) => System.IO.File.ReadAllText(Path.Combine(node.DataDirectory, DataIncarnation.FileName));
}
