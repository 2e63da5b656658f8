using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>An agent that cannot work says so: exit code not 0, a message that names the key, nothing changed on disk.</summary>
[Collection(OwnClusters.Name)]
public sealed class StartRefusalTests
{
    [Theory]
    [InlineData("postgresql.bin_dir", "\"/nonexistent/bin\"")]
    [InlineData("postgresql.data_dri", "\"/tmp/x\"")]
    [InlineData("raft.self_addr", "7008")]
    [InlineData("restapi.listen", "[1, 2]")]
    [InlineData("bootstrap.dcs.ttl", "\"soon\"")]
    [InlineData("bootstrap.dcs.loop_wait", "-1")]
    [InlineData("postgresql.authentication.superuser.username", "{}")]
    [InlineData("surprise", "1")]
    public Task A_wrong_or_unknown_key_is_named(string key, string value) => RefusedAsync(key, section => Set(section, key, JsonNode.Parse(value)!));

    [Theory]
    [InlineData("restapi.listen")]
    [InlineData("raft.self_addr")]
    [InlineData("postgresql.listen")]
    public async Task A_port_in_use_is_named(string key)
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        await RefusedAsync(key, section => Set(section, key, $"127.0.0.1:{((IPEndPoint)other.LocalEndpoint).Port}"));
    }

    [Fact]
    public async Task A_port_in_use_by_somebody_else_keeps_PostgreSQL_from_starting_and_the_member_says_so()
    {
        await using var cluster = new TestCluster(new() { DataNodes = 1 });
        await cluster.RunAsync(async () =>
        {
            TestNode node = cluster.Nodes[0];
            await cluster.FormAsync();
            node.Crash();
            var other = new TcpListener(IPAddress.Loopback, node.PostgresPort);
            other.Start();
            node.Start();
            await Wait.UntilAsync("the member to report that PostgreSQL does not start", async () =>
                (string?)(await node.GetAsync("/patroni")).Json?["state"] == "start failed");
            other.Stop();
            await cluster.WholeAsync();
        });
    }

    [Fact]
    public async Task A_second_agent_of_the_same_node_is_refused_and_the_first_goes_on()
    {
        await using var cluster = new TestCluster(new() { DataNodes = 1 });
        await cluster.RunAsync(async () =>
        {
            await cluster.FormAsync();
            string epoch = await cluster.EpochAsync();
            ProductResult refused = await Product.RunAsync(cluster.Root, ["run", cluster.File, "--name", "node1"]);
            Assert.NotEqual(0, refused.ExitCode);
            Assert.NotEmpty(refused.Error);
            await cluster.WholeAsync();
            Assert.Equal(epoch, await cluster.EpochAsync());
        });
    }

    [Fact]
    public async Task A_node_with_the_name_of_another_is_refused_and_the_other_goes_on()
    {
        await using var cluster = new TestCluster(new() { DataNodes = 1 });
        await cluster.RunAsync(async () =>
        {
            await cluster.FormAsync();
            TestNode first = cluster.Nodes[0];
            string epoch = await cluster.EpochAsync();
            TestNode second = cluster.AddNode("node2", [first.ApiUrl]);
            // The same name from a file of its own.
            string file = Path.Combine(cluster.Root, "second.json");
            var section = (JsonObject)cluster.Document["nodes"]!["node2"]!.DeepClone();
            section["name"] = first.Name;
            JsonObject document = Merged(cluster.Document, section);
            await File.WriteAllTextAsync(file, document.ToJsonString());
            second.Start(file);
            await Wait.UntilAsync("the second node's API", async () => (await second.GetAsync("/liveness")).Status != 0);
            ProductResult added = await Product.RunAsync(cluster.Root, ["raft", "add", second.RaftAddress, "--force", "-c", cluster.File, "-d", first.ApiUrl]);
            Assert.True(added.ExitCode == 0, added.Error + added.Output);

            Assert.NotEqual(0, await second.AgentExitAsync());
            Assert.False(Directory.Exists(second.DataDirectory) && Directory.EnumerateFileSystemEntries(second.DataDirectory).Any());
            Assert.Equal(epoch, await cluster.EpochAsync());
        });
    }

    [Fact]
    public async Task A_node_with_another_raft_password_is_refused()
    {
        await using var cluster = new TestCluster(ClusterOptions.Calm);
        await cluster.RunAsync(async () =>
        {
            await cluster.FormAsync();
            TestNode replica = await cluster.ReplicaAsync();
            replica.Crash();
            JsonObject document = (JsonObject)cluster.Document.DeepClone();
            document["raft"]!["password"] = "another-password-and-long-enough";
            string file = Path.Combine(cluster.Root, "wrong.json");
            await File.WriteAllTextAsync(file, document.ToJsonString());
            ProductResult refused = await Product.RunAsync(cluster.Root, ["run", file, "--name", replica.Name]);
            Assert.NotEqual(0, refused.ExitCode);
            Assert.Contains("raft.password", refused.Error, StringComparison.Ordinal);
            replica.Start();
            await cluster.WholeAsync();
        });
    }

    /// <summary>Runs one node with a changed file and expects the refusal.</summary>
    private static async Task RefusedAsync(string key, Action<JsonObject> change)
    {
        await using var cluster = new TestCluster(new() { DataNodes = 1 });
        JsonObject document = Merged(cluster.Document, (JsonObject)cluster.Document["nodes"]!["node1"]!);
        document["name"] = "node1";
        change(document);
        string file = Path.Combine(cluster.Root, "one.json");
        await File.WriteAllTextAsync(file, document.ToJsonString());
        string[] before = [.. Directory.EnumerateFileSystemEntries(cluster.Root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

        ProductResult refused = await Product.RunAsync(cluster.Root, ["run", file]);

        Assert.NotEqual(0, refused.ExitCode);
        Assert.True(refused.Error.Contains(key, StringComparison.Ordinal), refused.Error);
        Assert.Equal(before, Directory.EnumerateFileSystemEntries(cluster.Root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));
    }

    private static JsonObject Merged(JsonObject cluster, JsonObject section)
    {
        var merged = (JsonObject)cluster.DeepClone();
        merged.Remove("nodes");
        Merge(merged, section);
        return merged;
    }

    private static void Merge(JsonObject target, JsonObject over)
    {
        foreach ((string key, JsonNode? value) in over)
        {
            if (value is JsonObject map && target[key] is JsonObject known) Merge(known, map);
            else target[key] = value?.DeepClone();
        }
    }

    private static void Set(JsonObject document, string path, JsonNode value)
    {
        string[] keys = path.Split('.');
        JsonObject at = document;
        foreach (string key in keys[..^1]) at = (JsonObject)(at[key] ??= new JsonObject());
        at[keys[^1]] = value;
    }
}
