using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>What a command did.</summary>
/// <param name="State">The new state.</param>
/// <param name="Events">Events in order; empty for routine commands and for refusals.</param>
/// <param name="Outcome">Accepted, or refused with the rule and the numbers.</param>
public sealed record ApplyResult(ClusterState State, ImmutableArray<EventRecord> Events, Outcome Outcome);

/// <summary>
/// The replicated state machine: total, deterministic and pure. Each command meets the state exactly once per log; a retry of a
/// proposal whose outcome was lost finds its first outcome in the state.
/// </summary>
public static partial class ClusterStateMachine
{
    /// <summary>Highest feature level this program understands; members report it, Apply never compares with it, or versions would disagree.</summary>
    public const int SupportedFeatureLevel = 2;

    /// <summary>The feature level from which the log knows <see cref="ReportFenced"/>.</summary>
    public const int FencesReportedLevel = 2;

    /// <summary>Events kept.</summary>
    public const int EventCapacity = 1000;

    /// <summary>Promotions kept.</summary>
    public const int LineageCapacity = 1000;

    /// <summary>Characters kept of one free text (a reason, a configuration change) in the history, so that a snapshot stays bounded whatever is proposed.</summary>
    public const int TextCapacity = 2000;

    /// <summary>Applies a committed command.</summary>
    /// <param name="state">The state after the entries before it.</param>
    /// <param name="envelope">The command.</param>
    /// <param name="index">Its log index; greater than every index applied before.</param>
    /// <exception cref="ArgumentOutOfRangeException">The index does not advance: the log delivered an entry twice or out of order.</exception>
    public static ApplyResult Apply(ClusterState state, CommandEnvelope envelope, long index)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(index, state.AppliedIndex);
        if (Deduplication.Find(state, envelope.Id) is { } known)
            return new(state with { AppliedIndex = index }, [], known);

        var step = new Step(state with { AppliedIndex = index }, envelope, index);
        Outcome outcome = Dispatch(step, envelope.Command);
        ClusterState next = outcome.IsAccepted ? step.Commit() : state with { AppliedIndex = index };
        next = Deduplication.Remember(next, envelope.Id, outcome);
        return new(next, outcome.IsAccepted ? step.Events : [], outcome);
    }

    private static Outcome Dispatch(Step step, Command command) => command switch
    {
        ClaimInitialization c => Claim(step, c),
        AbandonInitialization c => Abandon(step, c),
        ExpireInitialization c => ExpireClaim(step, c),
        CompleteInitialization c => Complete(step, c),
        StandForElection c => Stand(step, c),
        DeclineElection c => Decline(step, c),
        WithdrawFromElection c => Withdraw(step, c),
        CloseElection c => Close(step, c),
        RenewLeader c => Renew(step, c),
        ReleaseLeader c => Release(step, c),
        ExpireLeader c => Expire(step, c),
        ReportPromoted c => Promoted(step, c),
        ReportCheckpointed c => Checkpointed(step, c),
        TouchMember c => Touch(step, c),
        ExpireMember c => ExpireMember(step, c),
        PatchConfig c => Patch(step, c),
        ReplaceConfig c => Replace(step, c),
        RequestFailover c => RequestFailover(step, c),
        ClearFailover c => ClearFailover(step, c),
        SetSyncState c => SetSync(step, c),
        AppendHistory c => AppendHistory(step, c),
        SetFailsafeTopology c => SetFailsafe(step, c),
        RegisterPeer c => Register(step, c),
        RemovePeer c => Remove(step, c),
        RaiseFeatureLevel c => RaiseLevel(step, c),
        RaiseGeneration c => RaiseGeneration(step, c),
        WipeCluster c => Wipe(step, c),
        ScheduleRestart c => ScheduleRestart(step, c),
        ClearRestart c => ClearRestart(step, c),
        ReportFenced c => Fenced(step, c),
        _ => throw new InvalidOperationException($"{command.GetType().Name} has no handler."),
    };
}
