namespace Patroni.Raft.StateMachine;

/// <summary>What moves the cluster's lifecycle.</summary>
public enum ClusterTrigger
{
    /// <summary>A node claimed the right to initialize.</summary>
    Claim,
    /// <summary>The claimant kept its claim.</summary>
    KeepClaim,
    /// <summary>The claim was given back.</summary>
    AbandonClaim,
    /// <summary>The claim expired.</summary>
    ExpireClaim,
    /// <summary>The cluster exists and the claimant leads it.</summary>
    CompleteAsLeader,
    /// <summary>The cluster exists and an election decides who leads it.</summary>
    CompleteWithElection,
    /// <summary>A node answered the election.</summary>
    Answer,
    /// <summary>The election found no winner.</summary>
    CloseFruitless,
    /// <summary>The election found a winner.</summary>
    Elect,
    /// <summary>The holder renewed.</summary>
    Renew,
    /// <summary>The holder's PostgreSQL became primary.</summary>
    Promote,
    /// <summary>The first checkpoint is on disk.</summary>
    Checkpoint,
    /// <summary>The holder gave leadership up.</summary>
    Release,
    /// <summary>The lease ran out.</summary>
    Expire,
    /// <summary>An operator removed the cluster.</summary>
    Wipe,
}

/// <summary>The lifecycle of the cluster as one table; <c>docs/lifecycle.md</c> is generated from it.</summary>
public static class ClusterLifecycle
{
    /// <summary>The table.</summary>
    public static TransitionTable<ClusterPhase, ClusterTrigger> Table { get; } = new([
        new(ClusterPhase.Uninitialized, ClusterTrigger.Claim, ClusterPhase.Initializing, "init.claim", "a node may create or adopt the cluster; nobody else may at the same time"),
        new(ClusterPhase.Initializing, ClusterTrigger.KeepClaim, ClusterPhase.Initializing, "init.keep-claim", "the claimant is still at work"),
        new(ClusterPhase.Initializing, ClusterTrigger.AbandonClaim, ClusterPhase.Uninitialized, "init.abandon", "the bootstrap failed and the claim was given back"),
        new(ClusterPhase.Initializing, ClusterTrigger.ExpireClaim, ClusterPhase.Uninitialized, "init.expire", "the claimant stopped renewing its claim"),
        new(ClusterPhase.Initializing, ClusterTrigger.CompleteAsLeader, ClusterPhase.Elected, "init.complete", "the cluster exists; its creator leads"),
        new(ClusterPhase.Initializing, ClusterTrigger.CompleteWithElection, ClusterPhase.Vacant, "init.adopt", "existing standbys were adopted; an election decides"),
        new(ClusterPhase.Vacant, ClusterTrigger.Answer, ClusterPhase.Vacant, "election.answer", "a node stood, declined or withdrew"),
        new(ClusterPhase.Vacant, ClusterTrigger.CloseFruitless, ClusterPhase.Vacant, "election.fruitless", "nobody who answered may lead; the round stays open"),
        new(ClusterPhase.Vacant, ClusterTrigger.Elect, ClusterPhase.Elected, "election.won", "the best eligible candidate holds the lease"),
        new(ClusterPhase.Elected, ClusterTrigger.Renew, ClusterPhase.Elected, "lease.renew", "the holder keeps its lease"),
        new(ClusterPhase.Elected, ClusterTrigger.Promote, ClusterPhase.Led, "leader.promoted", "the holder's PostgreSQL is the primary"),
        new(ClusterPhase.Elected, ClusterTrigger.Release, ClusterPhase.Vacant, "lease.release", "the holder gave leadership up after a verified stop"),
        new(ClusterPhase.Elected, ClusterTrigger.Expire, ClusterPhase.Vacant, "lease.expire", "the lease was not renewed for its ttl"),
        new(ClusterPhase.Led, ClusterTrigger.Renew, ClusterPhase.Led, "lease.renew", "the holder keeps its lease"),
        new(ClusterPhase.Led, ClusterTrigger.Promote, ClusterPhase.Led, "leader.promoted-again", "the holder's PostgreSQL was promoted once more under the same epoch"),
        new(ClusterPhase.Led, ClusterTrigger.Checkpoint, ClusterPhase.Led, "leader.checkpointed", "pg_rewind may use this primary from now on"),
        new(ClusterPhase.Led, ClusterTrigger.Release, ClusterPhase.Vacant, "lease.release", "the holder gave leadership up after a verified stop"),
        new(ClusterPhase.Led, ClusterTrigger.Expire, ClusterPhase.Vacant, "lease.expire", "the lease was not renewed for its ttl"),
        new(ClusterPhase.Initializing, ClusterTrigger.Wipe, ClusterPhase.Uninitialized, "cluster.wipe", "an operator removed the cluster"),
        new(ClusterPhase.Vacant, ClusterTrigger.Wipe, ClusterPhase.Uninitialized, "cluster.wipe", "an operator removed the cluster"),
    ]);
}

/// <summary>What moves a member's lifecycle.</summary>
public enum MemberTrigger
{
    /// <summary>It reported.</summary>
    Touch,
    /// <summary>It stopped reporting.</summary>
    Expire,
    /// <summary>It was removed.</summary>
    Remove,
}

/// <summary>The lifecycle of a member as one table.</summary>
public static class MemberLifecycle
{
    /// <summary>The table.</summary>
    public static TransitionTable<MemberPresence, MemberTrigger> Table { get; } = new([
        new(MemberPresence.Unknown, MemberTrigger.Touch, MemberPresence.Alive, "member.join", "its first report"),
        new(MemberPresence.Alive, MemberTrigger.Touch, MemberPresence.Alive, "member.touch", "a further report"),
        new(MemberPresence.Alive, MemberTrigger.Expire, MemberPresence.Silent, "member.silent", "no report for ttl"),
        new(MemberPresence.Silent, MemberTrigger.Touch, MemberPresence.Alive, "member.return", "it reports again"),
        new(MemberPresence.Alive, MemberTrigger.Remove, MemberPresence.Unknown, "member.remove", "an operator removed it"),
        new(MemberPresence.Silent, MemberTrigger.Remove, MemberPresence.Unknown, "member.remove", "an operator removed it"),
    ]);
}
