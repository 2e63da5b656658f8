using System.Reflection;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.PropertyTests.StateMachine;

/// <summary>What must hold after every entry; written apart from Apply, from what the architecture promises.</summary>
public sealed class ApplyInvariants
{
    private readonly Dictionary<Epoch, NodeName> holders = [];
    private readonly Dictionary<CommandId, Outcome> outcomes = [];
    private Epoch newest;

    /// <summary>How often each command was accepted and refused; generators that reach nothing prove nothing.</summary>
    public Dictionary<string, (int Accepted, int Refused)> Reach { get; } = [];

    public void Check(ClusterState before, CommandEnvelope envelope, ApplyResult result)
    {
        Count(envelope.Command, result.Outcome);
        CheckDeduplication(before, envelope, result);
        CheckEvents(before, result);
        CheckEpochs(before, result);
        CheckLifecycle(before, result);
        CheckAnswers(result.State);
        CheckRestarts(before, envelope.Command, result.State);
        if (result.Outcome.IsAccepted && !outcomes.ContainsKey(envelope.Id))
        {
            CheckNothingStale(before, envelope.Command);
            CheckElection(before, envelope, result);
            CheckLineage(before, result.State);
        }
        outcomes.TryAdd(envelope.Id, result.Outcome);
    }

    private void Count(Command command, Outcome outcome)
    {
        Reach.TryGetValue(command.GetType().Name, out (int Accepted, int Refused) count);
        Reach[command.GetType().Name] = outcome.IsAccepted ? (count.Accepted + 1, count.Refused) : (count.Accepted, count.Refused + 1);
    }

    private void CheckDeduplication(ClusterState before, CommandEnvelope envelope, ApplyResult result)
    {
        Assert.InRange(result.State.Proposers.Count, 1, 64);
        Assert.All(result.State.Proposers.Values, static window => Assert.InRange(window.Outcomes.Count, 0, 128));
        bool known = outcomes.TryGetValue(envelope.Id, out Outcome? first);
        if (known)
        {
            // A window of 128 per proposer: what fell out of it is refused, never applied a second time.
            Assert.True(result.Outcome == first || result.Outcome.Code == OutcomeCode.TooOld, $"{first} became {result.Outcome}");
            Assert.Empty(result.Events);
        }
        if (known) AssertSame(before, result.State with { AppliedIndex = before.AppliedIndex });
        else if (!result.Outcome.IsAccepted)
            AssertSame(before, result.State with { AppliedIndex = before.AppliedIndex, Proposers = before.Proposers });
    }

    /// <summary>A scheduled restart stays as it is, whatever is reported of its member, until it is dropped or its member is forgotten.</summary>
    private static void CheckRestarts(ClusterState before, Command command, ClusterState after)
    {
        foreach (Member member in before.Members.Values)
        {
            if (member.ScheduledRestart is not { } restart) continue;
            bool kept = after.Members.TryGetValue(member.Name, out Member? now) && now.ScheduledRestart == restart;
            Assert.True(kept || command is ClearRestart { } clear && clear.Node == member.Name || command is RemovePeer or WipeCluster, $"{command} dropped {restart}");
        }
    }

    private static void AssertSame(ClusterState expected, ClusterState actual) =>
        Assert.True(SnapshotCodec.Encode(expected).AsSpan().SequenceEqual(SnapshotCodec.Encode(actual)), "a refused or repeated command changed the state");

    private static void CheckEvents(ClusterState before, ApplyResult result)
    {
        ClusterState after = result.State;
        Assert.True(after.Events.Length <= 1000);
        Assert.Equal(before.EventCount + result.Events.Length, after.EventCount);
        for (int i = 0; i < after.Events.Length; i++)
            Assert.Equal(after.EventCount - after.Events.Length + 1 + i, after.Events[i].Id);
        Assert.True(result.Events.AsSpan().SequenceEqual(after.Events.AsSpan()[^result.Events.Length..]));
        Assert.All(result.Events, record => Assert.True(record.Rule.Length > 0 && record.Index == after.AppliedIndex));
        if (!result.Outcome.IsAccepted) Assert.Empty(result.Events);
    }

    private void CheckEpochs(ClusterState before, ApplyResult result)
    {
        Assert.True(result.State.Generation >= before.Generation);
        if (result.State.Lease is not { } lease) return;
        if (holders.TryGetValue(lease.Epoch, out NodeName holder))
        {
            Assert.Equal(holder, lease.Holder);
            Assert.True(before.Lease?.Epoch == lease.Epoch, "an epoch came back");
            Assert.True(lease.LastRenewalIndex >= before.Lease.LastRenewalIndex);
            Assert.True(lease.OwnRenewal || !before.Lease.OwnRenewal);
        }
        else
        {
            Assert.True(lease.Epoch > newest, $"{lease.Epoch} after {newest}");
            Assert.False(lease.OwnRenewal);
            Assert.False(lease.Unbounded);
            Assert.Equal(result.State.AppliedIndex, lease.LastRenewalIndex);
            newest = lease.Epoch;
            holders.Add(lease.Epoch, lease.Holder);
        }
    }

    private static void CheckLifecycle(ClusterState before, ApplyResult result)
    {
        ClusterPhase from = before.Leadership.Phase, to = result.State.Leadership.Phase;
        Assert.True(from == to || ClusterLifecycle.Table.Rows.Any(row => row.From == from && row.To == to), $"{from} to {to}");
        if (result.State.Leadership is Led led) Assert.True(led.Lease.OwnRenewal && led.Promotion.Epoch == led.Lease.Epoch);
    }

    /// <summary>A candidature speaks of a registered node's present data, or it is not there.</summary>
    private static void CheckAnswers(ClusterState state)
    {
        foreach (NodeName node in state.Members.Keys) Assert.Equal(PeerKind.Data, state.Peers[node].Kind);
        if (state.Lease is { } lease) Assert.True(state.Members.ContainsKey(lease.Holder));
        if (state.Vacancy is not { } vacancy) return;
        Assert.All(vacancy.Stands.Values, stand => Assert.Equal(state.Members[stand.Node].Report.Incarnation, stand.Incarnation));
        Assert.True(vacancy.Declines.Keys.All(state.Members.ContainsKey));
        Assert.Empty(vacancy.Stands.Keys.Intersect(vacancy.Declines.Keys));
    }

    private static void CheckNothingStale(ClusterState before, Command command)
    {
        foreach (PropertyInfo property in command.GetType().GetProperties())
        {
            object? value = property.GetValue(command);
            if (value is Epoch epoch) Assert.Equal(before.Lease?.Epoch, epoch);
            if (value is VacancyId vacancy) Assert.Equal(before.Vacancy?.Id, vacancy);
        }
        switch (command)
        {
            case PatchConfig { ExpectedVersion: > 0 } c: Assert.Equal(before.Config.Version, c.ExpectedVersion); break;
            case ReplaceConfig { ExpectedVersion: > 0 } c: Assert.Equal(before.Config.Version, c.ExpectedVersion); break;
            case SetSyncState c: Assert.Equal(before.Sync.Version, c.ExpectedVersion); break;
            case ExpireLeader c:
                Assert.Equal(before.Lease!.LastRenewalIndex, c.LastRenewalIndex);
                Assert.Equal(before.Lease.Unbounded, c.Force);
                break;
            case ExpireMember c: Assert.Equal(before.Members[c.Node].LastTouchIndex, c.LastTouchIndex); break;
            case RenewLeader c: Assert.Equal(before.Leader, c.Node); break;
            case ReleaseLeader c: Assert.Equal(before.Leader, c.Node); break;
            case ReportPromoted c: Assert.True(before.Leader == c.Node && before.Lease!.OwnRenewal); break;
            case ClaimInitialization { ClaimIndex: not 0 } c: Assert.Equal(ClaimOf(before), c.ClaimIndex); break;
            case AbandonInitialization c: Assert.Equal(ClaimOf(before), c.ClaimIndex); break;
            case ExpireInitialization c: Assert.Equal(ClaimOf(before), c.ClaimIndex); break;
            case CompleteInitialization c: Assert.Equal(ClaimOf(before), c.ClaimIndex); break;
        }
    }

    private static long ClaimOf(ClusterState state) => ((Initializing)state.Leadership).Claim.ClaimIndex;

    private static void CheckElection(ClusterState before, CommandEnvelope envelope, ApplyResult result)
    {
        if (before.Vacancy is not { } vacancy || result.State.Lease is not { } lease) return;
        Stand winner = envelope.Command is StandForElection own && own.Node == lease.Holder
            ? new(envelope.Id, own.Node, own.Incarnation, own.Timeline, own.EndOfWal, own.ReplayLsn, own.FailoverPriority, own.History, 0)
            : vacancy.Stands[lease.Holder];
        Assert.Equal(winner.Id, lease.RenewedBy);
        Assert.True(winner.FailoverPriority > 0);
        NodeName? narrowed = envelope.Command switch
        {
            RequestFailover request => request.Candidate,
            RemovePeer removed when removed.Node == vacancy.Candidate => null,
            _ => vacancy.Candidate,
        };
        if (narrowed is { } only) Assert.Equal(only, winner.Node);
        if (before.LatestPromotion is { } promotion) Assert.True(Contains(winner, promotion), $"{winner} does not contain {promotion}");
        if (before.Sync.Leader is { } leader)
        {
            Assert.True(winner.Node == leader ? winner.Incarnation == before.Sync.LeaderIncarnation : before.Sync.Contains(winner.Node, winner.Incarnation));
            Assert.Equal((winner.Node, 0, 0), (result.State.Sync.Leader!.Value, result.State.Sync.Standbys.Length, result.State.Sync.Quorum));
        }
        if (!before.FailsafeTopology.IsEmpty) Assert.True(before.FailsafeTopology.ContainsKey(winner.Node));
    }

    private static bool Contains(Stand stand, Promotion promotion)
    {
        bool onIt = stand.Timeline == promotion.Timeline || stand.History.Any(fork => fork.Timeline == promotion.Timeline);
        bool leftParentThere = !promotion.ParentTimeline.IsKnown
            || stand.History.Any(fork => fork == new TimelineFork(promotion.ParentTimeline, promotion.ForkLsn));
        return onIt && leftParentThere;
    }

    private static void CheckLineage(ClusterState before, ClusterState after)
    {
        if (after.Lineage.Length <= before.Lineage.Length || before.LatestPromotion is not { } latest) return;
        Promotion next = after.LatestPromotion!;
        Assert.True(next.Epoch > latest.Epoch || (next.Epoch == latest.Epoch && next.Timeline > latest.Timeline));
        Assert.True(next.ParentTimeline >= latest.Timeline || (next.Timeline == latest.Timeline && next.Node == latest.Node));
    }
}
