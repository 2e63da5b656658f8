using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cli;

/// <summary><c>remove</c> on a terminal: three confirmations, refused while somebody leads, and the nodes begin anew from their data.</summary>
[Collection(OwnClusters.Name)]
public sealed class RemoveTests
{
    private const string Scope = "badday";

    [Fact]
    public Task A_cluster_is_removed_after_its_leader_was_stopped_in_pause() => TestCluster.RunAsync(new ClusterOptions(), async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        await using (PseudoTerminal healthy = Start(cluster))
        {
            await ConfirmAsync(healthy);
            await healthy.AnswerAsync("This cluster currently is healthy. Please specify the leader name to continue: ", primary.Name);
            await healthy.ExpectAsync($"status code=409, ({primary.Name} holds the lease of the leader.");
            Assert.Equal(1, await healthy.EndAsync());
        }

        ProductResult paused = await cluster.CommandAsync("pause", "--wait");
        Assert.True(paused.ExitCode == 0, paused.Output + paused.Error);
        ProcessControl.Signal(primary.PostmasterId(), ProcessControl.SigInt);
        await Wait.UntilAsync("its agent knows that PostgreSQL stopped", async () => (string?)(await primary.GetAsync("/patroni")).Json?["state"] == "stopped");
        primary.SignalAgent(ProcessControl.SigTerm);
        Assert.Equal(0, await primary.AgentExitAsync());
        await Wait.UntilAsync("the end of the lease", async () => (string?)(await cluster.StateAsync())["leader"] is null);
        await using (PseudoTerminal vacant = Start(cluster))
        {
            await ConfirmAsync(vacant);
            Assert.Equal(0, await vacant.EndAsync());
        }

        Assert.Empty((JsonArray)(await cluster.StateAsync())["history"]!);
        primary.Start();
        await cluster.WholeAsync();
    });

    private static PseudoTerminal Start(TestCluster cluster) => PseudoTerminal.Start(cluster.Root,
        new Dictionary<string, string> { ["DCS_URL"] = string.Join(',', cluster.Nodes.Select(node => node.ApiUrl)) }, "remove", Scope);

    private static async Task ConfirmAsync(PseudoTerminal terminal)
    {
        await terminal.AnswerAsync("Please confirm the cluster name to remove: ", Scope);
        await terminal.AnswerAsync($"You are about to remove all information in DCS for {Scope}, please type: \"Yes I am aware\": ", "Yes I am aware");
    }
}
