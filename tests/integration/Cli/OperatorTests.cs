using System.Text.Json.Nodes;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cli;

/// <summary>The command line against a live cluster, as scripts use it: no terminal, results and exit codes.</summary>
[Collection(SharedClusterCollection.Name)]
public sealed class OperatorTests(SharedCluster shared)
{
    private const string Scope = "badday";

    private static async Task<string> RunAsync(TestCluster cluster, params string[] arguments)
    {
        ProductResult result = await cluster.CommandAsync(arguments);
        Assert.True(result.ExitCode == 0 && result.Error.Length == 0, $"{string.Join(' ', arguments)}: exit code {result.ExitCode}\n{result.Output}{result.Error}");
        return result.Output;
    }

    private static async Task RefusedAsync(TestCluster cluster, string error, params string[] arguments)
    {
        ProductResult result = await cluster.CommandAsync(arguments);
        Assert.Equal((1, error), (result.ExitCode, result.Error.TrimEnd()));
    }

    private static async Task<bool> ListShowsAsync(TestCluster cluster, Func<JsonArray, bool> condition) =>
        condition((JsonArray)JsonNode.Parse(await RunAsync(cluster, "list", "-f", "json"))!);

    private static JsonNode Of(JsonArray members, TestNode node) => members.Single(m => (string?)m!["Member"] == node.Name)!;

    [Fact]
    public Task What_there_is_to_read() => shared.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        // By the nodes' own file, whoever of them is asked.
        ProductResult file = await Product.RunAsync(cluster.Root, ["list", Scope, "-c", cluster.File]);
        Assert.Equal((0, ""), (file.ExitCode, file.Error));
        Assert.StartsWith($"+ Cluster: {Scope} (", file.Output);
        Assert.Contains($"| {primary.Name}  | 127.0.0.1:{primary.PostgresPort} | Leader  | running   |", file.Output);
        Assert.DoesNotContain('\u001b', file.Output);

        string tree = await RunAsync(cluster, "topology");
        Assert.Contains($"| {primary.Name}   |", tree);
        Assert.Equal(2, tree.Split("| + node").Length - 1);
        Assert.Contains("use_pg_rewind: true", await RunAsync(cluster, "show-config"));
        Assert.Contains("| TL |", await RunAsync(cluster, "history"));
        Assert.Matches(@"^patronictl version \S+\n\nnode1: Patroni \S+ PostgreSQL \d+\.\d+\nnode2: .*\nnode3: .*\n$", await RunAsync(cluster, "version", Scope));
        Assert.Equal($"host=127.0.0.1 port={primary.PostgresPort}\n", await RunAsync(cluster, "dsn"));
        await RefusedAsync(cluster, $"Error: these nodes are the cluster '{Scope}', not 'other'", "list", "other");
    });

    [Fact]
    public Task A_hung_and_a_dead_node_are_passed_over_and_the_name_patronictl_is_honoured() => shared.RunAsync(async cluster =>
    {
        TestNode hung = await cluster.ReplicaAsync();
        hung.SignalAgent(ProcessControl.SigStop);
        try
        {
            TestNode other = cluster.Nodes.First(node => node != hung);
            ProductResult list = await Product.RunAsync(cluster.Root, ["list", "-d", $"{hung.ApiUrl},http://127.0.0.1:1,{other.ApiUrl}"]);
            Assert.Equal((0, ""), (list.ExitCode, list.Error));
            Assert.Contains($"| {hung.Name}", list.Output);
            ProductResult reload = await Product.RunAsync(cluster.Root, ["reload", Scope, hung.Name, "--force", "-d", other.ApiUrl]);
            Assert.Equal(1, reload.ExitCode);
            Assert.EndsWith($"Failed: reload for member {hung.Name}, {hung.ApiUrl} cannot be reached (no answer within 5 s)\n", reload.Output);
        }
        finally
        {
            hung.SignalAgent(ProcessControl.SigCont);
        }

        string link = Path.Combine(cluster.Root, "patronictl");
        File.CreateSymbolicLink(link, Product.Program);
        ProductResult wrong = await Product.RunProgramAsync(cluster.Root, link, ["lst"]);
        Assert.Equal((2, "Error: No such command 'lst'; did you mean list?\nTry 'patronictl --help' for help.\n"), (wrong.ExitCode, wrong.Error));
        File.Delete(link);
    });

    [Fact]
    public Task Queries() => shared.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync(), replica = await cluster.ReplicaAsync();
        string pass = Path.Combine(cluster.Root, ".pgpass"); // HOME of the product.
        File.WriteAllText(pass, $"*:*:*:*:{TestCluster.SuperuserPassword}\n");
        File.SetUnixFileMode(pass, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        async Task<string> Query(params string[] more) =>
            (await Product.RunAsync(cluster.Root, ["query", "-U", "postgres", "-d", "postgres", .. more])).Output;
        Environment.SetEnvironmentVariable("DCS_URL", string.Join(',', cluster.Nodes.Select(node => node.ApiUrl)));
        try
        {
            Assert.Equal("inet_server_port\tx\ty\n" + $"{primary.PostgresPort}\tNone\tTrue\n", await Query("-c", "SELECT inet_server_port(), NULL AS x, true AS y"));
            Assert.Equal($"[{{\"port\": {replica.PostgresPort}, \"f\": 1.0}}]\n", await Query("-m", replica.Name, "--format", "json", "-c", "SELECT inet_server_port() AS port, 1::float8 AS f"));
            string file = Path.Combine(cluster.Root, "commands.sql");
            File.WriteAllText(file, "CREATE TABLE IF NOT EXISTS asked (n int); SELECT 7 AS a, 'x' AS b;\n");
            Assert.Equal("a;b\n7;x\n", await Query("-f", file, "--delimiter", ";"));
            Assert.Equal("+---+\n| a |\n+---+\n| 1 |\n+---+\n", await Query("-r", "primary", "--format", "pretty", "-c", "SELECT 1 AS a"));
            Assert.EndsWith("\tERROR, SQLSTATE: 25006\n", await Query("-r", "replica", "-c", "INSERT INTO asked VALUES (1)"));
            Assert.EndsWith("\tNo connection to role standby-leader is available\n", await Query("-r", "standby-leader", "-c", "SELECT 1"));
            Assert.EndsWith("\tERROR, SQLSTATE: 28P01\n", (await Product.RunAsync(cluster.Root, ["query", "-U", "nobody", "-d", "postgres", "-c", "SELECT 1"])).Output);
            Assert.Equal("", await Query("-c", "DROP TABLE asked"));
        }
        finally
        {
            Environment.SetEnvironmentVariable("DCS_URL", null);
            File.Delete(pass);
        }
    });

    [Fact]
    public Task A_parameter_that_needs_a_restart_is_pending_until_the_members_are_restarted() => shared.RunAsync(async cluster =>
    {
        TestNode replica = await cluster.ReplicaAsync();
        string changed = await RunAsync(cluster, "edit-config", Scope, "-p", "max_connections=61", "--force");
        Assert.Contains("+    max_connections: 61\n", changed);
        Assert.EndsWith("Configuration changed\n", changed);
        await Wait.UntilAsync("pending restarts of all members", () => ListShowsAsync(cluster, members => members.All(m => (string?)m!["Pending restart"] == "*")));

        // Nobody matches another role; a single standby first.
        Assert.EndsWith($"+\nSuccess: restart on member {replica.Name}\n", await RunAsync(cluster, "restart", Scope, replica.Name, "-r", "replica", "--pending", "--force"));
        await Wait.UntilAsync("one restart less", () => ListShowsAsync(cluster, members => Of(members, replica)["Pending restart"] is null));
        string others = await RunAsync(cluster, "restart", Scope, "--pending", "--force", "--timeout", "60");
        Assert.DoesNotContain($"member {replica.Name}", others);
        Assert.Equal(2, others.Split("Success: restart on member ").Length - 1);
        await cluster.WholeAsync();
        Assert.Equal("61", await (await cluster.PrimaryAsync()).SqlAsync("SHOW max_connections"));
        Assert.EndsWith("status code=503, (restart conditions are not satisfied)\n", await RunAsync(cluster, "restart", Scope, replica.Name, "--pg-version", "9.6.1", "--force"));
        Assert.Equal("Not changed\n", await RunAsync(cluster, "edit-config", "-p", "max_connections=61"));
        Assert.EndsWith("Reload request received for member node3 and will be processed within 2 seconds\n", await RunAsync(cluster, "reload", Scope, "--force"));
    });

    [Fact]
    public Task Maintenance_and_schedules() => shared.RunAsync(async cluster =>
    {
        Assert.EndsWith("Success: cluster management is paused\n", await RunAsync(cluster, "pause", Scope, "--wait"));
        Assert.EndsWith(" Maintenance mode: on\n", await RunAsync(cluster, "list"));
        await RefusedAsync(cluster, "Error: Cluster is already paused", "pause");
        Assert.EndsWith("Success: cluster management is resumed\n", await RunAsync(cluster, "resume", Scope, "--wait"));

        TestNode primary = await cluster.PrimaryAsync(), target = await cluster.ReplicaAsync();
        Assert.Contains("Switchover scheduled\n", await RunAsync(cluster, "switchover", "--candidate", target.Name, "--scheduled", "2039-09-24T12:00:00+00:00", "--force"));
        Assert.EndsWith($" Switchover scheduled at: 2039-09-24T12:00:00+00:00\n{"from",24}: {primary.Name}\n{"to",24}: {target.Name}\n", await RunAsync(cluster, "list"));
        Assert.Equal("Success: scheduled switchover deleted\n", await RunAsync(cluster, "flush", Scope, "switchover"));
        Assert.Equal("No pending scheduled switchover\n", await RunAsync(cluster, "flush", Scope, "switchover"));

        Assert.EndsWith($"Success: restart scheduled on member {target.Name}\n", await RunAsync(cluster, "restart", Scope, target.Name, "--scheduled", "2039-09-24T12:00:00+00:00", "--force"));
        await Wait.UntilAsync("the schedule in the list", () => ListShowsAsync(cluster, members => (string?)Of(members, target)["Scheduled restart"] == "2039-09-24T12:00:00+00:00"));
        Assert.EndsWith($"Success: flush scheduled restart for member {target.Name}\n", await RunAsync(cluster, "flush", Scope, target.Name, "restart", "--force"));
        await Wait.UntilAsync("the end of the schedule", () => ListShowsAsync(cluster, members => Of(members, target)["Scheduled restart"] is null));
        Assert.EndsWith($"No scheduled restart for member {target.Name}\n", await RunAsync(cluster, "flush", Scope, target.Name, "restart", "--force"));
    });

    [Fact]
    public Task Failover_and_back() => shared.RunAsync(async cluster =>
    {
        TestNode target = await cluster.ReplicaAsync();
        string output = await RunAsync(cluster, "failover", Scope, "--candidate", target.Name, "--force");
        Assert.Contains($"Successfully failed over to \"{target.Name}\"\n+ Cluster: {Scope} (", output);
        await cluster.WholeAsync();
        Assert.Equal(target, await cluster.PrimaryAsync());
        Assert.Contains($"| {target.Name}", (await RunAsync(cluster, "history", Scope)).Split('\n')[^3]);
    });

    [Fact]
    public Task Reinit_waits_for_new_data() => shared.RunAsync(async cluster =>
    {
        TestNode replica = await cluster.ReplicaAsync();
        string mark = Path.Combine(replica.DataDirectory, "left-over");
        File.WriteAllText(mark, "");
        Assert.EndsWith($"+\nSuccess: reinitialize for member {replica.Name}\nWaiting for reinitialize to complete on: {replica.Name}\nReinitialize is completed on: {replica.Name}\n",
            await RunAsync(cluster, "reinit", Scope, replica.Name, "--force", "--from-leader", "--wait"));
        Assert.False(File.Exists(mark));
        await RefusedAsync(cluster, "Error: No replica among provided members", "reinit", Scope, (await cluster.PrimaryAsync()).Name, "--force");
    });

    [Fact]
    public Task Becoming_a_standby_cluster_is_reported_as_it_is_and_taken_back() => shared.RunAsync(async cluster =>
    {
        TestNode primary = await cluster.PrimaryAsync();
        await RefusedAsync(cluster, "Error: At least --host, --port or --restore-command should be specified", "demote-cluster", Scope);
        await RefusedAsync(cluster, "Error: Cluster is already in the required state", "promote-cluster", Scope, "--force");
        ProductResult demoted = await cluster.CommandAsync("demote-cluster", Scope, "--host", "127.0.0.1", "--port", "1", "--force", "--timeout", "3");
        // Whatever the cluster makes of it, the exit code follows the role that PostgreSQL really has.
        bool isStandby = (bool)(await primary.SqlAsync("SELECT pg_is_in_recovery()"))!;
        Assert.Equal(isStandby ? 0 : 1, demoted.ExitCode);
        Assert.Contains(isStandby ? "cluster is successfully demoted" : "leader role: primary, leader state: running", demoted.Output);
        Assert.Contains("standby_cluster:", await RunAsync(cluster, "show-config"));
        Assert.Contains("cluster is successfully promoted\n", await RunAsync(cluster, "promote-cluster", Scope, "--force", "--timeout", "60"));
        Assert.DoesNotContain("standby_cluster", await RunAsync(cluster, "show-config"));
        await cluster.WholeAsync();
    });
}
