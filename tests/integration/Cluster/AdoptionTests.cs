using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;
using Xunit;
using Xunit.Abstractions;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>A PostgreSQL that people started, and that clients write to all the time, becomes the primary of a cluster.</summary>
[Collection(OwnClusters.Name)]
public sealed class AdoptionTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_running_primary_is_adopted_without_a_restart_or_a_failed_write_and_guarded_from_then_on()
    {
        await using var cluster = new TestCluster(new());
        TestNode first = cluster["node1"];
        await RunByHandAsync(cluster, first);
        await cluster.RunAsync(async () =>
        {
            int postmaster = first.PostmasterId();
            object started = (await first.SqlAsync("SELECT pg_postmaster_start_time()"))!;
            await using (Writer writer = await Writer.StartAsync(first))
            {
                string file = await GenerateAsync(cluster, first);
                foreach (TestNode node in cluster.Nodes) Start(cluster, node, file);
                await cluster.WholeAsync();
                await writer.MoreAsync(20);
                Assert.Empty(writer.Failures);
                Assert.Same(first, await cluster.PrimaryAsync());
                Assert.Equal((postmaster, started), (first.PostmasterId(), await first.SqlAsync("SELECT pg_postmaster_start_time()")));
                await cluster.VerifyAsync(writer);
            }

            // Nothing of it was launched by the guard, and yet it is the guard's now.
            var lease = new LeaseFile(first.DataDirectory);
            first.KillAgent();
            HeldLease held = lease.Read() ?? throw new InvalidOperationException("the primary has left no lease");
            await Wait.UntilAsync("PostgreSQL of the primary without an agent to be gone", () => first.PostgresProcesses.Count == 0);
            long gone = BootClock.NowMs;
            output.WriteLine($"all gone was seen {gone - held.DeadlineMs} ms after the deadline");
            Assert.True(gone - held.DeadlineMs < 5_000, $"the last process was seen {gone - held.DeadlineMs} ms after the deadline");
            await Wait.UntilAsync("another primary", async () => (await cluster.WhereAsync(node => node.IsPrimaryAsync())) is [var one] && one != first);
        });
    }

    [Fact]
    public async Task A_running_primary_that_is_not_adopted_is_left_alone_when_its_agent_ends_and_when_the_cluster_is_of_another_system()
    {
        await using var cluster = new TestCluster(new() { DataNodes = 1 });
        await cluster.RunAsync(async () =>
        {
            await cluster.FormAsync();
            TestNode stranger = cluster.AddNode("node2", [cluster["node1"].ApiUrl]);
            await RunByHandAsync(cluster, stranger);
            int postmaster = stranger.PostmasterId();
            await using Writer writer = await Writer.StartAsync(stranger);
            await AnsweringAsync(stranger);
            stranger.SignalAgent(ProcessControl.SigTerm);
            Assert.Equal(0, await stranger.AgentExitAsync());
            await writer.MoreAsync(20);

            await AnsweringAsync(stranger);
            ProductResult added = await Product.RunAsync(cluster.Root, ["raft", "add", stranger.RaftAddress, "--force", "-c", cluster.File, "-d", cluster["node1"].ApiUrl]);
            Assert.True(added.ExitCode == 0, added.Error + added.Output);
            Assert.NotEqual(0, await stranger.AgentExitAsync());
            await writer.MoreAsync(20);
            Assert.Equal(postmaster, stranger.PostmasterId());
            Assert.Empty(writer.Failures);
        });
    }

    private static Task AnsweringAsync(TestNode node)
    {
        node.Start();
        return Wait.UntilAsync($"the API of {node.Name}", async () => (await node.GetAsync("/liveness")).Status != 0);
    }

    private static async Task RunByHandAsync(TestCluster cluster, TestNode node)
    {
        Directory.CreateDirectory(node.Directory);
        await ToolAsync(cluster, "initdb", "-D", node.DataDirectory, "-U", "postgres", "-A", "trust", "-k", "-N", "--locale=C", "-E", "UTF8");
        await File.AppendAllTextAsync(Path.Combine(node.DataDirectory, "postgresql.conf"),
            $"port = {node.PostgresPort}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{cluster.Root}'\nshared_buffers = '16MB'\nmax_connections = 50\ncluster_name = 'sales'\n");
        await ToolAsync(cluster, "pg_ctl", "-D", node.DataDirectory, "-l", Path.Combine(node.Directory, "by-hand.log"), "-w", "start");
        await node.SqlAsync($"CREATE ROLE {TestCluster.ReplicationUser} LOGIN REPLICATION PASSWORD 'replicator-secret'");
    }

    private static async Task<string> GenerateAsync(TestCluster cluster, TestNode node)
    {
        string file = Path.Combine(cluster.Root, "generated.yml");
        ProductResult written = await Product.RunAsync(cluster.Root,
            ["--generate-config", file, "--dsn", $"host=127.0.0.1 port={node.PostgresPort} user=postgres password={TestCluster.SuperuserPassword}"]);
        Assert.True(written.ExitCode == 0, written.Error);
        return file;
    }

    /// <summary>The generated file serves every node; what differs, and what a human has to write, is said beside it.</summary>
    private static void Start(TestCluster cluster, TestNode node, string file)
    {
        string[] set =
        [
            $"name={node.Name}", $"restapi.listen=127.0.0.1:{node.ApiPort}", $"restapi.connect_address=127.0.0.1:{node.ApiPort}",
            $"raft.self_addr={node.RaftAddress}", $"raft.data_dir={node.RaftDirectory}",
            $"raft.partner_addrs=[{string.Join(',', cluster.Nodes.Where(other => other != node).Select(other => other.RaftAddress))}]",
            $"postgresql.listen=127.0.0.1:{node.PostgresPort}", $"postgresql.connect_address=127.0.0.1:{node.PostgresPort}", $"postgresql.data_dir={node.DataDirectory}",
            $"postgresql.pgpass={Path.Combine(node.Directory, "pgpass")}", "postgresql.authentication.replication.password=replicator-secret",
        ];
        node.Start(file, [.. set.SelectMany(value => new[] { "--set", value })]);
    }

    private static async Task ToolAsync(TestCluster cluster, string program, params string[] arguments)
    {
        // Its output goes to a file: the postmaster inherits it, and would keep a pipe open.
        ProductResult result = await Product.RunProgramAsync(cluster.Root, "/bin/sh",
            ["-c", "exec \"$@\" >>\"$0\" 2>&1 </dev/null", Path.Combine(cluster.Root, "tools.log"), Path.Combine(Product.PostgresBinaries, program), .. arguments]);
        Assert.True(result.ExitCode == 0, await File.ReadAllTextAsync(Path.Combine(cluster.Root, "tools.log")));
    }
}
