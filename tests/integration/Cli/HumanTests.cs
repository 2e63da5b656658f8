using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cli;

/// <summary>The command line on a terminal: questions and answers, colors, live views and progress.</summary>
[Collection(SharedClusterCollection.Name)]
public sealed class HumanTests(SharedCluster shared)
{
    private const string Scope = "badday";

    private static PseudoTerminal Start(TestCluster cluster, params string[] arguments) => Start(cluster, null, arguments);

    private static PseudoTerminal Start(TestCluster cluster, IReadOnlyDictionary<string, string>? environment, params string[] arguments) =>
        PseudoTerminal.Start(cluster.Root, new Dictionary<string, string>(environment ?? new Dictionary<string, string>())
        {
            ["DCS_URL"] = string.Join(',', cluster.Nodes.Select(node => node.ApiUrl)),
        }, arguments);

    [Fact]
    public Task Switchover_asks_everything_in_patronictls_order() => shared.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync(), target = await cluster.ReplicaAsync();
        string candidates = string.Join(", ", cluster.DataNodes.Where(node => node != primary).Select(node => $"'{node.Name}'"));
        await using PseudoTerminal terminal = Start(cluster, "switchover");
        await terminal.ExpectAsync("Current cluster topology\n+ Cluster: badday (");
        await terminal.AnswerAsync($"Primary [{primary.Name}]: ", "");
        await terminal.AnswerAsync($"Candidate [{candidates}] []: ", target.Name);
        await terminal.AnswerAsync("When should the switchover take place (e.g. ", "");
        await terminal.AnswerAsync($"Are you sure you want to switchover cluster {Scope}, demoting current leader {primary.Name}? [y/N]: ", "maybe");
        await terminal.ExpectAsync("Error: invalid input");
        await terminal.AnswerAsync("[y/N]: ", "y");
        await terminal.ExpectAsync($"Successfully switched over to \"{target.Name}\"\n+ Cluster: badday (");
        Assert.Equal(0, await terminal.EndAsync());
        Assert.Contains("\u001b[1mLeader", terminal.Raw);
        await cluster.WholeAsync();
        Assert.Equal(target, await cluster.PrimaryAsync());
    });

    [Fact]
    public Task No_answer_changes_nothing() => shared.RunAsync(async cluster =>
    {
        string epoch = await cluster.EpochAsync();
        await using (PseudoTerminal refused = Start(cluster, "restart", Scope, "-r", "replica"))
        {
            await refused.AnswerAsync("When should the restart take place (e.g. ", "");
            await refused.AnswerAsync("Are you sure you want to restart members node", "");
            await refused.ExpectAsync("Error: Aborted restart");
            Assert.Equal(1, await refused.EndAsync());
        }
        await using (PseudoTerminal ended = Start(cluster, "failover"))
        {
            await ended.ExpectAsync("Candidate [");
            await ended.TypeAsync("\u0004"); // Ctrl-D
            await ended.ExpectAsync("Aborted!");
            Assert.Equal(1, await ended.EndAsync());
        }
        await using PseudoTerminal interrupted = Start(cluster, "switchover");
        await interrupted.ExpectAsync("Primary [");
        await interrupted.TypeAsync("\u0003"); // Ctrl-C
        await interrupted.ExpectAsync("Aborted!");
        Assert.Equal(1, await interrupted.EndAsync());
        Assert.Equal(epoch, await cluster.EpochAsync());
    });

    [Fact]
    public Task The_editor_a_colored_diff_and_somebody_who_was_quicker() => shared.RunAsync(async cluster =>
    {
        string editor = Path.Combine(cluster.Root, "editor.sh");
        File.WriteAllText(editor, "#!/bin/sh\nsed -i 's/^maximum_lag_on_failover:.*/maximum_lag_on_failover: 99000000/' \"$1\"\n");
        File.SetUnixFileMode(editor, (UnixFileMode)0b111_101_101);
        await using (PseudoTerminal terminal = Start(cluster, new Dictionary<string, string> { ["EDITOR"] = editor }, "edit-config"))
        {
            await terminal.ExpectAsync("+maximum_lag_on_failover: 99000000");
            await terminal.AnswerAsync("Apply these changes? [y/N]: ", "y");
            await terminal.ExpectAsync("Configuration changed");
            Assert.Equal(0, await terminal.EndAsync());
            Assert.Contains("\u001b[32m+maximum_lag_on_failover: 99000000", terminal.Raw);
        }
        await using (PseudoTerminal slow = Start(cluster, new Dictionary<string, string> { ["NO_COLOR"] = "1" }, "edit-config", "-s", "maximum_lag_on_failover=98000000"))
        {
            await slow.ExpectAsync("Apply these changes? [y/N]: ");
            Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["maximum_lag_on_failover"] = 104857600 })).Status);
            await slow.TypeAsync("y\n");
            await slow.ExpectAsync("Error: Config modification aborted due to concurrent changes");
            Assert.Equal(1, await slow.EndAsync());
            Assert.DoesNotContain("\u001b[3", slow.Raw);
        }
    });

    [Fact]
    public Task A_watched_list_is_drawn_over_itself() => shared.RunAsync(async cluster =>
    {
        await using PseudoTerminal terminal = Start(cluster, "list", "-w", "0.2");
        for (int i = 0; i < 3; i++) await terminal.ExpectAsync("+ Cluster: badday (");
        await terminal.TypeAsync("\u0003");
        await terminal.EndAsync();
        Assert.Contains("\u001b[2J\u001b[1;1H+ Cluster", terminal.Raw);
        Assert.True(terminal.Raw.Split("\u001b[H+ ").Length > 2, terminal.Raw);
    });

    [Fact]
    public Task Reinit_asks_whom_and_shows_its_progress() => shared.RunAsync(async cluster =>
    {
        TestNode replica = await cluster.ReplicaAsync();
        // A small cluster is copied within one look at its progress.
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["postgresql"] = new JsonObject { ["basebackup"] = new JsonObject { ["max-rate"] = "8M" } } })).Status);
        await using PseudoTerminal terminal = Start(cluster, "reinit", Scope, "--wait");
        await terminal.AnswerAsync("Which member do you want to reinitialize [", replica.Name);
        await terminal.AnswerAsync($"Are you sure you want to reinitialize members {replica.Name}? [y/N]: ", "y");
        await terminal.ExpectAsync($"Success: reinitialize for member {replica.Name}");
        await terminal.ExpectAsync($"Waiting for reinitialize to complete on: {replica.Name}");
        await terminal.ExpectAsync($"{replica.Name}: cloning from node"); // The bar.
        await terminal.ExpectAsync($"Reinitialize is completed on: {replica.Name}");
        Assert.Equal(0, await terminal.EndAsync());
        Assert.EndsWith("\u001b[?25h", terminal.Raw[..(terminal.Raw.LastIndexOf("\u001b[?25h", StringComparison.Ordinal) + 6)]); // The cursor is back.
        Assert.Equal(200, (await cluster.PatchConfigAsync(new JsonObject { ["postgresql"] = new JsonObject { ["basebackup"] = null } })).Status);
    });

    [Fact]
    public Task A_password_is_asked_for_and_not_shown() => shared.RunAsync(async cluster =>
    {
        await using PseudoTerminal terminal = Start(cluster, "query", "-U", "postgres", "-d", "postgres", "--password", "-c", "SELECT 42 AS answer");
        await terminal.AnswerAsync("Password: ", TestCluster.SuperuserPassword);
        await terminal.ExpectAsync("answer\n42\n");
        Assert.Equal(0, await terminal.EndAsync());
        Assert.DoesNotContain(TestCluster.SuperuserPassword, terminal.Raw);
    });
}
