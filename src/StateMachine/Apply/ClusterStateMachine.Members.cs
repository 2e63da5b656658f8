namespace Patroni.Raft.StateMachine;

public static partial class ClusterStateMachine
{
    private static Outcome Touch(Step step, TouchMember c)
    {
        if (!step.State.Peers.TryGetValue(c.Node, out Peer? peer) || peer.Kind != PeerKind.Data)
            return step.Reject(OutcomeCode.UnknownNode, $"{c.Node} is not registered as a node with PostgreSQL.");
        step.State.Members.TryGetValue(c.Node, out Member? before);
        if (before is not null && step.IsOvertakenBy(before.LastTouch))
            return step.Reject(OutcomeCode.TooOld, $"{c.Node} reported by proposal {before.LastTouch} already, before {step.Id} arrived.");
        Transition<MemberPresence, MemberTrigger> move = MemberLifecycle.Table.Fire(before?.Presence ?? MemberPresence.Unknown, MemberTrigger.Touch)!;
        step.State = step.State with { Members = step.State.Members.SetItem(c.Node, new(c.Node, move.To, c.Report, step.Index, step.Id) { ScheduledRestart = before?.ScheduledRestart }) };
        if (before?.Presence != MemberPresence.Alive)
            step.Record(move.Rule, new MemberJoined(c.Node, before is not null));
        if (before is null || IsSignificant(before.Report, c.Report))
            step.Record("member.changed", new MemberChanged(c.Node, c.Report.State, c.Report.Role, c.Report.Timeline, Step.Brief(c.Report.Note))
            {
                Replication = Step.Brief(c.Report.ReplicationState),
                Incarnation = c.Report.Incarnation,
                Origin = c.Report.Origin,
            });
        if (before is not null && before.Report.Incarnation != c.Report.Incarnation) DropAnswersOfFormerData(step, c.Node, c.Report.Incarnation);
        return step.Accept();
    }

    /// <summary>What a node said of a former content of its data directory says nothing of the present one.</summary>
    private static void DropAnswersOfFormerData(Step step, NodeName node, Incarnation incarnation)
    {
        if (step.State.Vacancy is not { } vacancy) return;
        bool stood = vacancy.Stands.TryGetValue(node, out Stand? stand) && stand.Incarnation != incarnation;
        bool declined = vacancy.Declines.TryGetValue(node, out Decline? decline) && decline.Incarnation != incarnation;
        if (!stood && !declined) return;
        string rule = step.Move(ClusterTrigger.Answer, new Vacant(vacancy with
        {
            Stands = vacancy.Stands.Remove(node),
            Declines = vacancy.Declines.Remove(node),
            LastAnswerIndex = step.Index,
        }));
        step.Record(rule, new NodeWithdrew(vacancy.Id, node, $"its data directory was replaced; it is {incarnation} now"));
    }

    private static bool IsSignificant(MemberReport before, MemberReport after) =>
        before.State != after.State || before.Role != after.Role || before.Timeline != after.Timeline
        || before.Note != after.Note || before.DiskTrouble != after.DiskTrouble || before.Incarnation != after.Incarnation || before.ReplicationState != after.ReplicationState;

    private static Outcome ExpireMember(Step step, ExpireMember c)
    {
        if (!step.State.Members.TryGetValue(c.Node, out Member? member))
            return step.Reject(OutcomeCode.UnknownNode, $"{c.Node} is not a member of the cluster.");
        if (member.LastTouchIndex != c.LastTouchIndex)
            return step.Reject(OutcomeCode.LeaseRenewed, $"{c.Node} reported at {member.LastTouchIndex}, after {c.LastTouchIndex}.");
        if (MemberLifecycle.Table.Fire(member.Presence, MemberTrigger.Expire) is not { } move)
            return step.Reject(OutcomeCode.IllegalTransition, $"{c.Node} is {member.Presence.ToString().ToLowerInvariant()} already.");
        step.State = step.State with { Members = step.State.Members.SetItem(c.Node, member with { Presence = move.To }) };
        step.Record(move.Rule, new MemberWentSilent(c.Node));
        return step.Accept();
    }

    /// <summary>A report is made until its node sees it in the history: one that is there already is accepted and changes nothing.</summary>
    private static Outcome Fenced(Step step, ReportFenced c)
    {
        if (step.State.FeatureLevel < FencesReportedLevel)
            return step.Reject(OutcomeCode.FeatureLevel, $"The feature level is {step.State.FeatureLevel}; fences are recorded from {FencesReportedLevel} on.");
        if (!step.State.Peers.ContainsKey(c.Node)) return step.Reject(OutcomeCode.UnknownNode, $"{c.Node} is not registered.");
        if (c.Fence is not { Killed: > 0, SignalledMs: >= 0, ElapsedMs: >= 0, Left: >= 0 })
            return step.Reject(OutcomeCode.Invalid, $"A fence of {c.Fence.Killed} processes in {c.Fence.ElapsedMs} ms is none.");
        if (step.State.RecordsFence(c.Node, c.Fence.AtUnixMs)) return step.Accept();
        step.Record("guard.fence", new GuardFenced(c.Node, c.Fence with { Reason = Step.Brief(c.Fence.Reason) }));
        return step.Accept();
    }

    private static Outcome Register(Step step, RegisterPeer c)
    {
        if (c.Peer.Name.Value.Length == 0 || c.Peer.RaftAddress.Length == 0)
            return step.Reject(OutcomeCode.Invalid, "A voter needs a name and a Raft address.");
        if (step.State.Peers.TryGetValue(c.Peer.Name, out Peer? known))
        {
            if (known.RaftAddress != c.Peer.RaftAddress)
                return step.Reject(OutcomeCode.NameTaken, $"The name {c.Peer.Name} belongs to the node at {known.RaftAddress}; {c.Peer.RaftAddress} needs another name, or remove the former first.");
            if (known == c.Peer) return step.Accept();
            if (known.Kind != c.Peer.Kind)
                return step.Reject(OutcomeCode.NameTaken, $"{c.Peer.Name} is registered as {known.Kind.ToString().ToLowerInvariant()}; remove it before it returns as {c.Peer.Kind.ToString().ToLowerInvariant()}.");
        }
        foreach (Peer other in step.State.Peers.Values)
        {
            if (other.RaftAddress == c.Peer.RaftAddress && other.Name != c.Peer.Name)
                return step.Reject(OutcomeCode.NameTaken, $"The Raft address {c.Peer.RaftAddress} belongs to {other.Name}.");
        }
        step.State = step.State with { Peers = step.State.Peers.SetItem(c.Peer.Name, c.Peer) };
        step.Record("peer.register", new PeerRegistered(c.Peer));
        return step.Accept();
    }

    private static Outcome Remove(Step step, RemovePeer c)
    {
        if (!step.State.Peers.ContainsKey(c.Node)) return step.Reject(OutcomeCode.UnknownNode, $"{c.Node} is not registered.");
        if (step.State.Leader == c.Node)
            return step.Reject(OutcomeCode.RequestConflict, $"{c.Node} is the leader; switch over before it is removed.");
        if (step.State.Leadership is Initializing { Claim: var claim } && claim.Node == c.Node)
            return step.Reject(OutcomeCode.RequestConflict, $"{c.Node} initializes the cluster; it can be removed when its claim {claim.ClaimIndex} ended.");
        if (step.State.Members.TryGetValue(c.Node, out Member? member) && MemberLifecycle.Table.Fire(member.Presence, MemberTrigger.Remove) is null)
            return step.Reject(OutcomeCode.IllegalTransition, $"{c.Node} is {member.Presence.ToString().ToLowerInvariant()}.");
        step.State = step.State with { Peers = step.State.Peers.Remove(c.Node), Members = step.State.Members.Remove(c.Node) };
        step.Record("peer.remove", new PeerRemoved(c.Node));
        if (step.State.Failover is { } request && (request.Candidate == c.Node || request.Leader == c.Node))
        {
            step.State = step.State with { Failover = null };
            step.Record("failover.clear", new FailoverCleared(request.RequestIndex, $"{c.Node} was removed"));
        }
        if (step.State.Vacancy is not { } vacancy) return step.Accept();
        step.Move(ClusterTrigger.Answer, new Vacant(vacancy with
        {
            Candidate = vacancy.Candidate == c.Node ? null : vacancy.Candidate,
            Stands = vacancy.Stands.Remove(c.Node),
            Declines = vacancy.Declines.Remove(c.Node),
        }));
        return CloseWhenAnswered(step);
    }
}
