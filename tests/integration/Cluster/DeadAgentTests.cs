using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>
/// Only the agent of the primary dies, or hangs: its PostgreSQL must be gone before another node is promoted. What each server committed, and
/// when, is in the rows themselves; all processes share one clock here.
/// </summary>
[Collection(OwnClusters.Name)]
public sealed class DeadAgentTests(ITestOutputHelper output)
{
    [Fact]
    public Task No_acknowledged_row_is_lost_when_the_primarys_agent_is_killed_and_later_another_ones_hangs() => TestCluster.RunAsync(new(), async cluster =>
    {
        await cluster.MakeSynchronousAsync();
        await using Writer writer = await Writer.StartAsync(cluster);
        TestNode first = await cluster.PrimaryAsync();
        await first.SqlAsync("ALTER TABLE written ADD COLUMN server int DEFAULT current_setting('port')::int");
        await writer.MoreAsync(10);

        first.KillAgent();
        await TakenOverAsync(cluster, writer, first, () => first.Start());
        await cluster.WholeAsync();

        TestNode second = await cluster.PrimaryAsync();
        second.SignalAgent(ProcessControl.SigStop);
        await TakenOverAsync(cluster, writer, second, () => second.SignalAgent(ProcessControl.SigCont));
        await cluster.WholeAsync();
        await writer.MoreAsync(20);
        await cluster.VerifyAsync(writer);
    });

    private async Task TakenOverAsync(TestCluster cluster, Writer writer, TestNode old, Action revive)
    {
        var file = new LeaseFile(old.DataDirectory);
        HeldLease lease = file.Read() ?? throw new InvalidOperationException("the primary has left no lease");
        long wallOfBoot = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - BootClock.NowMs;
        await Wait.UntilAsync("PostgreSQL of the primary without an agent to be gone", () => old.PostgresProcesses.Count == 0);
        long gone = BootClock.NowMs;
        lease = file.Read() ?? lease;
        await Wait.UntilAsync("another primary", async () => (await cluster.WhereAsync(node => node.IsPrimaryAsync())) is [var one] && one != old);
        // Commits wait for two standbys: without the old primary there is only one.
        revive();
        await writer.MoreAsync(20);

        TestNode now = await cluster.PrimaryAsync();
        long last = await StampAsync(now, $"max(at) FILTER (WHERE server = {old.PostgresPort})") - wallOfBoot;
        long next = await StampAsync(now, $"min(at) FILTER (WHERE server = {now.PostgresPort} AND id > (SELECT max(id) FROM written WHERE server = {old.PostgresPort}))") - wallOfBoot;
        output.WriteLine($"deadline {lease.DeadlineMs}; last commit of {old.Name} {last - lease.DeadlineMs} ms, all gone seen {gone - lease.DeadlineMs} ms, first commit of {now.Name} {next - lease.DeadlineMs} ms after it");
        Assert.True(last <= lease.DeadlineMs, $"{old.Name} committed {last - lease.DeadlineMs} ms after its deadline");
        Assert.True(next > last, $"{now.Name} committed {last - next} ms before {old.Name} had ended");
        await ToldAsync(cluster, old, lease.Epoch.ToString());
    }

    /// <summary>What the guard did is history as soon as an agent lives beside it, once, and part of the story of this change.</summary>
    private async Task ToldAsync(TestCluster cluster, TestNode old, string epoch)
    {
        TestNode now = await cluster.PrimaryAsync();
        JsonNode[] told = await Wait.ForAsync("the report of the fence", async () =>
            (await now.GetAsync("/events")).Json?["events"]!.AsArray().Select(record => record!["event"]!)
                .Where(happened => (string?)happened["type"] == "guard_fenced" && (string?)happened["fence"]!["epoch"] == epoch).ToArray() is { Length: > 0 } found ? found : null);
        JsonNode fence = Assert.Single(told);
        Assert.Equal(old.Name, (string?)fence["node"]);
        Assert.True((int)fence["fence"]!["killed"]! > 1, fence.ToJsonString());
        ProductResult explained = await cluster.CommandAsync("explain", "1", "-f", "json");
        JsonNode story = JsonNode.Parse(explained.Output)!["changes"]![0]!;
        Assert.Equal(fence["fence"]!["at_unix_ms"]!.ToString(), story["fenced"]?["at_unix_ms"]?.ToString());
        output.WriteLine((await cluster.CommandAsync("explain", "1")).Output);
    }

    private static async Task<long> StampAsync(TestNode node, string aggregate) =>
        (long)(double)(await node.SqlAsync($"SELECT extract(epoch FROM {aggregate})::float8 * 1000 FROM written"))!;
}
