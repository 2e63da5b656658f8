using System.Text.Json;
using Patroni.Raft.Api.Documents;
using Patroni.Raft.Api.Endpoints;
using Patroni.Raft.Api.Json;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.StateMachine;
using Patroni.Raft.UnitTests.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary><c>explain</c> and <c>events</c> against the answers that the API really gives for a state.</summary>
public sealed class ExplainTests : IAsyncLifetime
{
    private readonly TestCluster _cluster = TestCluster.Led("node0", "node1", "node2");
    private FakeApi _api = null!;

    public async Task InitializeAsync()
    {
        _api = await FakeApi.StartAsync();
        _cluster.Renew(5000);
        _cluster.ClockMs += 10_000;
        _cluster.Accept(new ExpireLeader(_cluster.Lease.Epoch, _cluster.Lease.LastRenewalIndex, false, new("node2")));
        _cluster.Accept(_cluster.Stand("node1", 5000));
        _cluster.Accept(_cluster.Decline("node2", "nofailover is set"));
        _cluster.Promote(2, 1, 5000);
        _api.Answers["GET /raft/members"] = (200, """{"cluster_id":"c1","members":[{"name":"node0","address":"127.0.0.1:7008","role":"follower","api_url":"http://127.0.0.1:1","data":true,"last_seen_ms":null},{"name":"node1","address":"127.0.0.1:7009","role":"leader","api_url":"URL","data":true,"last_seen_ms":0}]}""");
        _api.Answers["GET /patroni"] = (200, """{"raft": {"role": "leader", "term": 3, "leader": "127.0.0.1:7009", "applied_index": 40}}""");
        Publish();
    }

    public async Task DisposeAsync() => await _api.DisposeAsync();

    private void Publish()
    {
        _api.Answers["GET /state"] = (200, System.Text.Encoding.UTF8.GetString(PythonJsonWriter.ToBytes(_cluster.State, StateDocument.Write)));
        _api.Answers["GET /events"] = (200, System.Text.Encoding.UTF8.GetString(PythonJsonWriter.ToBytes(_cluster.State, static (writer, state) => EventsEndpoints.Write(writer, state, 0, long.MaxValue))));
    }

    private async Task<string> Run(string commandLine)
    {
        var (code, output, error) = await _api.RunAsync(commandLine);
        Assert.Equal((0, ""), (code, error));
        return output;
    }

    [Fact]
    public void The_state_survives_the_way_through_the_API()
    {
        _cluster.Accept(_cluster.Sync(0, "node2"));
        _cluster.Accept(new RequestFailover(FailoverKind.Switchover, new("node1"), new("node2"), 1_790_000_000_000, "2026-09-21T14:13:20+00:00"));
        Publish();
        ClusterState read = ReplicatedState.Parse(_api.Answers["GET /state"].Body);
        Assert.Equal(JsonSerializer.Serialize(_cluster.State.Leadership, StateJson.Default.Leadership), JsonSerializer.Serialize(read.Leadership, StateJson.Default.Leadership));
        Assert.Equal(_cluster.State.Members, read.Members);
        Assert.Equal(_cluster.State.Peers, read.Peers);
        Assert.Equal(_cluster.State.Failover, read.Failover);
        Assert.True(read.Sync.Contains(new("node2"), TestCluster.Data("node2")));
        Assert.Equal(_cluster.State.Settings.TtlMs, read.Settings.TtlMs);
    }

    [Fact]
    public async Task Explain_tells_now_and_the_last_change()
    {
        var output = await Run("explain");
        Assert.StartsWith("Now: node1 leads under epoch 1.17, primary on timeline 2\n", output);
        Assert.Contains("\nThe last change of leadership: the lease of node0 expired, and node1 took over\n", output);
        Assert.Contains("; noticed by node2\n", output);
        Assert.Contains("| node2  | declined  |    |            |          | nofailover is set          |\n", output);
        Assert.DoesNotContain("Now:", await Run("explain 1"));
        Assert.Equal(await Run("explain 1"), await Run("explain --epoch 1.17"));
        Assert.Equal(await Run("explain 1"), await Run("explain --timeline 2"));
        Assert.Contains("node0 became the first leader of the new cluster", await Run("explain 2"));
    }

    [Fact]
    public async Task Explain_needs_no_secret_of_the_cluster()
    {
        _api.Answers["GET /raft/members"] = (401, "the Raft group is open to holders of the cluster's secret");
        _api.Answers["GET /state"] = (200, _api.Answers["GET /state"].Body.Replace("http://node1:8008", "URL").Replace("http://node2:8008", "URL"));
        Assert.StartsWith("Now: node1 leads under epoch 1.17, primary on timeline 2\n", await Run("explain"));
    }

    [Fact]
    public async Task Explain_as_JSON_has_the_numbers()
    {
        using var json = JsonDocument.Parse(await Run("explain -f json"));
        var change = json.RootElement.GetProperty("changes")[0];
        Assert.Equal("Led", json.RootElement.GetProperty("now").GetProperty("kind").GetString());
        Assert.Equal("0/1388", change.GetProperty("loss").GetProperty("leader_lsn").GetString());
        Assert.Equal("node2", change.GetProperty("noticed_by").GetString());
        Assert.InRange(change.GetProperty("phases").GetProperty("without_primary_ms").GetInt64(), 10_000, 10_010);
    }

    [Fact]
    public async Task Explain_lists_what_the_log_knows()
    {
        var lines = (await Run("explain --list")).Split('\n');
        Assert.Equal(7, lines.Length);
        Assert.Matches(@"^\| 1 \| \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \| 1\.17  \| +2 \| node0 \| node1 \| +10\.00\d s \| the lease of node0 expired, and node1 took over +\|$", lines[3]);
    }

    [Theory]
    [InlineData("explain 9", 1, "the event log knows no change of leadership 9 (known: 1 to 2, see 'explain --list')")]
    [InlineData("explain 0", 1, "the event log knows no change of leadership 0 (known: 1 to 2, see 'explain --list')")]
    [InlineData("explain --epoch 9.9", 1, "the event log knows no leadership with epoch 9.9 (see 'explain --list')")]
    [InlineData("explain --timeline 9", 1, "the event log knows no promotion to timeline 9 (see 'explain --list')")]
    [InlineData("explain 1 --timeline 2", 2, "N, --epoch and --timeline are mutually exclusive")]
    [InlineData("events --since yesterday", 2, "--since is neither the number of an event nor a time nor an age: 'yesterday' (write 412, 2026-09-24T12:00:00Z, or 15m)")]
    public async Task What_is_not_known_is_said(string commandLine, int code, string error)
    {
        var result = await _api.RunAsync(commandLine);
        Assert.Equal((code, $"Error: {error}\n"), (result.Code, result.Error));
    }

    [Fact]
    public async Task An_answer_of_another_version_is_refused_with_a_sentence()
    {
        _api.Answers["GET /events"] = (200, """{"events": [{"id": 1, "index": 1, "unix_ms": 1, "rule": "x", "event": {"type": "moon_landing"}}], "last_id": 1}""");
        var (code, _, error) = await _api.RunAsync("explain");
        Assert.Equal(1, code);
        Assert.StartsWith("Error: the node's answer to GET /events cannot be read; is it of another version?", error);
    }

    [Fact]
    public async Task Events_are_sentences_or_objects_one_a_line()
    {
        var pretty = (await Run("events --limit 2")).TrimEnd('\n').Split('\n');
        Assert.Equal(2, pretty.Length);
        Assert.Matches(@"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} #\d+ node1 became primary on timeline 2, which left timeline 1 at 0/1388 \[leader\.promoted\]$", pretty[1]);
        var json = (await Run("events --format json")).TrimEnd('\n').Split('\n');
        Assert.Equal(_cluster.State.Events.Length, json.Length);
        Assert.Equal(_cluster.State.EventCount, JsonSerializer.Deserialize(json[^1], StateJson.Default.EventRecord)!.Id);
        Assert.Empty(await Run("events --since 2099-01-01T00:00:00Z"));
        foreach (var age in new[] { "90s", "15m", "2h", "3d" })
        {
            await Run("events --since " + age);
        }

        Assert.Equal(json.Length, (await Run("events --format json --since 1970-01-01T00:00:00Z")).TrimEnd('\n').Split('\n').Length);
    }
}
