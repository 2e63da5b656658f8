using Patroni.Raft.RaftDriver.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Raft;

/// <summary>Forming, joining, leaving, losing a directory, and the way out of a lost quorum.</summary>
public sealed class MembershipTests
{
    private static readonly string[] Quick = ["--election", "300,600"];

    [Fact]
    public async Task A_group_begins_only_when_all_initial_members_are_there()
    {
        using var group = new DriverGroup(3, 0, Quick);
        group.Start(0);
        group.Start(1);
        await Task.WhenAny(group[0].Started, group[1].Started, Task.Delay(TimeSpan.FromSeconds(2)));
        Assert.False(group[0].Started.IsCompleted);
        Assert.False(group[1].Started.IsCompleted);
        Assert.Empty(Directory.GetFiles(group.DataOf(0), "log-*"));

        // Killed while it waits, it comes back as the same node.
        group.Kill(1);
        group.Start(1);
        group.Start(2);
        await Task.WhenAll(Enumerable.Range(0, 3).Select(group.ExpectStartedAsync));
        var leader = await group.LeaderAsync();
        Assert.StartsWith("ok", await group[leader].AskAsync("p", "1 1 100 10000"), StringComparison.Ordinal);
        var states = await group.ConvergeAsync();
        Assert.Single(states.Select(state => state["cluster"]).Distinct());
        Assert.All(states, state => Assert.Equal("1", state["generation"]));
    }

    [Fact]
    public async Task Findings_5_13_and_14_a_node_joins_votes_leads_and_is_removed_and_learns_it()
    {
        using var group = await DriverGroup.StartAsync(3, spare: 1, extra: Quick);
        var leader = await group.LeaderAsync();
        Assert.Equal("ok", await group[leader].AskAsync("fill", "1 3000 200 32"));
        group.Start(3, "--join", "yes");
        await group.ExpectStartedAsync(3);
        var address = group.Addresses[3];
        await AddAsync(group[leader], address);
        Assert.Contains("AlreadyMember", await group[leader].AskAsync("add", address), StringComparison.Ordinal);
        Assert.Contains("NotLeader", await group[(leader + 1) % 3].AskAsync("add", address), StringComparison.Ordinal);
        Assert.Equal("True", await group[leader].AskAsync("transfer", address, TimeSpan.FromMinutes(2)));
        Assert.Equal(3, await group.LeaderAsync());
        Assert.StartsWith("ok", await group[0].AskAsync("p", "2 1 100 10000"), StringComparison.Ordinal);

        // Membership survives a restart of everybody, and never reached the state machine.
        foreach (var node in group.Running.ToList())
        {
            group.Kill(node);
        }

        await Task.WhenAll(Enumerable.Range(0, 4).Select(group.RestartAsync));
        await group.LeaderAsync();
        var states = await group.ConvergeAsync();
        Assert.All(states, state => Assert.Equal(4, state["members"].Split(',').Length));
        Assert.All(states, state => Assert.Equal("3001", state["count"]));

        leader = await group.LeaderAsync();
        var removed = (leader + 1) % 4;
        Assert.Contains("IsLeader", await group[leader].AskAsync("remove", group.Addresses[leader]), StringComparison.Ordinal);
        Assert.Contains("Done", await group[leader].AskAsync("remove", group.Addresses[removed]), StringComparison.Ordinal);
        Assert.Contains("NotMember", await group[leader].AskAsync("remove", group.Addresses[removed]), StringComparison.Ordinal);
        await DriverGroup.EventuallyAsync(
            async () => (await group[removed].StatusAsync())["removed"] == "True", "the removed node's knowledge of it", TimeSpan.FromSeconds(30));
        Assert.Equal("False", (await group[removed].StatusAsync())["member"]);
        Assert.StartsWith("ok", await group[leader].AskAsync("p", "2 2 100 10000"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_member_that_lost_its_directory_is_refused_until_it_was_removed_and_joins()
    {
        using var group = await DriverGroup.StartAsync(3, 0, Quick);
        var leader = await group.LeaderAsync();
        var lost = (leader + 1) % 3;
        Assert.StartsWith("ok", await group[leader].AskAsync("p", "1 1 100 10000"), StringComparison.Ordinal);
        group.Kill(lost);
        Directory.Delete(group.DataOf(lost), true);
        Assert.StartsWith("refused DirectoryLost", await group.Start(lost).Started.WaitAsync(TimeSpan.FromSeconds(30)), StringComparison.Ordinal);

        // Started to join without having been removed, it is not let in as the voter that it was.
        Directory.Delete(group.DataOf(lost), true);
        group.Start(lost, "--join", "yes");
        await group.ExpectStartedAsync(lost);
        leader = await group.LeaderAsync();
        Assert.StartsWith("ok", await group[leader].AskAsync("p", "1 2 100 10000"), StringComparison.Ordinal);
        Assert.Contains("AlreadyMember", await group[leader].AskAsync("add", group.Addresses[lost]), StringComparison.Ordinal);
        Assert.Equal("0", (await group[lost].StatusAsync())["last"]);

        Assert.Contains("Done", await group[leader].AskAsync("remove", group.Addresses[lost]), StringComparison.Ordinal);
        await AddAsync(group[leader], group.Addresses[lost]);
        var states = await group.ConvergeAsync();
        Assert.Single(states.Select(state => state["hash"]).Distinct());
    }

    [Fact]
    public async Task A_missing_log_and_a_damaged_log_are_refused_and_so_is_a_second_process()
    {
        using var group = await DriverGroup.StartAsync(3, 0, Quick);
        Assert.StartsWith("ok", await group[0].AskAsync("p", "1 1 100 10000"), StringComparison.Ordinal);
        using (var second = DriverProcess.Start("--self", group.Addresses[0], "--members", string.Join(',', group.Initial), "--data", group.DataOf(0)))
        {
            Assert.StartsWith("refused DirectoryInUse", await second.Started.WaitAsync(TimeSpan.FromSeconds(30)), StringComparison.Ordinal);
        }

        var elsewhere = Directory.CreateTempSubdirectory("raft-second").FullName;
        using (var second = DriverProcess.Start("--self", group.Addresses[0], "--members", string.Join(',', group.Initial), "--data", elsewhere))
        {
            Assert.StartsWith("refused AddressInUse", await second.Started.WaitAsync(TimeSpan.FromSeconds(30)), StringComparison.Ordinal);
        }

        Directory.Delete(elsewhere, true);
        group.Kill(1);
        var log = Directory.GetFiles(group.DataOf(1), "log-*").Single();
        var bytes = await File.ReadAllBytesAsync(log);
        bytes[300] ^= 1;
        await File.WriteAllBytesAsync(log, bytes);
        Assert.StartsWith("refused LogDamaged", await group.Start(1).Started.WaitAsync(TimeSpan.FromSeconds(30)), StringComparison.Ordinal);
        File.Delete(log);
        Assert.StartsWith("refused LogDamaged", await group.Start(1).Started.WaitAsync(TimeSpan.FromSeconds(30)), StringComparison.Ordinal);
        Assert.False(File.Exists(log));
    }

    [Fact]
    public async Task Another_password_keeps_a_node_out_and_the_right_one_lets_it_in()
    {
        using var group = new DriverGroup(3, 0, Quick);
        group.Start(0, "--password", "correct horse battery");
        group.Start(1, "--password", "correct horse battery");
        group.Start(2, "--password", "wrong horse battery");
        // Whom every other member takes for a stranger is the one that is wrong; the others go on waiting for it.
        Assert.StartsWith("refused Configuration", await group[2].Started.WaitAsync(TimeSpan.FromSeconds(60)), StringComparison.Ordinal);
        Assert.False(group[0].Started.IsCompleted);
        Assert.False(group[1].Started.IsCompleted);
        group.Kill(2);
        group.Start(2, "--password", "correct horse battery");
        await group.ExpectStartedAsync(0);
        await group.ExpectStartedAsync(1);
        await group.ExpectStartedAsync(2);
        await group.LeaderAsync();
        Assert.StartsWith("ok", await group[0].AskAsync("p", "1 1 100 10000"), StringComparison.Ordinal);
        Assert.StartsWith("ok", await group[1].AskAsync("p", "1 2 100 10000"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Force_new_cluster_continues_with_one_node_in_a_new_generation_and_keeps_the_old_ones_out()
    {
        using var group = await DriverGroup.StartAsync(3, 0, Quick);
        Assert.Equal("ok", await group[0].AskAsync("fill", "1 100 100 8"));
        await group.ConvergeAsync();
        foreach (var node in group.Running.ToList())
        {
            group.Kill(node);
        }

        await Assert.ThrowsAsync<Consensus.RaftStartException>(() => Consensus.ForceNewCluster.RunAsync(group.DataOf(0), Consensus.RaftAddress.Parse("127.0.0.1:9")));
        Assert.Equal(2, await Consensus.ForceNewCluster.RunAsync(group.DataOf(0), Consensus.RaftAddress.Parse(group.Addresses[0])));
        await group.RestartAsync(0);
        Assert.Equal(0, await group.LeaderAsync());
        Assert.Equal("ok 100", await group[0].AskAsync("b", "10000"));
        Assert.Equal("2", (await group[0].StatusAsync())["generation"]);

        // The nodes left behind cannot talk the new generation into anything.
        await group.RestartAsync(1);
        await group.RestartAsync(2);
        await DriverGroup.EventuallyAsync(async () => (await group[1].StatusAsync())["leader"] != "-", "a leader of the old generation");
        Assert.StartsWith("ok", await group[0].AskAsync("p", "2 1 100 10000"), StringComparison.Ordinal);
        Assert.Equal("1", (await group[1].StatusAsync())["generation"]);
        Assert.Contains("NotEmpty", await group[0].AskAsync("add", group.Addresses[1]), StringComparison.Ordinal);

        group.Kill(1);
        Directory.Delete(group.DataOf(1), true);
        group.Start(1, "--join", "yes");
        await group.ExpectStartedAsync(1);
        await AddAsync(group[0], group.Addresses[1]);
        Assert.Equal("ok 101", await group[1].AskAsync("b", "10000"));
        Assert.Equal("2", (await group[1].StatusAsync())["generation"]);
    }

    [Fact]
    public async Task A_single_node_leads_at_once_and_again_after_restarts()
    {
        using var group = await DriverGroup.StartAsync(1, 0, Quick);
        for (var i = 1; i <= 3; i++)
        {
            Assert.StartsWith("ok", await group[0].AskAsync("p", $"1 {i} 100 10000"), StringComparison.Ordinal);
            group.Kill(0);
            await group.RestartAsync(0);
            await group.LeaderAsync();
            Assert.Equal($"ok {i}", await group[0].AskAsync("b", "10000"));
        }
    }

    /// <summary>Adds a voter as an operator does: on a slow machine the outcome may be unknown, and is asked for again.</summary>
    private static Task AddAsync(DriverProcess leader, string address) => DriverGroup.EventuallyAsync(async () =>
    {
        string answer = await leader.AskAsync("add", address);
        if (answer.Contains("Done", StringComparison.Ordinal) || answer.Contains("AlreadyMember", StringComparison.Ordinal)) return true;
        Assert.Contains("Unknown", answer, StringComparison.Ordinal);
        return false;
    }, $"the membership of {address}");
}
