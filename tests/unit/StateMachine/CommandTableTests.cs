using System.Collections.Immutable;
using System.Reflection;
using Patroni.Raft.StateMachine;
using Xunit;
using static Patroni.Raft.StateMachine.OutcomeCode;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>
/// Every command in every phase: one row a command, one outcome a phase. A command without a row fails, and so does a command that
/// names an epoch, a vacancy, a version or a claim and has no row for what happens when that is stale.
/// </summary>
public sealed class CommandTableTests
{
    private sealed record Row(Func<TestCluster, Command> Make, OutcomeCode Uninitialized, OutcomeCode Initializing, OutcomeCode Vacant, OutcomeCode Elected, OutcomeCode Led)
    {
        public OutcomeCode In(ClusterPhase phase) => phase switch
        {
            ClusterPhase.Uninitialized => Uninitialized,
            ClusterPhase.Initializing => Initializing,
            ClusterPhase.Vacant => Vacant,
            ClusterPhase.Elected => Elected,
            _ => Led,
        };
    }

    private static readonly NodeName A = new("a"), B = new("b");

    private static readonly ClusterPhase[] Held = [ClusterPhase.Elected, ClusterPhase.Led];

    private static readonly ImmutableSortedDictionary<NodeName, string> Topology = ImmutableSortedDictionary<NodeName, string>.Empty.Add(A, "http://a");

    /// <summary>What a well-informed proposer sends.</summary>
    private static readonly Dictionary<Type, Row> Fresh = new()
    {
        //                                                                                                        uninitialized      initializing       vacant             elected            led
        [typeof(ClaimInitialization)] = new(c => new ClaimInitialization(A, Claim(c), false, 3, 1000),             Accepted,          Accepted,          IllegalTransition, IllegalTransition, IllegalTransition),
        [typeof(AbandonInitialization)] = new(c => new AbandonInitialization(Claim(c), "why"),                     IllegalTransition, Accepted,          IllegalTransition, IllegalTransition, IllegalTransition),
        [typeof(ExpireInitialization)] = new(c => new ExpireInitialization(Claim(c), Claim(c)),                    IllegalTransition, Accepted,          IllegalTransition, IllegalTransition, IllegalTransition),
        [typeof(CompleteInitialization)] = new(c => new CompleteInitialization(Claim(c), A, 7, true, "{}"),        IllegalTransition, Accepted,          IllegalTransition, IllegalTransition, IllegalTransition),
        [typeof(StandForElection)] = new(c => Stand(c),                                                            IllegalTransition, IllegalTransition, Accepted,          IllegalTransition, IllegalTransition),
        [typeof(DeclineElection)] = new(c => new DeclineElection(Vacancy(c), B, TestCluster.Data("b"), "why"),     IllegalTransition, IllegalTransition, Accepted,          IllegalTransition, IllegalTransition),
        [typeof(WithdrawFromElection)] = new(c => new WithdrawFromElection(Vacancy(c), B, "why"),                  IllegalTransition, IllegalTransition, Accepted,          IllegalTransition, IllegalTransition),
        [typeof(CloseElection)] = new(c => new CloseElection(Vacancy(c)),                                          IllegalTransition, IllegalTransition, Accepted,          IllegalTransition, IllegalTransition),
        [typeof(RenewLeader)] = new(c => new RenewLeader(Epoch(c), Holder(c), 1000, false, new(1), []),            IllegalTransition, IllegalTransition, IllegalTransition, Accepted,          Accepted),
        [typeof(ReleaseLeader)] = new(c => new ReleaseLeader(Epoch(c), Holder(c), VacancyReason.Shutdown, "", default, null), IllegalTransition, IllegalTransition, IllegalTransition, Accepted, Accepted),
        [typeof(ExpireLeader)] = new(c => new ExpireLeader(Epoch(c), c.State.Lease?.LastRenewalIndex ?? 0, false), IllegalTransition, IllegalTransition, IllegalTransition, Accepted,          Accepted),
        [typeof(ReportPromoted)] = new(c => new ReportPromoted(Epoch(c), Holder(c), new(2), new(1), new(9)),       IllegalTransition, IllegalTransition, IllegalTransition, NotReady,          Accepted),
        [typeof(ReportCheckpointed)] = new(c => new ReportCheckpointed(Epoch(c), Holder(c), new(9)),               IllegalTransition, IllegalTransition, IllegalTransition, IllegalTransition, Accepted),
        [typeof(TouchMember)] = new(_ => new TouchMember(B, TestCluster.Report("b")),                              Accepted,          Accepted,          Accepted,          Accepted,          Accepted),
        [typeof(ExpireMember)] = new(c => new ExpireMember(B, c.State.Members[B].LastTouchIndex),                  Accepted,          Accepted,          Accepted,          Accepted,          Accepted),
        [typeof(PatchConfig)] = new(c => new PatchConfig("{\"ttl\":20}", c.State.Config.Version),                  Accepted,          Accepted,          Accepted,          Accepted,          Accepted),
        [typeof(ReplaceConfig)] = new(c => new ReplaceConfig("{\"ttl\":20}", c.State.Config.Version),              Accepted,          Accepted,          Accepted,          Accepted,          Accepted),
        [typeof(RequestFailover)] = new(_ => new RequestFailover(FailoverKind.Failover, null, new("c"), null, null), IllegalTransition, IllegalTransition, Accepted,        Accepted,          Accepted),
        [typeof(ClearFailover)] = new(_ => new ClearFailover(0, "why"),                                            RequestConflict,   RequestConflict,   RequestConflict,   RequestConflict,   RequestConflict),
        [typeof(SetSyncState)] = new(c => new SetSyncState(Epoch(c), c.State.Sync.Version, Holder(c), [], 0),      IllegalTransition, IllegalTransition, IllegalTransition, Accepted,          Accepted),
        [typeof(AppendHistory)] = new(c => new AppendHistory(Epoch(c), [new(new(1), new(5), "", 0, A)]),           IllegalTransition, IllegalTransition, IllegalTransition, Accepted,          Accepted),
        [typeof(SetFailsafeTopology)] = new(c => new SetFailsafeTopology(Epoch(c), c.State.FailsafeVersion, Topology), IllegalTransition, IllegalTransition, IllegalTransition, NotReady,      Accepted),
        [typeof(RegisterPeer)] = new(_ => new RegisterPeer(TestCluster.PeerOf("d")),                               Accepted,          Accepted,          Accepted,          Accepted,          Accepted),
        [typeof(RemovePeer)] = new(_ => new RemovePeer(new("c")),                                                  Accepted,          Accepted,          Accepted,          Accepted,          Accepted),
        [typeof(RaiseFeatureLevel)] = new(_ => new RaiseFeatureLevel(2),                                           FeatureLevel,      FeatureLevel,      FeatureLevel,      FeatureLevel,      FeatureLevel),
        [typeof(RaiseGeneration)] = new(c => new RaiseGeneration(c.State.Generation + 1, "why"),                   Accepted,          Accepted,          Accepted,          Accepted,          Accepted),
        [typeof(ScheduleRestart)] = new(_ => new ScheduleRestart(B, 5, "then", RestartConditions.None, null, 1),   Accepted,          Accepted,          Accepted,          Accepted,          Accepted),
        [typeof(ClearRestart)] = new(_ => new ClearRestart(B, 0, "why"),                                           RequestConflict,   RequestConflict,   RequestConflict,   RequestConflict,   RequestConflict),
        [typeof(ReportFenced)] = new(_ => new ReportFenced(B, new(default, 5, "why", 3, 1, 2, 0)),                  FeatureLevel,      FeatureLevel,      FeatureLevel,      FeatureLevel,      FeatureLevel),
        [typeof(WipeCluster)] = new(_ => new WipeCluster("why"),                                                   IllegalTransition, Accepted,          Accepted,          IllegalTransition, IllegalTransition),
    };

    /// <summary>What a proposer sends that has not heard of the newest epoch, vacancy, version, renewal or claim. Only where the phase allows the command at all.</summary>
    private static readonly (Func<TestCluster, Command> Make, OutcomeCode Code, ClusterPhase[] Phases)[] Stale =
    [
        (c => new ClaimInitialization(A, Claim(c) + 1, false, 3, 1000), StaleEpoch, [ClusterPhase.Initializing]),
        (c => new AbandonInitialization(Claim(c) + 1, ""), StaleEpoch, [ClusterPhase.Initializing]),
        (c => new ExpireInitialization(Claim(c) + 1, Claim(c)), StaleEpoch, [ClusterPhase.Initializing]),
        (c => new ExpireInitialization(Claim(c), Claim(c) - 1), LeaseRenewed, [ClusterPhase.Initializing]),
        (c => new CompleteInitialization(Claim(c) + 1, A, 7, true, "{}"), StaleEpoch, [ClusterPhase.Initializing]),
        (c => new CompleteInitialization(Claim(c), B, 7, true, "{}"), StaleEpoch, [ClusterPhase.Initializing]),
        (c => Stand(c) with { Vacancy = new(1, 1) }, StaleVacancy, [ClusterPhase.Vacant]),
        (c => Stand(c) with { Node = new("x") }, UnknownNode, [ClusterPhase.Vacant]),
        (_ => new DeclineElection(new(1, 1), B, default, ""), StaleVacancy, [ClusterPhase.Vacant]),
        (_ => new WithdrawFromElection(new(1, 1), B, ""), StaleVacancy, [ClusterPhase.Vacant]),
        (_ => new CloseElection(new(1, 1)), StaleVacancy, [ClusterPhase.Vacant]),
        (c => new RenewLeader(Before(c), Holder(c), 1000, false, default, []), StaleEpoch, Held),
        (c => new RenewLeader(Epoch(c), new("c"), 1000, false, default, []), NotHolder, Held),
        (c => new ReleaseLeader(Before(c), Holder(c), VacancyReason.Shutdown, "", default, null), StaleEpoch, Held),
        (c => new ReleaseLeader(Epoch(c), new("c"), VacancyReason.Shutdown, "", default, null), NotHolder, Held),
        (c => new ExpireLeader(Before(c), c.Lease.LastRenewalIndex, false), StaleEpoch, Held),
        (c => new ExpireLeader(Epoch(c), c.Lease.LastRenewalIndex - 1, false), LeaseRenewed, Held),
        (c => new ReportPromoted(Before(c), Holder(c), new(2), new(1), new(9)), StaleEpoch, Held),
        (c => new ReportCheckpointed(Before(c), Holder(c), new(9)), StaleEpoch, Held),
        (c => new ExpireMember(B, c.State.Members[B].LastTouchIndex - 1), LeaseRenewed, Enum.GetValues<ClusterPhase>()),
        (c => new PatchConfig("{}", c.State.Config.Version + 1), StaleVersion, Enum.GetValues<ClusterPhase>()),
        (c => new ReplaceConfig("{}", c.State.Config.Version + 1), StaleVersion, Enum.GetValues<ClusterPhase>()),
        (c => new SetSyncState(Before(c), c.State.Sync.Version, Holder(c), [], 0), StaleEpoch, Held),
        (c => new SetSyncState(Epoch(c), c.State.Sync.Version + 1, Holder(c), [], 0), StaleVersion, Held),
        (c => new SetSyncState(Epoch(c), c.State.Sync.Version, new("c"), [], 0), NotHolder, Held),
        (c => new AppendHistory(Before(c), []), StaleEpoch, Held),
        (c => new SetFailsafeTopology(Before(c), c.State.FailsafeVersion, Topology), StaleEpoch, Held),
        (c => new SetFailsafeTopology(Epoch(c), c.State.FailsafeVersion + 1, Topology), StaleVersion, [ClusterPhase.Led]),
        (c => new RaiseGeneration(c.State.Generation, ""), StaleVersion, Enum.GetValues<ClusterPhase>()),
    ];

    public static TheoryData<string, ClusterPhase> Pairs
    {
        get
        {
            var pairs = new TheoryData<string, ClusterPhase>();
            foreach (Type type in Commands())
                foreach (ClusterPhase phase in Enum.GetValues<ClusterPhase>()) pairs.Add(type.Name, phase);
            return pairs;
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Every_command_has_its_outcome_in_every_phase(string command, ClusterPhase phase)
    {
        Type type = Commands().Single(type => type.Name == command);
        Assert.True(Fresh.TryGetValue(type, out Row? row), $"{command} has no row in the table.");
        TestCluster cluster = In(phase);
        Assert.Equal(phase, cluster.State.Leadership.Phase);
        Outcome outcome = cluster.Do(row.Make(cluster));
        Assert.True(outcome.Code == row.In(phase), $"{outcome}");
        Assert.Equal(outcome.IsAccepted, outcome.Reason.Length == 0);
    }

    [Fact]
    public void Whatever_speaks_of_what_is_over_is_refused_by_name_and_changes_nothing()
    {
        foreach ((Func<TestCluster, Command> make, OutcomeCode code, ClusterPhase[] phases) in Stale)
        {
            foreach (ClusterPhase phase in phases)
            {
                TestCluster cluster = In(phase);
                byte[] before = SnapshotCodec.Encode(Bare(cluster.State));
                cluster.Refuse(code, make(cluster));
                Assert.Equal(before, SnapshotCodec.Encode(Bare(cluster.State)));
            }
        }
    }

    [Fact]
    public void Every_command_that_names_what_it_saw_has_a_stale_row()
    {
        HashSet<Type> covered = [.. Stale.Select(row => row.Make(In(row.Phases[0])).GetType())];
        Type[] wanted = [.. Commands().Where(static type => type.GetProperties().Any(NamesWhatWasSeen))];
        Assert.Empty(wanted.Except(covered).Select(static type => type.Name));
    }

    private static bool NamesWhatWasSeen(PropertyInfo property) =>
        property.PropertyType == typeof(Epoch) || property.PropertyType == typeof(VacancyId)
        || property.Name is "ExpectedVersion" or "ClaimIndex" or "LastRenewalIndex" or "LastTouchIndex";

    private static IEnumerable<Type> Commands() => typeof(Command).Assembly.GetTypes().Where(static type => type.IsSubclassOf(typeof(Command)));

    private static ClusterState Bare(ClusterState state) => state with { AppliedIndex = 0, Proposers = ImmutableSortedDictionary<ulong, ProposerWindow>.Empty };

    private static TestCluster In(ClusterPhase phase)
    {
        switch (phase)
        {
            case ClusterPhase.Uninitialized:
                return TestCluster.Registered("a", "b", "c");
            case ClusterPhase.Initializing:
                TestCluster initializing = TestCluster.Registered("a", "b", "c");
                initializing.Accept(new ClaimInitialization(A, 0, false, 3, 1000));
                return initializing;
            case ClusterPhase.Vacant:
                return TestCluster.Vacated("a", "b", "c");
            case ClusterPhase.Elected:
                TestCluster elected = TestCluster.Vacated("a", "b", "c");
                elected.Accept(elected.Stand("b", 1000));
                elected.Close();
                return elected;
            default:
                return TestCluster.Led("a", "b", "c");
        }
    }

    private static long Claim(TestCluster c) => c.State.Leadership is Initializing { Claim: var claim } ? claim.ClaimIndex : 0;

    private static VacancyId Vacancy(TestCluster c) => c.State.Vacancy?.Id ?? default;

    private static Epoch Epoch(TestCluster c) => c.State.Lease?.Epoch ?? default;

    private static Epoch Before(TestCluster c) => new(c.Lease.Epoch.Generation, c.Lease.Epoch.Index - 1);

    private static NodeName Holder(TestCluster c) => c.State.Leader ?? A;

    private static StandForElection Stand(TestCluster c) => new(Vacancy(c), B, TestCluster.Data("b"), new(1), new(1000), new(1000), 1, []);
}
