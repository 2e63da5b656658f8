using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>What may follow a command line, as the shells' scripts ask for it.</summary>
public sealed class CompletionTests : IAsyncLifetime
{
    private FakeApi _api = null!;

    public async Task InitializeAsync() => _api = await FakeApi.StartAsync();

    public async Task DisposeAsync() => await _api.DisposeAsync();

    private static async Task<string[]> Ask(string line)
    {
        var (code, output, error) = await FakeApi.RunAsync(["completion", "query", line]);
        Assert.Equal((0, ""), (code, error));
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => l.Split('\t')[0])];
    }

    [Theory]
    [InlineData("patroni-raft sw", "switchover")]
    [InlineData("/usr/bin/patroni-raft raft f", "force-new-cluster")]
    [InlineData("patroni-raft list --exten", "--extended")]
    [InlineData("patroni-raft history -f t", "tsv")]
    [InlineData("patronictl -c /etc/x.yml explain --fo", "--format")]
    public async Task One_thing_may_follow(string line, string expected) => Assert.Equal([expected], await Ask(line));

    [Fact]
    public async Task All_verbs_may_follow_the_program_and_those_for_scripts_are_hidden()
    {
        var verbs = await Ask("patroni-raft ");
        Assert.Contains("explain", verbs);
        Assert.Contains("completion", verbs);
        Assert.DoesNotContain("query", await Ask("patroni-raft completion "));
        Assert.Equal(["bash", "fish", "zsh"], (await Ask("patroni-raft completion ")).Where(static c => c[0] != '-'));
    }

    [Theory]
    [InlineData("patroni-raft")]
    [InlineData("patroni-raft edit-config --apply ")]
    public async Task Nothing_is_offered_where_a_file_or_nothing_belongs(string line) => Assert.Empty(await Ask(line));

    [Fact]
    public async Task Members_are_asked_of_the_cluster_that_the_line_names()
    {
        Assert.Equal(["node1"], await Ask($"patroni-raft -d {_api.Url} switchover --candidate node1"));
        Assert.Equal(["node0", "node1", "node2"], await Ask($"patroni-raft -d {_api.Url} switchover --candidate "));
        Assert.Contains("node2", await Ask($"patroni-raft -d {_api.Url} raft remove "));
        Assert.Empty(await Ask("patroni-raft -d http://127.0.0.1:1 switchover --candidate "));
    }

    [Theory]
    [InlineData("bash", "complete -o default -F _patroni_raft patroni-raft patronictl")]
    [InlineData("zsh", "#compdef patroni-raft patronictl")]
    [InlineData("fish", "complete -c patroni-raft -f -a")]
    public async Task A_script_for_every_shell(string shell, string part) => Assert.Contains(part, (await FakeApi.RunAsync(["completion", shell])).Output);
}
