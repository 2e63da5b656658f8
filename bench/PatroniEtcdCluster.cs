using System.Diagnostics;

namespace Patroni.Raft.Bench;

/// <summary>Patroni with an etcd of three members, all on loopback, etcd with its own defaults.</summary>
internal sealed class PatroniEtcdCluster(Workplace workplace, Timing timing) : ManagedCluster(workplace, "prbp", timing)
{
    protected override void StartStore() => StartEtcd(Workplace, Directory, Nodes);

    /// <summary>Starts the three members; they elect a leader by themselves.</summary>
    public static IReadOnlyList<Process> StartEtcd(Workplace workplace, string directory, IReadOnlyList<NodeAddress> nodes)
    {
        var group = string.Join(',', nodes.Select(n => $"{n.Name}=http://{Settings.Local(n.ConsensusPort)}"));
        var environment = new Dictionary<string, string> { ["PATRONI_RAFT_BENCH_CLUSTER"] = directory };
        return [.. nodes.Select(node =>
        {
            var peer = "http://" + Settings.Local(node.ConsensusPort);
            var client = "http://" + Settings.Local(node.EtcdClientPort);
            return Processes.Start(
                Path.Combine(directory, node.Name + ".etcd.log"), environment, workplace.Etcd, "--name", node.Name,
                "--data-dir", Path.Combine(directory, node.Name + ".etcd"),
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--initial-cluster", group, "--initial-cluster-state", "new", "--log-level", "warn");
        })];
    }

    // Debian installs it beside the agent.
    protected override IEnumerable<string> ListCommand => [Workplace.Patroni + "ctl", "-c", Path.Combine(Nodes[0].Directory, "patroni.yml"), "list"];

    protected override IEnumerable<string> AgentCommand(NodeAddress node)
    {
        var settings = Settings.Common("bench", node, Timing, Workplace.PostgresBin);
        settings["etcd3"] = new System.Text.Json.Nodes.JsonObject
        {
            ["hosts"] = string.Join(',', Nodes.Select(n => Settings.Local(n.EtcdClientPort))),
        };
        var file = Path.Combine(node.Directory, "patroni.yml");
        File.WriteAllText(file, settings.ToJsonString());
        return [Workplace.Patroni, file];
    }
}
