using System.Diagnostics;
using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Patroni.Raft.Postgres.Directories;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>A replica's agent finds something unexpected in its data directory: it repairs what is its own and refuses what is not.</summary>
[Collection(SharedClusterCollection.Name)]
public sealed class DataDirectoryTests(SharedCluster shared)
{
    [Fact]
    public Task Data_of_another_cluster_are_refused_and_left_alone() => WithStoppedReplica(async (cluster, replica) =>
    {
        string mine = replica.DataDirectory + ".mine";
        Directory.Move(replica.DataDirectory, mine);
        await RunAsync("initdb", "-D", replica.DataDirectory, "-U", "postgres", "--no-sync", "-A", "trust");
        byte[] control = await File.ReadAllBytesAsync(Path.Combine(replica.DataDirectory, "global", "pg_control"));

        replica.Start();
        Assert.NotEqual(0, await replica.AgentExitAsync());
        Assert.Equal(control, await File.ReadAllBytesAsync(Path.Combine(replica.DataDirectory, "global", "pg_control")));
        Assert.Empty(replica.PostgresProcesses);

        Directory.Delete(replica.DataDirectory, recursive: true);
        Directory.Move(mine, replica.DataDirectory);
    });

    /// <summary>What initdb left whose claim had expired when it was done.</summary>
    [Fact]
    public Task Data_of_an_initialization_that_came_too_late_are_cleared_and_cloned() => WithStoppedReplica(async (_, replica) =>
    {
        Directory.Delete(replica.DataDirectory, recursive: true);
        await RunAsync("initdb", "-D", replica.DataDirectory, "-U", "postgres", "--no-sync", "-A", "trust");
        ControlData control = ControlData.Parse(await RunAsync("pg_controldata", "-D", replica.DataDirectory), 15, out string? _)!;
        UnusedData.Mark(replica.DataDirectory, control, new(replica.Name), DataIncarnation.Draw(replica.DataDirectory, new(replica.Name)));
    });

    [Fact]
    public Task Data_of_an_older_timeline_catch_up() => WithStoppedReplica(async (cluster, replica) =>
    {
        TestNode old = await cluster.PrimaryAsync();
        TestNode target = cluster.DataNodes.Single(node => node != old && node != replica);
        ApiAnswer answer = await Rest.SendAsync(HttpMethod.Post, old.ApiUrl + "/switchover", new JsonObject { ["leader"] = old.Name, ["candidate"] = target.Name }, Wait.Seconds);
        Assert.True(answer.Status == 200, answer.ToString());
    });

    [Fact]
    public Task An_empty_data_directory_is_cloned_anew() => WithStoppedReplica((_, replica) =>
    {
        Directory.Delete(replica.DataDirectory, recursive: true);
        Directory.CreateDirectory(replica.DataDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return Task.CompletedTask;
    });

    [Fact]
    public Task A_clone_that_was_killed_half_way_begins_anew() => WithStoppedReplica(async (_, replica) =>
    {
        // The clone of so small a cluster may be done before it is noticed: then once more.
        for (int attempt = 0; ; attempt++)
        {
            Directory.Delete(replica.DataDirectory, recursive: true);
            replica.Start();
            // The last file of a base backup is pg_control; what is there before it is half a clone.
            await Wait.UntilAsync("the first files of the clone", () => Directory.Exists(Path.Combine(replica.DataDirectory, "base")));
            replica.Crash();
            if (!File.Exists(Path.Combine(replica.DataDirectory, "postmaster.pid"))) break;
            Assert.True(attempt < 10, "the clone was always done before it could be killed");
        }
    });

    [Fact]
    public Task A_data_directory_that_cannot_be_written_is_reported_and_used_once_it_can() => WithStoppedReplica(async (cluster, replica) =>
    {
        File.SetUnixFileMode(replica.DataDirectory, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        replica.Start();
        await Wait.UntilAsync("the member's note about its directory", async () =>
            (await replica.GetAsync("/patroni")).Json?["raft"]?["note"]?.ToString().Contains(replica.DataDirectory, StringComparison.Ordinal) == true);
        Assert.Empty(replica.PostgresProcesses);
        File.SetUnixFileMode(replica.DataDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    });

    private Task WithStoppedReplica(Func<TestCluster, TestNode, Task> change) => shared.RunAsync(async cluster =>
    {
        await using Writer writer = await Writer.StartAsync(cluster);
        TestNode replica = await cluster.ReplicaAsync();
        replica.SignalAgent(ProcessControl.SigTerm);
        Assert.Equal(0, await replica.AgentExitAsync());
        Assert.Empty(replica.PostgresProcesses);

        await change(cluster, replica);

        replica.Start();
        await cluster.VerifyAsync(writer);
    });

    private static async Task<string> RunAsync(string tool, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(Product.PostgresBinaries, tool), arguments) { RedirectStandardOutput = true })!;
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return output;
    }
}
