using Patroni.Raft.Agent.Configuration;
using Patroni.Raft.Cli.Client;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>The event stream over a group that is formed anew.</summary>
public sealed class EventFeedTests
{
    private static string Event(long id, string happened) => $$"""{"id":{{id}},"index":{{id + 5}},"unix_ms":1,"rule":"x","event":{{happened}}}""";

    [Fact]
    public async Task Events_that_a_new_generation_counts_again_are_not_taken_for_known()
    {
        const string Cleared = """{"type":"failover_cleared","request_index":1,"reason":"r"}""";
        await using FakeApi api = await FakeApi.StartAsync();
        api.Answers["GET /state"] = (200, """{"generation": 1, "peers": {}}""");
        api.Answers["GET /events/stream"] = (200, $"data: {Event(100, Cleared)}\n\n");
        string raised = Event(90, """{"type":"generation_raised","generation":2,"reason":"forced"}"""), next = Event(91, Cleared);
        using var client = new ApiClient([new(api.Url)], new CtlSettings { Authentication = null, Insecure = false, CaCert = null, CertFile = null, KeyFile = null, KeyFilePassword = null }, false, "-d");
        using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        List<long> seen = [];
        List<string> notices = [];
        void Happened(EventRecord record)
        {
            seen.Add(record.Id);
            if (record.Id == 91) stop.Cancel();
            if (record.Id != 100) return;
            api.Answers["GET /events"] = (200, $$"""{"events": [{{raised}}, {{next}}], "last_id": 91}""");
            api.Answers["GET /events/stream"] = (200, $"data: {raised}\n\ndata: {next}\n\n");
            api.Answers["GET /state"] = (200, """{"generation": 2, "peers": {}}""");
        }
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new EventFeed(client, Happened, notices.Add).FollowAsync(99, stop.Token));
        Assert.Equal([100, 90, 91], seen);
        Assert.Contains(notices, notice => notice.Contains("formed anew", StringComparison.Ordinal));
    }
}
