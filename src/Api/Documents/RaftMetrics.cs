using Patroni.Raft.Agent.Node;
using Prometheus;

namespace Patroni.Raft.Api.Documents;

/// <summary>
/// The product's own metrics, <c>patroni_raft_*</c>, in a registry of this node's: no process-wide state, so that several nodes may live in one
/// process. Figures are those of a snapshot and are set when a document is made of it; only the latency of commits is observed as it happens.
/// </summary>
internal sealed class RaftMetrics
{
    private static readonly string[] Roles = ["leader", "follower", "candidate", "stopped"];
    private readonly Lock gate = new();
    private readonly CollectorRegistry registry = Metrics.NewCustomRegistry();
    private readonly Histogram commitLatency;
    private readonly Gauge role;
    private readonly Gauge leader;
    private readonly Gauge hasLeader;
    private readonly Gauge term;
    private readonly Counter commitIndex;
    private readonly Counter appliedIndex;
    private readonly Gauge peers;
    private readonly Counter elections;
    private readonly Counter events;

    /// <summary>Metrics of a node.</summary>
    /// <param name="scope">The label <c>scope</c>.</param>
    /// <param name="name">The label <c>name</c>.</param>
    public RaftMetrics(string scope, string name)
    {
        registry.SetStaticLabels(new Dictionary<string, string> { ["scope"] = scope, ["name"] = name });
        IMetricFactory make = Metrics.WithCustomRegistry(registry);
        role = make.CreateGauge("patroni_raft_role", "Value is 1 for the role that this node has in the Raft group, 0 for the others.", labelNames: ["role"]);
        leader = make.CreateGauge("patroni_raft_leader", "Value is 1 if this node leads the Raft group, 0 otherwise.");
        hasLeader = make.CreateGauge("patroni_raft_has_leader", "Value is 1 if this node knows a leader of the Raft group, 0 otherwise.");
        term = make.CreateGauge("patroni_raft_term", "Raft term.");
        commitIndex = make.CreateCounter("patroni_raft_commit_index", "Highest index of the log known to be committed.");
        appliedIndex = make.CreateCounter("patroni_raft_applied_index", "Highest index of the log applied here.");
        peers = make.CreateGauge("patroni_raft_peers", "Number of voters of the Raft group.");
        elections = make.CreateCounter("patroni_raft_elections", "Elections of a Raft leader seen since this agent started.");
        events = make.CreateCounter("patroni_raft_events", "Number of the newest significant event.");
        commitLatency = make.CreateHistogram("patroni_raft_commit_latency_seconds", "Time from a proposal of this node to its outcome.",
            new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(0.0005, 2, 14) });
    }

    /// <summary>Notes how long a proposal of this node took to be committed and applied by the Raft leader.</summary>
    public void Committed(TimeSpan latency) => commitLatency.Observe(latency.TotalSeconds);

    /// <summary>All of them in Prometheus' text format, with the figures of a snapshot.</summary>
    public byte[] Write(NodeSnapshot snapshot)
    {
        lock (gate)
        {
            RaftView raft = snapshot.Raft;
            foreach (string possible in Roles) role.WithLabels(possible).Set(raft.Role == possible ? 1 : 0);
            leader.Set(raft.Role == "leader" ? 1 : 0);
            hasLeader.Set(raft.LeaderAddress.Length > 0 ? 1 : 0);
            term.Set(raft.Term);
            commitIndex.IncTo(raft.CommitIndex);
            appliedIndex.IncTo(raft.AppliedIndex);
            peers.Set(raft.Peers);
            elections.IncTo(raft.Elections);
            events.IncTo(snapshot.State.EventCount);
            using var text = new MemoryStream(4096);
            registry.CollectAndExportAsTextAsync(text).GetAwaiter().GetResult();
            return text.ToArray();
        }
    }
}
