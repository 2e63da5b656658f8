using Patroni.Raft.RaftDriver.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Raft;

/// <summary>Real processes over loopback. Finding numbers as in docs/raft-log.md.</summary>
public sealed class GroupTests
{
    private static readonly string[] Quick = ["--election", "300,600"];

    [Fact]
    public async Task Random_kills_and_stops_lose_duplicate_and_diverge_nothing()
    {
        var minutes = double.Parse(Environment.GetEnvironmentVariable("RAFT_SOAK_MINUTES") ?? "0.4", System.Globalization.CultureInfo.InvariantCulture);
        var seed = int.Parse(Environment.GetEnvironmentVariable("RAFT_SOAK_SEED") ?? "1");
        using var group = await DriverGroup.StartAsync(3, 0, Quick);
        var report = await new KillSoak(group, seed).RunAsync(TimeSpan.FromMinutes(minutes));
        Assert.True(report is { Lost: 0, Duplicated: 0, Divergent: 0, Acknowledged: > 100, Kills: > 0 }, $"seed {seed}: {report}");
    }

    [Fact]
    public async Task Findings_3_6_and_9_a_stopped_leader_with_queued_proposals_neither_blocks_the_others_nor_diverges_when_it_continues()
    {
        using var group = await DriverGroup.StartAsync(3, 0, Quick);
        for (ulong round = 1; round <= 3; round++)
        {
            var leader = await group.LeaderAsync();
            group[leader].Stop();
            var queued = Enumerable.Range(0, 50).Select(i => group[leader].AskAsync("p", $"{round} {i} 200 15000")).ToArray();
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var next = await group.LeaderAsync(except: leader);
            Assert.InRange(clock.Elapsed.TotalSeconds, 0, 10);
            Assert.StartsWith("ok", await group[next].AskAsync("p", $"{round} 1000 200 10000"), StringComparison.Ordinal);
            group[leader].Continue();
            var answers = await Task.WhenAll(queued);
            Assert.All(answers, answer => Assert.StartsWith("ok", answer, StringComparison.Ordinal));
            Assert.Equal(answers.Length, answers.Distinct().Count());
        }

        var states = await group.ConvergeAsync();
        Assert.Single(states.Select(state => state["hash"]).Distinct());
        Assert.All(states, state => Assert.Equal("153", state["count"]));
    }

    [Fact]
    public async Task Finding_9_a_proposal_repeated_with_its_id_is_applied_once_and_answered_alike_from_any_node()
    {
        using var group = await DriverGroup.StartAsync(3, 0, Quick);
        var first = await group[0].AskAsync("p", "5 5 100 10000");
        var hasty = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => group[i % 3].AskAsync("p", $"5 {100 + i} 100 1")));
        Assert.All(hasty, answer => Assert.True(answer.StartsWith("ok", StringComparison.Ordinal) || answer is "unknown" or "noleader", answer));
        var again = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => group[(i + 1) % 3].AskAsync("p", $"5 {100 + i} 100 10000")));
        var third = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => group[(i + 2) % 3].AskAsync("p", $"5 {100 + i} 100 10000")));
        Assert.Equal(again, third);
        Assert.Equal(first, await group[2].AskAsync("p", "5 5 100 10000"));
        Assert.All(await group.ConvergeAsync(), state => Assert.Equal("21", state["count"]));
    }

    [Fact]
    public async Task Finding_10_a_read_barrier_sees_what_was_acknowledged_and_fails_without_a_quorum()
    {
        using var group = await DriverGroup.StartAsync(3, 0, Quick);
        for (var i = 1; i <= 20; i++)
        {
            Assert.StartsWith("ok", await group[i % 3].AskAsync("p", $"1 {i} 100 10000"), StringComparison.Ordinal);
            Assert.Equal($"ok {i}", await group[(i + 1) % 3].AskAsync("b", "10000"));
        }

        var leader = await group.LeaderAsync();
        var others = group.Running.Where(node => node != leader).ToList();
        others.ForEach(node => group[node].Stop());
        Assert.Equal("noleader", await group[leader].AskAsync("b", "1500"));
        others.ForEach(node => group[node].Continue());
        Assert.Equal("ok 20", await group[others[0]].AskAsync("b", "20000"));
    }

    [Fact]
    public async Task A_deposed_leader_that_does_not_know_it_yet_answers_no_read()
    {
        using var group = await DriverGroup.StartAsync(3, 0, Quick);
        var leader = await group.LeaderAsync();
        group[leader].Stop();
        var reading = group[leader].AskAsync("b", "20000");
        var next = await group.LeaderAsync(except: leader);
        Assert.StartsWith("ok", await group[next].AskAsync("p", "1 1 100 10000"), StringComparison.Ordinal);
        group[leader].Continue();
        Assert.Equal("ok 1", await reading);
    }

    [Fact]
    public async Task Finding_7_a_follower_50_000_entries_behind_catches_up_by_snapshot_and_log()
    {
        using var group = await DriverGroup.StartAsync(3, 0, Quick);
        var leader = await group.LeaderAsync();
        var behind = (leader + 1) % 3;
        Assert.Equal("ok", await group[leader].AskAsync("fill", "7 200 100 16"));
        await group.ConvergeAsync();
        group.Kill(behind);
        Assert.Equal("ok", await group[leader].AskAsync("fill", "8 50000 150 128", TimeSpan.FromMinutes(2)));
        await group.RestartAsync(behind);
        var states = await group.ConvergeAsync();
        Assert.Equal(3, states.Count);
        Assert.Single(states.Select(state => state["hash"]).Distinct());
        Assert.All(states, state => Assert.Equal("50200", state["count"]));
        Assert.All(states, state => Assert.InRange(long.Parse(state["bytes"]), 1, 12 * 1024 * 1024));
    }

    [Fact]
    public async Task All_nodes_killed_at_once_ten_times_keep_every_acknowledged_proposal()
    {
        using var group = await DriverGroup.StartAsync(3, 0, Quick);
        for (var round = 1; round <= 10; round++)
        {
            Assert.StartsWith("ok", await group[round % 3].AskAsync("p", $"1 {round} 400 20000"), StringComparison.Ordinal);
            foreach (var node in group.Running.ToList())
            {
                group.Kill(node);
            }

            await Task.WhenAll(Enumerable.Range(0, 3).Select(group.RestartAsync));
            Assert.Equal($"ok {round}", await group[0].AskAsync("b", "20000"));
        }
    }

    [Fact]
    public async Task An_entry_that_cannot_be_applied_stops_the_node_instead_of_being_skipped()
    {
        using var group = await DriverGroup.StartAsync(1, 0, Quick);
        Assert.StartsWith("ok", await group[0].AskAsync("p", "1 1 100 10000"), StringComparison.Ordinal);
        _ = group[0].AskAsync("poison").ContinueWith(task => task.Exception, TaskScheduler.Default);
        Assert.Equal(3, await group[0].ExitCodeAsync(TimeSpan.FromSeconds(20)));
    }
}
