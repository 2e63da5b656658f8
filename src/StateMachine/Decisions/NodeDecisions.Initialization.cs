namespace Patroni.Raft.StateMachine;

public static partial class NodeDecisions
{
    private const long ClaimTtlMs = 30_000;

    private static Decision WhenUninitialized(NodeView view)
    {
        if (view.Data is UnusableData unusable) return Decision.Wait("data.unusable", unusable.Reason);
        if (view.Data is UnfinishedData) return RemoveUnfinished(view);
        if (!view.State.Members.ContainsKey(view.Self)) return Decision.Wait("init.register", "waiting to be registered");
        bool hasData = view.Data is PresentData;
        if (view.Traits.FailoverPriority <= 0 && !hasData) return Decision.Wait("init.nofailover", "nofailover is set; another node initializes the cluster");
        if (WhyAnotherAdopts(view) is { } reason) return Decision.Wait("init.adopt-other", reason);
        return Decision.Do("init.claim", hasData ? "existing data is adopted" : "no cluster exists yet",
            new Propose(new ClaimInitialization(view.Self, 0, hasData, view.ExpectedPeers, ClaimTtlMs)));
    }

    /// <summary>Why another member must initialize the cluster, or null.</summary>
    private static string? WhyAnotherAdopts(NodeView view)
    {
        foreach (Member member in view.State.Members.Values)
        {
            if (member.Name == view.Self || member.Report.SystemIdentifier == 0) continue;
            if (view.Data is not PresentData) return $"{member.Name} has data to adopt";
            // Of one system the newest timeline is adopted, whoever has it: no other claim would be accepted.
            bool isNewer = view.Report.SystemIdentifier == member.Report.SystemIdentifier && view.Report.Timeline > member.Report.Timeline;
            if (view.Data is not PresentData { IsStandby: true } || isNewer || member.Report.Role != PostgresRole.Primary) continue;
            if (member.Presence == MemberPresence.Alive) return $"{member.Name} has the data of a primary to adopt";
            // What was last seen to run may run on, and nothing fences what nobody has adopted yet: only people can know. What had stopped is not waited for.
            if (member.Report.State is not (PostgresState.Stopped or PostgresState.Crashed))
                return $"{member.Name} ran as primary when it last reported; start its agent again, or, when its PostgreSQL is surely stopped: patroni-raft raft remove {member.Name}";
        }
        return null;
    }

    private static Decision WhenInitializing(NodeView view, InitializationClaim claim)
    {
        if (claim.Node != view.Self) return Decision.Wait("init.wait", $"waiting for {claim.Node} to initialize the cluster");
        if (view.Data is UnusableData unusable)
            return Decision.Do("init.abandon", unusable.Reason, new Propose(new AbandonInitialization(claim.ClaimIndex, unusable.Reason)));
        if (FailedHere(view, ActionKind.Initialize))
        {
            string reason = view.LastAction!.Reason;
            return Decision.Do("init.abandon", $"the bootstrap failed: {reason}", new Propose(new AbandonInitialization(claim.ClaimIndex, reason)));
        }
        // The claim may have been proposed before the report of the other was seen here; now everything before the claim is.
        if (view.Data is PresentData { IsStandby: true } && WhyAnotherAdopts(view) is { } better)
            return Decision.Do("init.abandon", better, new Propose(new AbandonInitialization(claim.ClaimIndex, better)));
        return view.Data switch
        {
            UnfinishedData => RemoveUnfinished(view),
            PresentData data => Complete(view, claim, data),
            _ => Decision.Do("init.run", "initializing a new cluster", new RunAction(new InitializeAction())),
        };
    }

    /// <summary>
    /// Completes with the data that is there. A primary that people run goes on: what its completion may bring is told to all who fence before it is sent. A refusal would leave
    /// them with a deadline for nothing, hence a configuration that cannot be accepted is not proposed.
    /// </summary>
    private static Decision Complete(NodeView view, InitializationClaim claim, PresentData data)
    {
        (DynamicConfiguration? settings, IReadOnlyList<ConfigurationProblem> problems) = DynamicConfiguration.Parse(view.BootstrapConfigJson);
        if (settings is null)
        {
            string wrong = $"bootstrap.dcs: {string.Join("; ", problems)}";
            return Decision.Do("init.abandon", wrong, new Propose(new AbandonInitialization(claim.ClaimIndex, wrong)));
        }
        var completion = new CompleteInitialization(claim.ClaimIndex, view.Self, data.SystemIdentifier, !data.IsStandby, view.BootstrapConfigJson);
        if (data.IsStandby || view.Server is ServerStopped)
            return Decision.Do("init.complete", $"the cluster exists with system identifier {data.SystemIdentifier}", new Propose(completion));
        return WhyUnprotected(view) is { } unprotected
            ? Decision.Wait("init.unprotected", $"{unprotected}; the running primary is adopted as soon as it can be guarded")
            : Decision.Do("init.adopt-running", $"the running primary of system {data.SystemIdentifier} is adopted",
                new ProposeAdoption(completion, LeaseKeeper.EpochOf(view.State, claim), settings.TtlMs));
    }

    private static Decision RemoveUnfinished(NodeView view)
    {
        var work = ((UnfinishedData)view.Data).Work;
        if (view.Server is not ServerStopped)
            return Decision.Do("data.unfinished", $"{work} was interrupted; what runs in the directory is stopped first", new Fence());
        return Decision.Do("data.unfinished", $"{work} was interrupted; the directory is cleared", new RunAction(new RemoveDataAction(work == UnfinishedWork.Initialization)));
    }

    /// <summary>The command that keeps the claim alive while the bootstrap runs, or null.</summary>
    public static ClaimInitialization? KeepClaim(NodeView view) =>
        view.State.Leadership is Initializing { Claim: var claim } && claim.Node == view.Self
            ? new ClaimInitialization(view.Self, claim.ClaimIndex, false, view.ExpectedPeers, ClaimTtlMs)
            : null;
}
