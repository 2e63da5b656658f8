using System.Diagnostics;
using Patroni.Raft.IntegrationTests.Cluster.Harness;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>Sends every recorded request to a new cluster, in the order of the recordings, and keeps what differed.</summary>
internal sealed class ContractReplay
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Dictionary<string, IReadOnlyList<string>> findings = [];

    private ContractReplay() { }

    /// <summary>All differences of a recording.</summary>
    public IReadOnlyList<string> this[Recording recording] => findings[recording.Title];

    public static async Task<ContractReplay> RunAsync(TestCluster cluster)
    {
        var replay = new ContractReplay();
        TestNode leader = await cluster.PrimaryAsync();
        TestNode[] others = [.. cluster.DataNodes.Where(node => node != leader)];
        Dictionary<string, string> names = Names([leader, .. others]);
        foreach (Recording recording in Recording.All)
        {
            foreach (RecordedRequest before in recording.Before)
            {
                RawAnswer done = await SendAsync(before, leader, others[0], names);
                if (done.Status != 200) throw new InvalidOperationException($"{before} was answered with {done}");
            }
            replay.findings[recording.Title] = await CompareAsync(recording, () => SendAsync(recording.Request, leader, others[0], names), names);
        }
        return replay;
    }

    /// <summary>
    /// Reads are repeated until they agree: between a change and its effect (a restarted replica that streams again, a pending restart that shows)
    /// lies a turn or two of the HA loop, in the recordings too.
    /// </summary>
    private static async Task<IReadOnlyList<string>> CompareAsync(Recording recording, Func<Task<RawAnswer>> ask, IReadOnlyDictionary<string, string> names)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            IReadOnlyList<string> found = AnswerComparison.Compare(recording, await ask(), names);
            if (found.All(finding => Difference.Allows(recording, finding)) || recording.Request.Method != "GET" || watch.Elapsed > Patience) return found;
            await Task.Delay(100);
        }
    }

    private static Task<RawAnswer> SendAsync(RecordedRequest request, TestNode leader, TestNode replica, IReadOnlyDictionary<string, string> names)
    {
        string? body = names.Where(name => name.Key.StartsWith("node", StringComparison.Ordinal))
            .Aggregate(request.Body, static (text, name) => text?.Replace($"\"{name.Key}\"", $"\"\0{name.Value}\"", StringComparison.Ordinal))?.Replace("\0", "", StringComparison.Ordinal);
        return RawHttp.SendAsync((request.ToReplica ? replica : leader).ApiPort, request.Method, request.Path, body);
    }

    private static Dictionary<string, string> Names(TestNode[] nodes)
    {
        var names = new Dictionary<string, string> { ["lab"] = TestCluster.Scope, ["rep"] = TestCluster.ReplicationUser };
        for (int i = 0; i < nodes.Length; i++)
        {
            names[$"node{i}"] = nodes[i].Name;
            names[$"http://127.0.0.1:840{i}/patroni"] = $"{nodes[i].ApiUrl}/patroni";
            names[$"640{i}"] = nodes[i].PostgresPort.ToString();
        }
        return names;
    }
}
