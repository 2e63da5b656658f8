using Patroni.Raft.Agent.Node;
using Patroni.Raft.Api.Documents;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api;

/// <summary>What all endpoints share: the node, the options and the view of the newest snapshot.</summary>
internal sealed class ApiContext(INode node, ApiOptions options)
{
    private volatile ApiOptions options = options;
    private StatusView view = new(node.Snapshot);
    private ClusterState newest = ClusterState.Empty;

    public INode Node => node;

    public ApiOptions Options => options;

    /// <summary>The product's own metrics of this node.</summary>
    public RaftMetrics RaftMetrics { get; } = new(node.Snapshot.Scope, node.Snapshot.Self.Value);

    /// <summary>Ends streams when the host stops.</summary>
    public CancellationToken Stopping { get; set; }

    /// <summary>Takes the <c>restapi</c> section again; null, or what is wrong with it.</summary>
    public Func<string?> ReloadSection { get; set; } = static () => null;

    /// <summary>Goes on with other options.</summary>
    public void Use(ApiOptions next) => options = next;

    /// <summary>
    /// The node now. Whoever changed something through this API sees it in the next answer, also when the HA loop has not turned since.
    /// </summary>
    public StatusView View
    {
        get
        {
            NodeSnapshot snapshot = node.Snapshot;
            ClusterState seen = Volatile.Read(ref newest);
            StatusView current = Volatile.Read(ref view);
            if (ReferenceEquals(current.Origin, snapshot) && seen.AppliedIndex <= current.State.AppliedIndex) return current;
            current = seen.AppliedIndex > snapshot.State.AppliedIndex ? new(snapshot with { State = seen }, snapshot) : new(snapshot);
            Volatile.Write(ref view, current);
            return current;
        }
    }

    /// <summary>Notes a state that the node has applied.</summary>
    public ClusterState Observe(ClusterState state)
    {
        ClusterState known = Volatile.Read(ref newest);
        while (state.AppliedIndex > known.AppliedIndex)
        {
            ClusterState before = Interlocked.CompareExchange(ref newest, state, known);
            if (ReferenceEquals(before, known)) break;
            known = before;
        }
        return state;
    }

    /// <summary>The state after everything committed before this call.</summary>
    /// <exception cref="ClusterUnavailableException">No quorum in time.</exception>
    public async Task<ClusterState> ReadAsync(CancellationToken cancellation) => Observe(await node.ReadAsync(options.LogTimeout, cancellation));

    /// <summary>Proposes, and waits until the outcome is applied on this node.</summary>
    /// <exception cref="ClusterUnavailableException">No quorum in time; the outcome may be unknown.</exception>
    public async Task<(Outcome Outcome, ClusterState State)> ProposeAsync(Command command, CancellationToken cancellation)
    {
        Outcome outcome = await node.ProposeAsync(command, options.LogTimeout, cancellation);
        ClusterState state = await node.WaitForAsync(state => state.AppliedIndex >= outcome.Index, options.LogTimeout, cancellation)
            ?? throw new ClusterUnavailableException($"The command was applied at index {outcome.Index}, but this node has not followed up to it yet.");
        return (outcome, Observe(state));
    }
}
