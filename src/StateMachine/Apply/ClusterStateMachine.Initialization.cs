namespace Patroni.Raft.StateMachine;

public static partial class ClusterStateMachine
{
    private static Outcome Claim(Step step, ClaimInitialization c)
    {
        if (c.TtlMs <= 0) return step.Reject(OutcomeCode.Invalid, $"A claim's ttl of {c.TtlMs} ms is not positive.");
        if (c.ClaimIndex != 0) return KeepClaim(step, c);
        if (!step.CanMove(ClusterTrigger.Claim)) return step.Illegal();
        if (NotReadyToInitialize(step.State, c) is { } reason) return step.Reject(OutcomeCode.NotReady, reason);

        string rule = step.Move(ClusterTrigger.Claim, new Initializing(new(c.Node, step.Index, step.Index, c.TtlMs)));
        step.Record(rule, new InitializationClaimed(c.Node, c.HasData));
        return step.Accept();
    }

    /// <summary>The first formation needs all initial members; a member with data is adopted rather than overwritten by a new cluster.</summary>
    private static string? NotReadyToInitialize(ClusterState state, ClaimInitialization c)
    {
        if (!state.Members.TryGetValue(c.Node, out Member? claimant)) return $"{c.Node} is not a registered node with PostgreSQL that has reported.";
        if (state.Peers.Count < c.ExpectedPeers)
            return $"{state.Peers.Count} of {c.ExpectedPeers} initial members are registered.";
        foreach (Peer peer in state.Peers.Values)
        {
            if (peer.Kind != PeerKind.Data) continue;
            if (!state.Members.TryGetValue(peer.Name, out Member? member)) return $"{peer.Name} has not reported whether it has data.";
            if (!c.HasData && member.Report.SystemIdentifier != 0)
                return $"{peer.Name} has the data of system {member.Report.SystemIdentifier}; it must be adopted, not a new cluster created.";
            if (claimant.Report.SystemIdentifier == member.Report.SystemIdentifier && claimant.Report.Timeline < member.Report.Timeline)
                return $"{peer.Name} has timeline {member.Report.Timeline} of the same system, newer than {claimant.Report.Timeline} of {c.Node}; {peer.Name} must adopt it.";
        }
        return null;
    }

    private static Outcome KeepClaim(Step step, ClaimInitialization c)
    {
        if (step.State.Leadership is not Initializing { Claim: var claim }) return step.Illegal();
        if (claim.ClaimIndex != c.ClaimIndex || claim.Node != c.Node)
            return step.Reject(OutcomeCode.StaleEpoch, $"The claim in force is {claim.ClaimIndex} of {claim.Node}, not {c.ClaimIndex} of {c.Node}.");
        step.Move(ClusterTrigger.KeepClaim, new Initializing(claim with { LastRenewalIndex = step.Index, TtlMs = c.TtlMs }));
        return step.Accept();
    }

    private static Outcome Abandon(Step step, AbandonInitialization c)
    {
        if (step.State.Leadership is not Initializing { Claim: var claim }) return step.Illegal();
        if (claim.ClaimIndex != c.ClaimIndex)
            return step.Reject(OutcomeCode.StaleEpoch, $"The claim in force is {claim.ClaimIndex}, not {c.ClaimIndex}.");
        string rule = step.Move(ClusterTrigger.AbandonClaim, new Uninitialized());
        step.Record(rule, new InitializationAbandoned(claim.Node, false, Step.Brief(c.Reason)));
        return step.Accept();
    }

    private static Outcome ExpireClaim(Step step, ExpireInitialization c)
    {
        if (step.State.Leadership is not Initializing { Claim: var claim }) return step.Illegal();
        if (claim.ClaimIndex != c.ClaimIndex)
            return step.Reject(OutcomeCode.StaleEpoch, $"The claim in force is {claim.ClaimIndex}, not {c.ClaimIndex}.");
        if (claim.LastRenewalIndex != c.LastRenewalIndex)
            return step.Reject(OutcomeCode.LeaseRenewed, $"The claim was renewed at {claim.LastRenewalIndex}, after {c.LastRenewalIndex}.");
        string rule = step.Move(ClusterTrigger.ExpireClaim, new Uninitialized());
        step.Record(rule, new InitializationAbandoned(claim.Node, true, $"not renewed for {claim.TtlMs} ms"));
        return step.Accept();
    }

    private static Outcome Complete(Step step, CompleteInitialization c)
    {
        if (step.State.Leadership is not Initializing { Claim: var claim }) return step.Illegal();
        if (claim.ClaimIndex != c.ClaimIndex || claim.Node != c.Node)
            return step.Reject(OutcomeCode.StaleEpoch, $"The claim in force is {claim.ClaimIndex} of {claim.Node}, not {c.ClaimIndex} of {c.Node}.");
        if (c.SystemIdentifier == 0) return step.Reject(OutcomeCode.Invalid, "The system identifier is missing.");
        if (ConfigProblem(c.ConfigJson) is { } problem) return step.Reject(OutcomeCode.InvalidConfiguration, problem);

        step.State = step.State with { SystemIdentifier = c.SystemIdentifier, Config = new(c.ConfigJson, step.Index) };
        step.Record("init.complete", new InitializationCompleted(c.Node, c.SystemIdentifier));
        if (c.GrantLeadership)
        {
            LeaderLease lease = NewLease(step, c.Node, step.Id, default);
            string rule = step.Move(ClusterTrigger.CompleteAsLeader, new Elected(lease));
            step.Record(rule, new LeaderElected(default, c.Node, lease.Epoch, []));
        }
        else
        {
            Vacancy vacancy = NewVacancy(step, VacancyReason.Adopted, "existing data directories were adopted", null, default, null, default);
            string rule = step.Move(ClusterTrigger.CompleteWithElection, new Vacant(vacancy));
            step.Record(rule, new VacancyOpened(vacancy.Id, vacancy.Reason, vacancy.Detail, null, default, default, default, null));
        }
        return step.Accept();
    }

    private static Outcome Wipe(Step step, WipeCluster c)
    {
        if (!step.CanMove(ClusterTrigger.Wipe)) return step.Illegal();
        string rule = step.Move(ClusterTrigger.Wipe, new Uninitialized());
        step.State = step.State with
        {
            SystemIdentifier = 0,
            Config = new("{}", step.Index),
            Failover = null,
            Sync = SyncState.None,
            FailsafeTopology = step.State.FailsafeTopology.Clear(),
            FailsafeVersion = step.Index,
            History = [],
            Lineage = [],
        };
        step.Record(rule, new ClusterWiped(Step.Brief(c.Reason)));
        return step.Accept();
    }
}
