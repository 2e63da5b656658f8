using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>
/// Starts that hang or fail, hooks, and cloning anew, on one cluster whose servers hang at their start while a file says so. The parts of the story
/// build on each other, because forming a cluster takes longer than all of them.
/// </summary>
[Collection(OwnClusters.Name)]
public sealed class OperatorTests
{
    [Fact]
    public async Task A_leader_that_does_not_come_back_is_replaced_hooks_are_obeyed_and_a_clone_shows_its_progress()
    {
        await using var cluster = new TestCluster(ClusterOptions.Calm);
        string programs = MakeHangingServer(cluster.Root);
        JsonNode postgresql = cluster.Document["postgresql"]!;
        postgresql["bin_dir"] = programs;
        postgresql["basebackup"] = new JsonArray(new JsonObject { ["max-rate"] = "10M" });
        foreach (TestNode node in cluster.Nodes)
        {
            JsonNode section = cluster.Document["nodes"]![node.Name]!["postgresql"]!;
            section["pre_promote"] = $"test ! -e {Refuse(node)}";
            section["before_stop"] = $"echo stop >> {Stops(node)}; exit 7";
        }
        File.WriteAllText(cluster.File, cluster.Document.ToJsonString());
        await cluster.RunAsync(async () =>
        {
            await cluster.FormAsync();
            await RestartThatHangsAsync(cluster);
            await CrashWithoutPatienceAsync(cluster);
            await PromotionThatIsRefusedAsync(cluster);
            await CloneAnewAsync(cluster);
        });
    }

    /// <summary>The request's timeout counts, not the 300 seconds of primary_start_timeout; the answer does not claim success.</summary>
    private static async Task RestartThatHangsAsync(TestCluster cluster)
    {
        TestNode old = await cluster.PrimaryAsync();
        File.WriteAllText(Slow(old), "");
        ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, old.ApiUrl + "/restart", new JsonObject { ["timeout"] = 2 }, Wait.Seconds);
        Assert.Equal((503, "postgres is still starting"), (answer.Status, answer.Body));
        Assert.Equal("stop\n", File.ReadAllText(Stops(old)));
        await Wait.UntilAsync("another primary", async () => await cluster.PrimaryAsync() != old);
        File.Delete(Slow(old));
        await cluster.WholeAsync();
    }

    private static async Task CrashWithoutPatienceAsync(TestCluster cluster)
    {
        TestNode old = await cluster.PrimaryAsync();
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["primary_start_timeout"] = 0 })).Status);
        await Wait.UntilAsync("the setting on the primary", async () => (await old.GetAsync("/config")).Json?["primary_start_timeout"] is not null);
        ProcessControl.Signal(old.PostmasterId(), ProcessControl.SigKill);
        await Wait.UntilAsync("another primary", async () => await cluster.PrimaryAsync() != old);
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["primary_start_timeout"] = null })).Status);
        await cluster.WholeAsync();
    }

    /// <summary>A candidate whose pre_promote says no is not promoted, and leadership goes on to another.</summary>
    private static async Task PromotionThatIsRefusedAsync(TestCluster cluster)
    {
        TestNode old = await cluster.PrimaryAsync();
        TestNode candidate = await cluster.ReplicaAsync();
        File.WriteAllText(Refuse(candidate), "");
        ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, old.ApiUrl + "/switchover",
            new JsonObject { ["leader"] = old.Name, ["candidate"] = candidate.Name }, Wait.Seconds);
        Assert.NotEqual($"Successfully switched over to \"{candidate.Name}\"", answer.Body);
        Assert.NotSame(candidate, await cluster.PrimaryAsync());
        File.Delete(Refuse(candidate));
        await cluster.WholeAsync();
        Assert.NotSame(candidate, await cluster.PrimaryAsync());
    }

    private static async Task CloneAnewAsync(TestCluster cluster)
    {
        TestNode primary = await cluster.PrimaryAsync();
        TestNode replica = await cluster.ReplicaAsync();
        string before = await IncarnationAsync(cluster, replica);
        ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, replica.ApiUrl + "/reinitialize", new JsonObject { ["from_leader"] = true });
        Assert.Equal((200, "reinitialize started"), (answer.Status, answer.Body));
        ApiAnswer second = await Rest.SendAsync(HttpMethod.Post, replica.ApiUrl + "/reinitialize");
        Assert.Equal((503, "reinitialize already in progress"), (second.Status, second.Body));

        bool seen = false;
        await Wait.UntilAsync("the clone to show its progress, and to end", async () =>
        {
            JsonNode? member = ((JsonArray?)(await primary.GetAsync("/cluster")).Json?["members"])?.FirstOrDefault(row => (string?)row!["name"] == replica.Name);
            JsonNode? own = (await replica.GetAsync("/patroni")).Json;
            seen |= (string?)member?["state"] == "creating replica" && ((string?)member["raft"]?["job"])?.StartsWith($"cloning from {primary.Name}", StringComparison.Ordinal) == true
                && (string?)own?["state"] == "creating replica" && ((string?)own["raft"]?["job"])?.EndsWith(" %", StringComparison.Ordinal) == true;
            return seen && await replica.StreamsAsync();
        });
        Assert.NotEqual(before, await IncarnationAsync(cluster, replica));
        await cluster.WholeAsync();
    }

    private static async Task<string> IncarnationAsync(TestCluster cluster, TestNode node) =>
        (await cluster.StateAsync())["members"]![node.Name]!["report"]!["incarnation"]!.ToString();

    private static string Slow(TestNode node) => node.DataDirectory + ".slow";

    private static string Refuse(TestNode node) => node.DataDirectory + ".refuse";

    private static string Stops(TestNode node) => node.DataDirectory + ".stops";

    /// <summary>All programs of PostgreSQL, of which the server does not start in a directory while a file beside it says so.</summary>
    private static string MakeHangingServer(string root)
    {
        string programs = Path.Combine(root, "bin");
        Directory.CreateDirectory(programs);
        foreach (string file in Directory.EnumerateFiles(Product.PostgresBinaries))
            if (Path.GetFileName(file) != "postgres") File.CreateSymbolicLink(Path.Combine(programs, Path.GetFileName(file)), file);
        string server = Path.Combine(programs, "postgres");
        File.WriteAllText(server, $"""
            #!/bin/sh
            while [ "$1" = -D ] && [ -e "$2.slow" ]; do sleep 0.2; done
            exec {Product.PostgresBinaries}/postgres "$@"

            """);
        File.SetUnixFileMode(server, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return programs;
    }
}
