using System.Globalization;
using System.Text.Json;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Cli.Client;

/// <summary>
/// Follows the event log over the deaths of nodes. Events are numbered without gaps and alike on every node, so the number of the last one
/// is all that a new connection needs: nothing is lost and nothing comes twice. A group that was formed anew counts on from what its survivor
/// knew; its generation tells.
/// </summary>
/// <param name="api">The nodes.</param>
/// <param name="happened">Called with every event, in order.</param>
/// <param name="notice">Called with sentences about the connection.</param>
public sealed class EventFeed(ApiClient api, Action<EventRecord> happened, Action<string> notice)
{
    // Nodes send a sign of life every 15 s.
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private long last;
    private long generation;
    private bool complained;

    /// <summary>Follows until it is stopped.</summary>
    /// <param name="since">Number of the last event that is known already.</param>
    /// <param name="stop">Ends it.</param>
    public async Task FollowAsync(long since, CancellationToken stop)
    {
        last = since;
        for (var next = 0; ; next++)
        {
            stop.ThrowIfCancellationRequested();
            var nodes = api.Nodes;
            if (nodes.Count == 0)
            {
                throw new CliException("no node is known: give a configuration file with -c, or addresses with -d http://host:8008");
            }

            if (next > 0 && next % nodes.Count == 0)
            {
                await Task.Delay(Pause, stop).ConfigureAwait(false);
            }

            var node = nodes[next % nodes.Count];
            try
            {
                await LearnAsync(node, stop).ConfigureAwait(false);
                await FollowAsync(node, stop).ConfigureAwait(false);
            }
            catch (Exception e) when (e is HttpRequestException or TimeoutException or IOException)
            {
                if (!complained)
                {
                    notice($"{node.GetLeftPart(UriPartial.Authority)} does not answer ({e.Message}); going on with another node after event {last}");
                }

                complained = true;
            }
        }
    }

    private async Task LearnAsync(Uri node, CancellationToken stop)
    {
        var answer = await api.TryGetAsync(node, "/state", stop).ConfigureAwait(false) ?? throw new HttpRequestException("no connection");
        if (answer.Json is not SettingMap document) return;
        api.Learn(GroupSurvey.MembersIn(document).Select(member => member.Api).OfType<Uri>());
        var now = SettingReader.Integer(document["generation"]) ?? 0;
        if (generation > 0 && now > generation) await BeginAgainAsync(node, stop).ConfigureAwait(false);
        generation = Math.Max(generation, now);
    }

    /// <summary>What the lost group counted after its survivor's last event is counted again by the new one.</summary>
    private async Task BeginAgainAsync(Uri node, CancellationToken stop)
    {
        var answer = await api.TryGetAsync(node, "/events", stop).ConfigureAwait(false) ?? throw new HttpRequestException("no connection");
        var raised = ((answer.Json as SettingMap)?["events"] as SettingList)?.Items.OfType<SettingMap>()
            .Where(record => record["event"] is SettingMap happened && SettingReader.Text(happened["type"]) == "generation_raised" && SettingReader.Integer(happened["generation"]) > generation)
            .Select(record => SettingReader.Integer(record["id"])).FirstOrDefault(id => id is not null);
        if (raised is { } first && first <= last)
        {
            notice($"the group was formed anew: its events count on from {first}, and those that were shown under {first} to {last} happened in the lost group");
            last = first - 1;
        }
    }

    /// <summary>Follows one node until it ends, hangs, or another one is ahead of it.</summary>
    private async Task FollowAsync(Uri node, CancellationToken stop)
    {
        using var answer = await api.OpenStreamAsync(node, string.Create(CultureInfo.InvariantCulture, $"/events/stream?since={last}"), stop).ConfigureAwait(false);
        await using var body = await answer.Content.ReadAsStreamAsync(stop).ConfigureAwait(false);
        using var reader = new StreamReader(body);
        complained = false;
        while (true)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
            limit.CancelAfter(Silence);
            string? line;
            try
            {
                line = await reader.ReadLineAsync(limit.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                throw new TimeoutException($"silent for {Silence.TotalSeconds:0} s");
            }

            switch (line)
            {
                case null:
                    throw new IOException("it ended");
                case [':', ..] when await AnotherIsAheadAsync(node, stop).ConfigureAwait(false):
                    return;
                case not null when line.StartsWith("data: ", StringComparison.Ordinal):
                    Take(JsonSerializer.Deserialize(line["data: ".Length..], StateJson.Default.EventRecord)!);
                    break;
            }
        }
    }

    private void Take(EventRecord record)
    {
        if (record.Id <= last)
        {
            return;
        }

        if (record.Id > last + 1 && last > 0)
        {
            notice($"events {last + 1} to {record.Id - 1} are no longer kept");
        }

        last = record.Id;
        happened(record);
    }

    // A node that is cut off from its group goes on answering and hears of nothing.
    private async Task<bool> AnotherIsAheadAsync(Uri node, CancellationToken stop)
    {
        foreach (var other in api.Nodes.Where(n => n != node))
        {
            var answer = await api.TryGetAsync(other, "/events?limit=0", stop).ConfigureAwait(false);
            if (answer is { IsSuccess: true } && SettingReader.Integer((answer.Json as SettingMap)?["last_id"]) > last)
            {
                notice($"{node.GetLeftPart(UriPartial.Authority)} is behind; going on with another node after event {last}");
                return true;
            }
        }

        return false;
    }
}
