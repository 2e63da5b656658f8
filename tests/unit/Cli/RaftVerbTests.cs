using System.Text.Json;
using Patroni.Raft.Cli.Output;
using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>What the verbs of the consensus group say before they do something, and the group at a glance.</summary>
public sealed class RaftVerbTests : IAsyncLifetime
{
    private FakeApi _api = null!;

    public async Task InitializeAsync()
    {
        _api = await FakeApi.StartAsync();
        Members("URL", "http://127.0.0.1:1", "URL");
        _api.Answers["GET /patroni"] = (200, """{"raft": {"role": "leader", "term": 3, "commit_index": 42, "applied_index": 40, "leader": "10.0.0.1:7008", "peers": 3}}""");
    }

    public async Task DisposeAsync() => await _api.DisposeAsync();

    private void Members(params string[] apis) => _api.Answers["GET /raft/members"] = (200, "{\"cluster_id\": \"c1\", \"members\": ["
        + string.Join(", ", apis.Select((api, i) => $$"""{"name": "n{{i + 1}}", "address": "10.0.0.{{i + 1}}:7008", "role": "{{(i == 0 ? "leader" : "follower")}}", "api_url": "{{api}}", "data": true, "last_seen_ms": {{(i == 1 ? "null" : (i * 150).ToString())}}}""")) + "]}");

    [Theory]
    [InlineData(1, "1 voter, 1 vote is needed, no loss is tolerated")]
    [InlineData(2, "2 voters, 2 votes are needed, no loss is tolerated")]
    [InlineData(3, "3 voters, 2 votes are needed, 1 loss is tolerated")]
    [InlineData(4, "4 voters, 3 votes are needed, 1 loss is tolerated")]
    [InlineData(5, "5 voters, 3 votes are needed, 2 losses are tolerated")]
    public void A_number_of_voters_in_words(int voters, string words) => Assert.Equal(words, VoterArithmetic.Describe(voters));

    [Fact]
    public async Task Removing_says_what_is_left()
    {
        _api.Answers["DELETE /raft/members/n2"] = (200, "");
        var (_, output, _) = await _api.RunAsync("raft remove n2", "y\n");
        Assert.StartsWith("Removing n2 leaves n1, n3: 2 voters, 2 votes are needed, no loss is tolerated.\nAre you sure you want to remove n2 from the consensus group? [y/N]: ", output);
        Assert.EndsWith("Success: n2 is no member any more\n", output);
    }

    [Fact]
    public async Task Removing_warns_when_the_rest_would_have_no_quorum()
    {
        var (code, output, error) = await _api.RunAsync("raft remove 10.0.0.3:7008", "n\n");
        Assert.Equal((1, "Error: Aborting removal\n"), (code, error));
        Assert.Contains("\nOnly 1 of them answers: the group would have no quorum, and nobody could lead.\n", output);
        Assert.Empty(_api.Requests);
    }

    [Fact]
    public async Task Nobody_is_asked_about_a_stranger()
    {
        var (code, _, error) = await _api.RunAsync("raft remove n9", "y\n");
        Assert.Equal((1, "Error: n9 is no member of the consensus group: its members are n1, n2, n3\n"), (code, error));
    }

    [Fact]
    public async Task Adding_and_transferring_say_what_changes()
    {
        _api.Answers["POST /raft/members"] = (200, "");
        _api.Answers["POST /raft/transfer"] = (200, "");
        Assert.StartsWith("With 10.0.0.4:7008 the group has 4 voters, 3 votes are needed, 1 loss is tolerated as before (an even number adds none).\nAre you sure",
            (await _api.RunAsync("raft add 10.0.0.4:7008", "y\n")).Output);
        Members("URL", "URL");
        Assert.StartsWith("With 10.0.0.4:7008 the group has 3 voters, 2 votes are needed, 1 loss is tolerated instead of 0.\n", (await _api.RunAsync("raft add 10.0.0.4:7008", "y\n")).Output);
        Assert.StartsWith("PostgreSQL and its primary stay where they are; for the moment of the change nothing can be decided.\nAre you sure", (await _api.RunAsync("raft transfer n2", "y\n")).Output);
        Assert.Equal(3, _api.Requests.Count);
        Assert.Equal((1, "Error: Aborting addition\n"), Code(await _api.RunAsync("raft add 10.0.0.4:7008", "\n")));
        Assert.Equal((1, "Error: Aborting transfer\n"), Code(await _api.RunAsync("raft transfer n2", "\n")));
        Assert.Equal(3, _api.Requests.Count);
    }

    [Fact]
    public async Task Status_shows_every_voter_and_the_quorum()
    {
        Assert.Equal(
            """
            + Raft group: c1 ------+-----------+------+--------+---------+-----+--------------+
            | Name | Address       | Role      | Term | Commit | Applied | Lag | Last contact |
            +------+---------------+-----------+------+--------+---------+-----+--------------+
            | n1   | 10.0.0.1:7008 | Leader    |    3 |     42 |      40 |   2 |        0.0 s |
            | n2   | 10.0.0.2:7008 | no answer |      |        |         |     |      unknown |
            | n3   | 10.0.0.3:7008 | Leader    |    3 |     42 |      40 |   2 |        0.3 s |
            +------+---------------+-----------+------+--------+---------+-----+--------------+
            Quorum: 2 of 3 voters answer, 2 votes are needed; none more may be lost. n1 leads the group in term 3.

            """, (await _api.RunAsync("raft status")).Output);
        using var json = JsonDocument.Parse((await _api.RunAsync("raft status -f json")).Output);
        Assert.Equal((2, 0, true), (json.RootElement.GetProperty("votes_needed").GetInt32(), json.RootElement.GetProperty("may_lose").GetInt32(), json.RootElement.GetProperty("quorum").GetBoolean()));
        Assert.Equal(4, (await _api.RunAsync("raft status -f tsv")).Output.TrimEnd('\n').Split('\n').Length);
        Assert.Contains("\nleader: n1\n", (await _api.RunAsync("raft status -f yaml")).Output);
    }

    [Fact]
    public async Task Status_says_that_there_is_no_quorum_or_no_leader()
    {
        _api.Answers["GET /patroni"] = (200, """{"raft": {"role": "candidate", "term": 4, "commit_index": 42, "applied_index": 42, "leader": null, "peers": 3}}""");
        Assert.EndsWith("No leader of the group at this moment: 2 of 3 voters answer, 2 votes are needed. An election is under way, or the Raft ports cannot reach each other.\n",
            (await _api.RunAsync("raft status")).Output);
        Members("URL", "http://127.0.0.1:1", "http://127.0.0.1:1");
        Assert.EndsWith("No quorum: 1 of 3 voters answer, 2 votes are needed. Nothing can be decided until 1 more is back.\n", (await _api.RunAsync("raft status")).Output);
    }

    private static (int, string) Code((int Code, string Output, string Error) result) => (result.Code, result.Error);
}
