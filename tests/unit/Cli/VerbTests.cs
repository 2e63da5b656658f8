using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>Whole command lines against recorded answers: output, questions, requests and exit codes.</summary>
public sealed class VerbTests : IAsyncLifetime
{
    private FakeApi _api = null!;

    public async Task InitializeAsync() => _api = await FakeApi.StartAsync();

    public async Task DisposeAsync() => await _api.DisposeAsync();

    private async Task<string> Run(string commandLine, string input = "")
    {
        var (code, output, error) = await _api.RunAsync(commandLine, input);
        Assert.Equal((0, ""), (code, error));
        return output;
    }

    [Fact]
    public async Task List_reads_any_node_and_skips_those_that_are_down()
    {
        var (code, output, _) = await FakeApi.RunAsync(["list", "lab", "-t", "-d", $"127.0.0.1:1,{_api.Url}"]);
        Assert.Equal(0, code);
        Assert.Matches(@"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n\+ Cluster: lab \(7711060563153238640\) -", output);
        Assert.Equal((1, "Error: these nodes are the cluster 'lab', not 'other'\n"), await Failure("list other"));
    }

    private async Task<(int, string)> Failure(string commandLine, string input = "")
    {
        var (code, _, error) = await _api.RunAsync(commandLine, input);
        return (code, error);
    }

    [Fact]
    public async Task No_node_and_no_address_are_said_plainly()
    {
        var (code, _, error) = await FakeApi.RunAsync(["list", "-d", "127.0.0.1:1"]);
        Assert.Equal((1, "Error: no node can be reached: http://127.0.0.1:1 (Connection refused)\n"), (code, error));
    }

    [Theory]
    [InlineData("lst", "Error: No such command 'lst'; did you mean list?\nTry 'patroni-raft --help' for help.\n")]
    [InlineData("list --extendet", "Error: No such option: --extendet; did you mean --extended?\nTry 'patroni-raft list --help' for help.\n")]
    [InlineData("list -f xml", "Try 'patroni-raft list --help' for help.\n")]
    [InlineData("raft add", "Try 'patroni-raft raft add --help' for help.\n")]
    [InlineData("restart", "Try 'patroni-raft restart --help' for help.\n")]
    [InlineData("flush lab something", "'something' is not one of 'restart', 'switchover'.\nTry 'patroni-raft flush --help' for help.\n")]
    [InlineData("list -w 0", "0 is not above 0 and at most 86400 seconds.\nTry 'patroni-raft list --help' for help.\n")]
    [InlineData("list -d ftp://x", "Error: 'ftp://x' is no address of a REST API: this cluster has no ftp to ask; write http://host:8008\n")]
    [InlineData("", "Error: a command is missing; 'patroni-raft --help' shows them\n")]
    public async Task Wrong_arguments_end_with_2_and_a_hint(string commandLine, string error)
    {
        var result = await FakeApi.RunAsync(commandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(2, result.Code);
        Assert.EndsWith(error, result.Error);
        Assert.StartsWith("Error: ", result.Error);
    }

    [Fact]
    public async Task Switchover_asks_in_patronictls_order()
    {
        _api.Answers["POST /switchover"] = (200, "Successfully switched over to \"node1\"");
        var output = await Run("switchover", "\nnode1\n\ny\n");
        var questions = string.Join('\n', output.Split('\n').Where(l => l.Contains(']')));
        Assert.Matches(@"^Primary \[node0\]: Candidate \['node1'\] \[\]: When should the switchover take place \(e\.g\. \d{4}-\d\d-\d\dT\d\d:\d\d \)  \[now\]: Are you sure you want to switchover cluster lab, demoting current leader node0\? \[y/N\]: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{5} Successfully switched over to ""node1""$", questions);
        Assert.StartsWith("Current cluster topology\n+ Cluster: lab", output);
        Assert.Equal(2, output.Split("+ Cluster: lab").Length - 1);
        Assert.Equal("""POST /switchover {"candidate":"node1","leader":"node0"}""", Assert.Single(_api.Requests));
    }

    [Fact]
    public async Task Switchover_with_force_asks_nothing()
    {
        _api.Answers["POST /switchover"] = (202, "Switchover scheduled");
        Assert.DoesNotContain("?", await Run("switchover lab --force --scheduled 2039-09-24T12:00:00+00:00"));
        Assert.Equal("""POST /switchover {"candidate":null,"leader":"node0","scheduled_at":"2039-09-24T12:00:00+00:00"}""", Assert.Single(_api.Requests));
    }

    [Fact]
    public async Task A_refused_switchover_is_reported_with_its_details()
    {
        _api.Answers["POST /switchover"] = (412, "candidate does not exists");
        Assert.EndsWith("Switchover failed, details: 412, candidate does not exists\n", await Run("switchover --candidate node1 --force"));
    }

    [Theory]
    [InlineData("switchover --leader node1 --force", "", "Member node1 is not the leader of cluster lab")]
    [InlineData("switchover --candidate node0 --force", "", "Member node0 is already the leader of cluster lab")]
    [InlineData("switchover --candidate node2 --force", "", "Member node2 does not exist in cluster lab or is tagged as nofailover")]
    [InlineData("switchover --scheduled nonsense --force", "", "Unable to parse scheduled timestamp (nonsense). It should be in an unambiguous format (e.g. ISO 8601)")]
    [InlineData("switchover --candidate node1", "\n\nn\n", "Aborting switchover")]
    [InlineData("switchover --candidate node1 --scheduled 2039-09-24T12:00:00Z", "\nn\n", "Aborting scheduled switchover")]
    [InlineData("failover --force", "", "Failover could be performed only to a specific candidate")]
    [InlineData("failover", "\n", "Failover could be performed only to a specific candidate")]
    public async Task Refusals_before_anything_is_sent(string commandLine, string input, string error)
    {
        Assert.Equal((1, $"Error: {error}\n"), await Failure(commandLine, input));
        Assert.Empty(_api.Requests);
    }

    [Fact]
    public async Task The_end_of_input_aborts()
    {
        Assert.Equal((1, "Aborted!\n"), await Failure("switchover"));
        Assert.Empty(_api.Requests);
    }

    [Fact]
    public async Task Failover_to_an_asynchronous_node_needs_one_more_yes()
    {
        _api.Answers["GET /cluster"] = (200, _api.Answers["GET /cluster"].Body.Replace("\"name\": \"node2\", \"role\": \"replica\"", "\"name\": \"node2\", \"role\": \"sync_standby\""));
        _api.Answers["POST /failover"] = (200, "Successfully failed over to \"node1\"");
        Assert.Equal((1, "Error: Aborting failover\n"), await Failure("failover --candidate node1", "n\n"));
        Assert.Contains("Are you sure you want to failover to the asynchronous node node1? [y/N]: Are you sure you want to failover cluster lab, demoting current leader node0?", await Run("failover --candidate node1", "y\ny\n"));
        Assert.Equal("""POST /failover {"candidate":"node1"}""", Assert.Single(_api.Requests));
    }

    [Fact]
    public async Task Show_config_is_yaml_with_an_empty_line() => Assert.Equal(
        """
        loop_wait: 1
        postgresql:
          parameters:
            max_connections: 50
            shared_buffers: 32MB
          use_pg_rewind: true
        retry_timeout: 3
        synchronous_mode: false
        ttl: 20


        """, await Run("show-config"));

    [Fact]
    public async Task Edit_config_shows_the_recorded_diff_and_sends_the_version_it_saw()
    {
        _api.Answers["PUT /config"] = (200, "{}");
        Assert.Equal("--- \n+++ \n" +
            """
            @@ -3,6 +3,7 @@
               parameters:
                 max_connections: 50
                 shared_buffers: 32MB
            +    work_mem: 8MB
               use_pg_rewind: true
             retry_timeout: 3
             synchronous_mode: false
            Configuration changed

            """, await Run("edit-config -p work_mem=8MB --force"));
        var request = Assert.Single(_api.Requests);
        Assert.StartsWith("PUT /config {\"loop_wait\":1,", request);
        Assert.Contains("\"work_mem\":\"8MB\"", request);
        Assert.EndsWith(" if \"7\"", request);
    }

    [Fact]
    public async Task Edit_config_without_change_with_conflict_and_without_yes()
    {
        Assert.Equal("Not changed\n", await Run("edit-config -s ttl=20"));
        Assert.EndsWith("Apply these changes? [y/N]: ", await Run("edit-config -s ttl=null -s postgresql.use_pg_rewind=off", "n\n"));
        Assert.Empty(_api.Requests);
        _api.Answers["PUT /config"] = (412, "version differs");
        Assert.Equal((1, "Error: Config modification aborted due to concurrent changes\n"), await Failure("edit-config -s ttl=30 --force -q"));
        _api.Answers["PUT /config"] = (400, "ttl: must be more");
        Assert.Equal((1, "Error: ttl: must be more (status 400)\n"), await Failure("edit-config -s ttl=1 --force -q"));
    }

    [Fact]
    public async Task History_is_the_recorded_table()
    {
        _api.Answers["GET /history"] = (200, """[[1, 67109256, "no recovery target specified", "2026-11-22T18:13:52.205408+00:00", "node1"]]""");
        Assert.Equal(
            """
            +----+----------+------------------------------+----------------------------------+------------+
            | TL |      LSN | Reason                       | Timestamp                        | New Leader |
            +----+----------+------------------------------+----------------------------------+------------+
            |  1 | 67109256 | no recovery target specified | 2026-11-22T18:13:52.205408+00:00 | node1      |
            +----+----------+------------------------------+----------------------------------+------------+

            """, await Run("history lab"));
        Assert.Contains("Timestamp: '2026-11-22T18:13:52.205408+00:00'", await Run("history -f yaml"));
    }

    [Fact]
    public async Task Pause_and_resume()
    {
        _api.Answers["PATCH /config"] = (200, """{"loop_wait": 1, "pause": true}""");
        Assert.Equal("Success: cluster management is paused\n", await Run("pause lab"));
        Assert.Equal("""PATCH /config {"pause":true}""", Assert.Single(_api.Requests));
        Assert.Equal((1, "Error: Cluster is not paused\n"), await Failure("resume lab"));
        _api.Answers["GET /cluster"] = (200, _api.Answers["GET /cluster"].Body.Replace("\"scope\"", "\"pause\": true, \"scope\""));
        Assert.Equal((1, "Error: Cluster is already paused\n"), await Failure("pause"));
        Assert.Equal("'resume' request sent, waiting until it is recognized by all nodes\nSuccess: cluster management is resumed\n", await Run("resume --wait"));
        Assert.Equal((1, "Error: Can't schedule switchover in the paused state\n"), await Failure("switchover --candidate node1 --force --scheduled 2039-01-01T00:00:00Z"));
    }

    [Fact]
    public async Task Operations_on_members()
    {
        _api.Answers["POST /reload"] = (202, "reload scheduled");
        Assert.EndsWith("Reload request received for member node2 and will be processed within 1 seconds\n", await Run("reload lab --force"));
        _api.Answers["POST /restart"] = (200, "restarted successfully");
        Assert.EndsWith("+\nSuccess: restart on member node2\n", await Run("restart lab node2 --force"));
        Assert.Contains("Are you sure you want to restart members node1, node2? [y/N]: Restart if the PostgreSQL version is less than provided (e.g. 9.5.2)  []: ", await Run("restart lab -r replica", "\ny\n\n"));
        _api.Answers["POST /reinitialize"] = (200, "reinitialize started");
        Assert.EndsWith("Success: reinitialize for member node2\n", await Run("reinit lab node2 --force"));
        Assert.Contains("""POST /reinitialize {"force":true,"from_leader":false}""", _api.Requests);
        _api.Answers["POST /reinitialize"] = (503, "I am the leader");
        Assert.EndsWith("Failed: reinitialize for member node1, status code=503, (I am the leader)\n", await Run("reinit lab node1", "y\n"));
        Assert.Equal((1, "Error: No replica among provided members\n"), await Failure("reinit lab node0 --force"));
        Assert.Equal("No pending scheduled switchover\n", await Run("flush lab switchover"));
        Assert.EndsWith("No scheduled restart for member node0\n", await Run("flush lab node0 restart --force"));
    }

    [Fact]
    public async Task Dsn_and_version()
    {
        Assert.Equal("host=127.0.0.1 port=6401\n", await Run("dsn lab -r replica"));
        Assert.Equal("host=127.0.0.1 port=6400\n", await Run("dsn"));
        Assert.Equal((1, "Error: Can not find a suitable member\n"), await Failure("dsn -m nobody"));
        Assert.EndsWith("\n\nnode0: Patroni 4.1.4 PostgreSQL 15.18\nnode1: Patroni 4.1.4 PostgreSQL 15.18\nnode2: Patroni 4.1.4 PostgreSQL 15.18\n", await Run("version lab"));
    }

    [Fact]
    public async Task Raft_members_and_their_changes()
    {
        _api.Answers["GET /raft/members"] = (200, """{"cluster_id":"c1","members":[{"name":"node0","address":"127.0.0.1:7008","role":"leader","api_url":"http://127.0.0.1:8008","data":true,"last_seen_ms":0},{"name":"w","address":"127.0.0.1:7011","role":"follower","api_url":"http://127.0.0.1:8011","data":false,"last_seen_ms":null}]}""");
        Assert.Equal(
            """
            + Raft group: c1 --------+----------+-----------------------+---------+-----------+
            | Name  | Address        | Role     | API                   | Data    | Last seen |
            +-------+----------------+----------+-----------------------+---------+-----------+
            | node0 | 127.0.0.1:7008 | Leader   | http://127.0.0.1:8008 | yes     |     0.0 s |
            | w     | 127.0.0.1:7011 | Follower | http://127.0.0.1:8011 | witness |   unknown |
            +-------+----------------+----------+-----------------------+---------+-----------+

            """, await Run("raft members"));
        _api.Answers["POST /raft/members"] = (200, "");
        _api.Answers["DELETE /raft/members/a b"] = (200, "");
        _api.Answers["POST /raft/transfer"] = (503, "x is no member");
        Assert.Equal("Success: 10.0.0.4:7008 is a member now\n", await Run("raft add 10.0.0.4:7008 --name n4 --force"));
        var (_, output, _) = await FakeApi.RunAsync(["raft", "remove", "a b", "--force"], url: _api.Url);
        Assert.Equal("Success: a b is no member any more\n", output);
        Assert.Equal((1, "Error: x is no member (status 503)\n"), await Failure("raft transfer x --force"));
        Assert.Equal(["""POST /raft/members {"address":"10.0.0.4:7008","name":"n4"}""", "DELETE /raft/members/a b", """POST /raft/transfer {"to":"x"}"""], _api.Requests);
        Assert.True((await FakeApi.RunAsync(["raft", "password"])).Output.Trim().Length >= 32);
    }

    [Fact]
    public async Task Force_new_cluster_refuses_a_directory_without_a_log()
    {
        var directory = Directory.CreateTempSubdirectory("patroni-raft-force-");
        try
        {
            var file = Path.Combine(directory.FullName, "node.yml");
            await File.WriteAllTextAsync(file, $"scope: s\nname: n\nrestapi: {{listen: '127.0.0.1:8008'}}\nraft: {{self_addr: '127.0.0.1:7008', data_dir: '{directory.FullName}/raft'}}\n");
            Assert.Equal((1, "Error: Aborting force-new-cluster\n"), await Failure($"raft force-new-cluster {file}", "n\n"));
            var (code, error) = await Failure($"raft force-new-cluster {file} --force");
            Assert.Equal(1, code);
            Assert.StartsWith("Error: ", error);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_file_says_where_the_nodes_are()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, $"scope: lab\nrestapi:\n  connect_address: {_api.Url["http://".Length..]}\n");
            var (code, output, _) = await FakeApi.RunAsync(["list", "-f", "tsv", "-c", file]);
            Assert.Equal(0, code);
            Assert.StartsWith("Cluster\tMember", output);
        }
        finally
        {
            File.Delete(file);
        }

        Assert.Equal(1, (await FakeApi.RunAsync(["list", "-c", file])).Code);
    }
}
