namespace Patroni.Raft.Simulation;

/// <summary>
/// What the nemesis is after. Every world has all kinds of faults; a plot composes some of them again and again into the chain of events at whose end one
/// line of defence stands alone. The product must keep every invariant in all of them.
/// </summary>
internal enum Plot
{
    /// <summary>Nothing in particular.</summary>
    None,
    /// <summary>The quorum is lost for good and the group formed anew from an old log.</summary>
    FormedAnew,
    /// <summary>Winners die between promotion and report, stands travel long, and repaired nodes are cut off before they can say so.</summary>
    LateStands,
    /// <summary>A primary that wrote on beside the group comes back just when another was promoted, whose first checkpoint takes long.</summary>
    EarlyRejoins,
    /// <summary>Primaries without quorum live by promises, and who promised dies, lags behind, or is not reached again.</summary>
    Promises,
    /// <summary>
    /// A replica hears nothing of the group and streams on, while its primary ends, is elected and promoted again, dies before it says so, and another is
    /// promoted at the same position.
    /// </summary>
    DeafReplicas,
    /// <summary>A member comes back, and into the topology of failsafe mode, just when the primary loses the quorum.</summary>
    Topologies,
}
