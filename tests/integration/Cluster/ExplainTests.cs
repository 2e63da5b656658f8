using System.Diagnostics;
using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>A real failover told by <c>explain</c> and followed by <c>events -f</c>, and what they say without a quorum.</summary>
[Collection(OwnClusters.Name)]
public sealed class ExplainTests
{
    [Fact]
    public Task A_crash_of_the_primary_is_told_from_the_event_log_and_followed_over_the_death_of_the_node_asked() => TestCluster.RunAsync(new(), async cluster =>
    {
        TestNode old = await cluster.PrimaryAsync();
        string log = Path.Combine(cluster.Root, "events.log");
        // Connected to the node that will die.
        using Process follower = Product.StartLogged(cluster.Root, log, "events", "-f", "--since", "0", "--format", "json", "-d", old.ApiUrl);
        try
        {
            await Wait.UntilAsync("the follower to show the first events", () => Task.FromResult(Ids(log).Count > 5));
            old.Crash();
            await Wait.UntilAsync("another primary", async () => await cluster.PrimaryAsync() != old);
            TestNode next = await cluster.PrimaryAsync();
            old.Start();
            await cluster.WholeAsync();

            JsonNode story = await Wait.ForAsync("the story with the return of the former primary", async () =>
            {
                JsonNode told = await StoryAsync(cluster);
                return told["former"]?["unix_ms"] is not null && told["phases"]!["promoted_to_all_streaming_ms"] is not null ? told : null;
            });
            AssertStory(story, old, next);
            AssertText((await cluster.CommandAsync("explain")).Output, old, next);
            ProductResult byTimeline = await cluster.CommandAsync("explain", "--timeline", story["timeline"]!.ToString());
            Assert.StartsWith($"The last change of leadership: the lease of {old.Name} expired, and {next.Name} took over\n", byTimeline.Output, StringComparison.Ordinal);
            Assert.Contains("became the first leader of the new cluster", (await cluster.CommandAsync("explain", "2")).Output, StringComparison.Ordinal);

            JsonNode all = (await next.GetAsync("/events")).Json!;
            long last = (long)all["last_id"]!;
            await Wait.UntilAsync("the follower to have all events", () => Task.FromResult(Ids(log).LastOrDefault() >= last));
            Assert.Equal(Enumerable.Range(1, (int)last).Select(id => (long)id), Ids(log).Take((int)last));
        }
        finally
        {
            follower.Kill();
        }

        await NobodyLeadsWithoutQuorumAsync(cluster);
        await OneSurvivorGoesOnAloneAsync(cluster, cluster.Nodes[0]);
    });

    private static async Task NobodyLeadsWithoutQuorumAsync(TestCluster cluster)
    {
        TestNode survivor = cluster.Nodes[0];
        foreach (TestNode node in cluster.Nodes.Where(node => node != survivor)) node.Crash();
        await Wait.UntilAsync("explain to find no quorum", async () =>
        {
            ProductResult asked = await cluster.CommandAsync("explain", "-f", "json");
            return asked.ExitCode == 0 && (string?)JsonNode.Parse(asked.Output)!["now"]!["kind"] == "NoQuorum";
        });
        ProductResult told = await cluster.CommandAsync("explain");
        Assert.StartsWith("Now: the Raft group has no quorum: 1 of 3 voters answer and 2 are needed, so nothing can be decided", told.Output, StringComparison.Ordinal);
        Assert.Contains("force-new-cluster", told.Output, StringComparison.Ordinal);
        Assert.EndsWith("No quorum: 1 of 3 voters answer, 2 votes are needed. Nothing can be decided until 1 more is back.\n", (await cluster.CommandAsync("raft", "status")).Output, StringComparison.Ordinal);
    }

    private static async Task OneSurvivorGoesOnAloneAsync(TestCluster cluster, TestNode survivor)
    {
        survivor.Crash();
        string[] command = ["raft", "force-new-cluster", cluster.File, "--name", survivor.Name];
        ProductResult aborted = await Product.RunAsync(cluster.Root, command);
        Assert.Equal(1, aborted.ExitCode);
        Assert.StartsWith($"{survivor.RaftAddress} becomes the only voter of a new generation of the group: 1 voter, 1 vote is needed, no loss is tolerated.\n", aborted.Output, StringComparison.Ordinal);
        ProductResult forced = await Product.RunAsync(cluster.Root, [.. command, "--force"]);
        Assert.True(forced.ExitCode == 0, forced.Error);
        survivor.Start();
        await Wait.UntilAsync("the survivor to lead", () => survivor.IsPrimaryAsync());
        JsonNode status = JsonNode.Parse((await cluster.CommandAsync("raft", "status", "-f", "json")).Output)!;
        Assert.Equal((1, true, survivor.Name), ((int)status["voters"]!, (bool)status["quorum"]!, (string?)status["leader"]));
        Assert.Single((JsonArray)JsonNode.Parse((await cluster.CommandAsync("raft", "members", "-f", "json")).Output)!["members"]!);
        Assert.Contains("an operator forced a new group, generation 2", (await cluster.CommandAsync("events")).Output, StringComparison.Ordinal);
    }

    private static async Task<JsonNode> StoryAsync(TestCluster cluster)
    {
        ProductResult asked = await cluster.CommandAsync("explain", "-f", "json");
        Assert.True(asked.ExitCode == 0, asked.Error);
        JsonNode explanation = JsonNode.Parse(asked.Output)!;
        Assert.Equal("Led", (string?)explanation["now"]!["kind"]);
        return explanation["changes"]![0]!;
    }

    private static void AssertStory(JsonNode story, TestNode old, TestNode next)
    {
        Assert.Equal(("LeaseExpired", old.Name, next.Name), ((string?)story["cause"], (string?)story["from"], (string?)story["to"]));
        Assert.NotEqual(old.Name, (string?)story["noticed_by"]);
        Assert.Equal(2, (int)story["timeline"]!);
        Assert.True((bool)story["complete"]!);
        Assert.Equal("Answered", (string?)story["closed_by"]);
        JsonNode phases = story["phases"]!;
        foreach (string phase in new[] { "vacancy_to_first_stand_ms", "first_stand_to_elected_ms", "elected_to_promoted_ms", "promoted_to_checkpointed_ms", "promoted_to_all_streaming_ms" })
            Assert.True((long?)phases[phase] >= 0, $"{phase}: {phases[phase]}");
        // One host, one clock: the lease cannot have expired before its ttl.
        Assert.InRange((long)phases["last_renewal_to_vacancy_ms"]!, 5000, long.MaxValue);
        Assert.True((long)phases["without_primary_ms"]! >= (long)phases["last_renewal_to_vacancy_ms"]!);
        Assert.Contains((string?)story["loss"]!["kind"], new[] { "Possible", "Known" });
        Assert.Contains((string?)story["former"]!["fate"], new[] { "Rewound", "Rejoined" });
        Assert.Equal(old.Name, (string?)story["unanswered"]![0]);
        Assert.Single((JsonArray)story["followers"]!);
    }

    private static void AssertText(string text, TestNode old, TestNode next)
    {
        Assert.StartsWith($"Now: {next.Name} leads under epoch ", text, StringComparison.Ordinal);
        Assert.Contains($"\nThe last change of leadership: the lease of {old.Name} expired, and {next.Name} took over\n", text, StringComparison.Ordinal);
        foreach (string title in new[] { "What happened", "Who could lead", $"Why {next.Name}", "How long it took", "What could be lost", "The former leader", "The other members" })
            Assert.Contains($"\n{title}\n", text, StringComparison.Ordinal);
        Assert.Contains($"{old.Name} renewed its lease for the last time", text, StringComparison.Ordinal);
    }

    private static List<long> Ids(string log) => File.Exists(log)
        ? [.. File.ReadAllText(log).Split('\n')[..^1].Where(static line => line.StartsWith('{')).Select(static line => (long)JsonNode.Parse(line)!["id"]!)]
        : [];
}
