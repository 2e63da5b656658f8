namespace Patroni.Raft.ChaosTests.Network;

/// <summary>
/// A bridge with one network namespace per node. Clients live beside the bridge and reach every node whatever is cut between the nodes: a
/// primary that the others lost while clients still write to it is the dangerous case. Filters stand at the receiving node, so that packets
/// vanish as on a wire and senders see no error.
/// </summary>
internal sealed class NodeNetwork : IDisposable
{
    private static int networks;
    // Clusters of several tests live side by side.
    private readonly int number = Interlocked.Increment(ref networks);
    private readonly int nodes;
    private readonly Lock gate = new();
    private readonly HashSet<(int From, int To)> cut = [];
    private readonly Dictionary<int, int> lossPercent = [];

    public NodeNetwork(int nodes)
    {
        if (Environment.GetEnvironmentVariable("PATRONI_RAFT_NAMESPACES") != "1")
            throw new InvalidOperationException("These tests need network and mount namespaces of their own: run them by ./test -p chaos, or see tests/chaos/README.md.");
        this.nodes = nodes;
        Shell.Run("ip", "link", "add", Bridge, "type", "bridge");
        Shell.Run("ip", "address", "add", $"10.77.{number}.254/24", "dev", Bridge);
        Shell.Run("ip", "link", "set", Bridge, "up");
        for (int node = 1; node <= nodes; node++) Connect(node);
        HasDelay = Shell.Can("nsenter", Inside(1, "/usr/sbin/tc", "qdisc", "replace", "dev", "eth0", "root", "netem", "delay", "1ms"));
        Heal();
    }

    private string Bridge => $"bridge{number}";

    /// <summary>Whether this kernel can delay packets (netem); where it cannot, slow links are narrow ones whose queue is the delay.</summary>
    public bool HasDelay { get; }

    public string Address(int node) => $"10.77.{number}.{node}";

    /// <summary>The identity of a node's network namespace, as in /proc/ID/ns/net: what runs in it belongs to the node.</summary>
    public static string NamespaceOf(int processId) => new FileInfo($"/proc/{processId}/ns/net").LinkTarget ?? "";

    /// <summary>The arguments of nsenter that run a command at a node; the command keeps the process id.</summary>
    public string[] Inside(int node, params string[] command) => [$"--net=/run/netns/{Name(node)}", "--", .. command];

    /// <summary>Lets no packet of one node reach another.</summary>
    public void Cut(int from, int to)
    {
        lock (gate)
        {
            cut.Add((from, to));
            Filter(to);
        }
    }

    /// <summary>Drops this part of all packets that a node gets from others.</summary>
    public void Lose(int node, int percent)
    {
        lock (gate)
        {
            lossPercent[node] = percent;
            Filter(node);
        }
    }

    /// <summary>Makes what a node sends slow: delayed where the kernel can, else through a narrow pipe.</summary>
    public void Slow(int node) => Shell.Run("nsenter", Inside(node, HasDelay
        ? ["/usr/sbin/tc", "qdisc", "replace", "dev", "eth0", "root", "netem", "delay", "150ms", "75ms"]
        : ["/usr/sbin/tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", "400kbit", "burst", "8kb", "latency", "400ms"]));

    /// <summary>Ends every cut, loss and delay.</summary>
    public void Heal()
    {
        lock (gate)
        {
            cut.Clear();
            lossPercent.Clear();
            for (int node = 1; node <= nodes; node++)
            {
                Filter(node);
                Shell.Can("nsenter", Inside(node, "/usr/sbin/tc", "qdisc", "delete", "dev", "eth0", "root"));
            }
        }
    }

    public void Dispose()
    {
        for (int node = 1; node <= nodes; node++) Shell.Can("ip", "netns", "delete", Name(node));
        for (int node = 1; node <= nodes; node++) Shell.Can("ip", "link", "delete", Link(node));
        Shell.Can("ip", "link", "delete", Bridge);
    }

    private string Name(int node) => $"net{number}-node{node}";

    private string Link(int node) => $"link{number}-{node}";

    private void Connect(int node)
    {
        string name = Name(node), outside = Link(node);
        Shell.Run("ip", "netns", "add", name);
        Shell.Run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name);
        Shell.Run("ip", "link", "set", outside, "master", Bridge, "up");
        Shell.Run("ip", "-n", name, "address", "add", $"{Address(node)}/24", "dev", "eth0");
        Shell.Run("ip", "-n", name, "link", "set", "eth0", "up");
        Shell.Run("ip", "-n", name, "link", "set", "lo", "up");
    }

    /// <summary>Replaces a node's filter as a whole, in one transaction of the kernel.</summary>
    private void Filter(int node)
    {
        var rules = new List<string>();
        foreach ((int from, int to) in cut.Order())
            if (to == node) rules.Add($"ip saddr {Address(from)} drop");
        if (lossPercent.TryGetValue(node, out int percent))
            rules.Add($"ip saddr {Address(1)}-{Address(nodes)} numgen random mod 100 < {percent} drop");
        string table = $"table inet chaos\ndelete table inet chaos\ntable inet chaos {{\nchain input {{\ntype filter hook input priority 0;\n{string.Join('\n', rules)}\n}}\n}}\n";
        Shell.Run(table, "nsenter", Inside(node, "/usr/sbin/nft", "-f", "-"));
    }
}
