using System.Globalization;

namespace Patroni.Raft.ChaosTests.Nemesis;

/// <summary>What may happen to a cluster.</summary>
internal enum FaultKind
{
    /// <summary>kill -9 of the agent alone; started again at the end of the fault.</summary>
    KillAgent,
    /// <summary>kill -9 of the guard alone.</summary>
    KillGuard,
    /// <summary>kill -9 of every process of the node; the agent is started again at the end.</summary>
    KillNode,
    /// <summary>kill -9 of the postmaster alone.</summary>
    KillPostmaster,
    /// <summary>SIGSTOP of the agent alone, SIGCONT at the end.</summary>
    StopAgent,
    /// <summary>SIGSTOP of every process of the node, SIGCONT at the end: a host that stands still while the clock goes on.</summary>
    FreezeNode,
    /// <summary>SIGTERM to the agent, which stops PostgreSQL; started again at the end.</summary>
    RestartAgent,
    /// <summary>No packet between the node and all others, either way.</summary>
    Isolate,
    /// <summary>The node hears nobody, and is heard.</summary>
    Deaf,
    /// <summary>Nobody hears the node, and it hears all.</summary>
    Mute,
    /// <summary>Every node is cut from one neighbour of the ring in one direction: all see a different part of the group.</summary>
    Ring,
    /// <summary>The node and the next are cut from the others.</summary>
    Halves,
    /// <summary>What the node sends is slow.</summary>
    SlowLink,
    /// <summary>The node loses a part of what it is sent.</summary>
    LossyLink,
    /// <summary>No space is left for data and WAL.</summary>
    FullData,
    /// <summary>No space is left for the Raft log.</summary>
    FullRaft,
}

/// <summary>Whom a fault hits, decided when it strikes.</summary>
internal enum Target
{
    Primary,
    RaftLeader,
    Node,
}

/// <summary>One step of a schedule.</summary>
/// <param name="Pause">Time before it.</param>
/// <param name="Kind">What happens.</param>
/// <param name="Target">To whom.</param>
/// <param name="Node">The node when there is no such target, or when any node is meant.</param>
/// <param name="Length">How long it lasts.</param>
internal sealed record Fault(TimeSpan Pause, FaultKind Kind, Target Target, int Node, TimeSpan Length)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"after {Pause.TotalSeconds:F1} s {Kind} on {(Target == Target.Node ? $"node{Node}" : $"{Target} (else node{Node})")} for {Length.TotalSeconds:F1} s");
}
