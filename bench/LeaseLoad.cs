using System.Text.Json.Nodes;

namespace Patroni.Raft.Bench;

/// <summary>Leases lost by a cluster at its lowest timing while the API of its leader answers as many requests as it can.</summary>
internal static class LeaseLoad
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(10) };
    private static readonly string[] Paths = ["/primary", "/patroni", "/cluster", "/metrics"];

    /// <summary>Loads the leader for the whole time, path after path; every change of leadership since the start counts as a lease lost.</summary>
    public static async Task<(int Lost, double PerSecond)> RunAsync(Workplace workplace, ManagedCluster cluster, TimeSpan duration)
    {
        var leader = await cluster.WaitHealthyAsync(TimeSpan.FromSeconds(120));
        var before = await LastEventAsync(leader);
        double requests = 0;
        var slice = duration / Paths.Length;
        foreach (var path in Paths)
        {
            requests += (await HttpLoad.RunAsync(workplace, leader, path, slice)).PerSecond * slice.TotalSeconds;
        }

        return (await LostAsync(leader, before), requests / duration.TotalSeconds);
    }

    private static async Task<long> LastEventAsync(NodeAddress node) => (long)(await EventsAsync(node, long.MaxValue - 1))["last_id"]!;

    private static async Task<int> LostAsync(NodeAddress node, long since) =>
        ((JsonArray)(await EventsAsync(node, since))["events"]!).Count(row => (string?)row!["event"]?["type"] == "vacancy_opened");

    private static async Task<JsonNode> EventsAsync(NodeAddress node, long since) =>
        JsonNode.Parse(await Http.GetStringAsync($"http://{Settings.Local(node.ApiPort)}/events?since={since}&limit=1000"))!;
}
