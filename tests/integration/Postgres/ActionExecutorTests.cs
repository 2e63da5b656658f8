using Microsoft.Extensions.Logging.Abstractions;
using Patroni.Raft.Agent.Instance;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Postgres;

/// <summary>What an action does on a real instance before it does what cannot be undone.</summary>
public sealed class ActionExecutorTests
{
    private static readonly NodeName Leader = new("a"), Replica = new("b");

    [Fact]
    public async Task Data_are_removed_only_when_the_member_that_replaces_them_answers()
    {
        await using TestInstance primary = await TestInstance.PrimaryAsync("a");
        await using TestInstance standby = await TestInstance.StandbyOfAsync(primary, "b");
        ulong system = (await primary.StatusAsync()).SystemIdentifier;
        await standby.StopAsync();
        await using LocalInstance local = Local(standby);
        var remove = new RemoveDataAction(false) { ReplacedBy = Leader };

        Assert.NotNull(await RunAsync(local, remove, StateWith(primary, system + 1)));
        await primary.StopAsync(StopMode.Immediate);
        Assert.Contains("does not answer", await RunAsync(local, remove, StateWith(primary, system)), StringComparison.Ordinal);
        Assert.IsType<DirectoryState.Valid>(await DataDirectory.InspectAsync(standby.Settings));

        await primary.StartAsync(LaunchMode.Primary);
        Assert.Null(await RunAsync(local, remove, StateWith(primary, system)));
        Assert.IsType<DirectoryState.Empty>(await DataDirectory.InspectAsync(standby.Settings));
    }

    /// <summary>A replica is marked before it is pointed to anybody, and not taken for disconnected before PostgreSQL is.</summary>
    [Fact]
    public async Task A_replica_is_marked_first_and_disconnected_for_sure()
    {
        await using TestInstance primary = await TestInstance.PrimaryAsync("a");
        await using TestInstance standby = await TestInstance.StandbyOfAsync(primary, "b", static settings => settings with { UseSlots = false });
        InstanceStatus status = await standby.UntilAsync(s => s.Receiver is { IsStreaming: true });
        await using LocalInstance local = Local(standby);
        Assert.NotNull(local.Controller.Adopt());
        ClusterState state = StateWith(primary, status.SystemIdentifier);
        Incarnation life = DataIncarnation.Read(standby.Settings.DataDir, Replica);

        await standby.SqlAsync("SELECT pg_wal_replay_pause()");
        await standby.UntilAsync(s => s.ReplayPaused);
        Assert.Contains("replay is paused", await RunAsync(local, new FollowAction(null), state, status, life), StringComparison.Ordinal);
        await standby.SqlAsync("SELECT pg_wal_replay_resume()");
        // The files say so already; PostgreSQL is told once more and asked.
        Assert.Null(await RunAsync(local, new FollowAction(null), state, status, life));
        Assert.Null((await standby.StatusAsync()).Receiver);

        FollowMark mark = new(new(1, 9), new(1), 21);
        Assert.Null(await RunAsync(local, new FollowAction(Leader) { Mark = mark }, state, status, life));
        Assert.Equal(mark, FollowingFile.Read(standby.Settings.DataDir, Replica, life));
        await standby.UntilAsync(s => s.Receiver is { IsStreaming: true });
    }

    private static LocalInstance Local(TestInstance instance) =>
        new(instance.Settings, new GuardKeeper(instance.Settings.DataDir, new("/bin/false", []), NullLogger<GuardKeeper>.Instance), NullLoggerFactory.Instance);

    private static ClusterState StateWith(TestInstance leader, ulong system) => ClusterState.Empty with
    {
        SystemIdentifier = system,
        Members = ClusterState.Empty.Members.Add(Leader,
            new(Leader, MemberPresence.Alive, new() { Host = leader.Settings.ConnectAddress.Host, Port = leader.Settings.ConnectAddress.Port }, 1)),
    };

    private static async Task<string?> RunAsync(LocalInstance local, NodeAction action, ClusterState state, InstanceStatus? status = null, Incarnation life = default) =>
        (await new ActionExecutor(local, Replica, static _ => false, static _ => { }, NullLogger<ActionExecutor>.Instance)
            .RunAsync(action, new(state, status, default, life), default)).Failure;
}
