using Npgsql;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>HAProxy from the distribution with the shipped packaging/haproxy.cfg in front of the cluster.</summary>
[Collection(ApiClusterCollection.Name)]
public sealed class HaproxyTests(ApiCluster api, ITestOutputHelper output)
{
    [Fact]
    public Task Writes_reach_the_primary_and_reads_the_replicas_through_a_switchover_and_a_failover() => api.RunAsync(async cluster =>
    {
        await api.ConfigureAsync("""{"ttl": 5, "loop_wait": 1, "retry_timeout": 1.5}""");
        TestNode first = await cluster.PrimaryAsync();
        await first.SqlAsync("CREATE TABLE routed (id bigint PRIMARY KEY)");
        await using Haproxy haproxy = await Haproxy.StartAsync(cluster);
        await using var load = new RoutedLoad(haproxy);
        try
        {
            await load.SettledAsync(first, [.. Others(cluster, first)]);

            TestNode second = Others(cluster, first).First();
            ApiAnswer moved = await Rest.SendAsync(HttpMethod.Post, $"{first.ApiUrl}/switchover", new System.Text.Json.Nodes.JsonObject { ["leader"] = first.Name, ["candidate"] = second.Name }, 60);
            Assert.Equal((200, $"Successfully switched over to \"{second.Name}\""), (moved.Status, moved.Body));
            long[] beforeTheSwitch = [.. load.AcknowledgedRows];
            await load.SettledAsync(second, [.. Others(cluster, second)]);
            await NothingLostAsync(second, beforeTheSwitch);

            second.Crash();
            TestNode third = await cluster.PrimaryAsync();
            await load.SettledAsync(third, [.. Others(cluster, third).Where(node => node != second)]);
            second.Start();
            await cluster.WholeAsync();
            await load.SettledAsync(third, [.. Others(cluster, third)]);
            Assert.True(load.LongestGap < TimeSpan.FromSeconds(60), $"no write was acknowledged for {load.LongestGap}\n{load.Describe()}");
            output.WriteLine($"longest gap between two acknowledged writes: {load.LongestGap}");
        }
        catch (Exception e)
        {
            throw new ScenarioFailedException($"{e.Message}\nwhat the clients saw:\n{load.Describe()}", e);
        }
    });

    private static IEnumerable<TestNode> Others(TestCluster cluster, TestNode primary) => cluster.DataNodes.Where(node => node != primary);

    /// <summary>A switchover loses nothing that was acknowledged before it.</summary>
    private static async Task NothingLostAsync(TestNode primary, long[] rows)
    {
        await using var connection = new NpgsqlConnection(primary.ConnectionString());
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("SELECT count(*) FROM unnest($1) AS id WHERE id NOT IN (SELECT id FROM routed)", connection) { Parameters = { new() { Value = rows } } };
        Assert.Equal(0L, await command.ExecuteScalarAsync());
    }
}
