using System.Text.Json.Nodes;

namespace Patroni.Raft.Bench;

/// <summary>Three agents of this project; their Raft group is inside them.</summary>
internal sealed class PatroniRaftCluster(Workplace workplace, Timing timing) : ManagedCluster(workplace, "prbr", timing)
{
    protected override IEnumerable<string> ListCommand => [Workplace.PatroniRaft, "-c", Path.Combine(Nodes[0].Directory, "patroni.yml"), "list"];

    protected override IEnumerable<string> AgentCommand(NodeAddress node)
    {
        var settings = Settings.Common("bench", node, Timing, Workplace.PostgresBin);
        settings["raft"] = new JsonObject
        {
            ["self_addr"] = Settings.Local(node.ConsensusPort),
            ["partner_addrs"] = new JsonArray([.. Nodes.Where(n => n != node).Select(n => (JsonNode)Settings.Local(n.ConsensusPort))]),
            ["data_dir"] = Path.Combine(node.Directory, "raft"),
        };
        var file = Path.Combine(node.Directory, "patroni.yml");
        File.WriteAllText(file, settings.ToJsonString());
        return [Workplace.PatroniRaft, "run", file];
    }
}
