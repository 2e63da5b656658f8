using System.Collections.Immutable;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>A replicated state under test: every command is encoded, decoded and applied at the next index, as from a real log.</summary>
internal sealed class TestCluster
{
    public const ulong SystemIdentifier = 7_301_234_567_890_123_456;
    private readonly SortedDictionary<ulong, ulong> sequences = [];

    public ClusterState State { get; private set; } = ClusterState.Empty;

    public long Index { get; private set; }

    /// <summary>Milliseconds that passed beside the one that every command takes.</summary>
    public long ClockMs { get; set; }

    /// <summary>The proposers' wall clock, Unix milliseconds.</summary>
    public long NowMs => 1_790_000_000_000 + Index + ClockMs;

    public ApplyResult Last { get; private set; } = new(ClusterState.Empty, [], new(OutcomeCode.Accepted, 0, ""));

    public Vacancy Vacancy => State.Vacancy ?? throw new InvalidOperationException("no vacancy");

    public LeaderLease Lease => State.Lease ?? throw new InvalidOperationException("no lease");

    /// <summary>A registered and reporting group of data nodes without a PostgreSQL cluster.</summary>
    public static TestCluster Registered(params string[] names)
    {
        var cluster = new TestCluster();
        foreach (string name in names) cluster.Accept(new RegisterPeer(PeerOf(name)));
        foreach (string name in names) cluster.Accept(new TouchMember(new(name), new()));
        return cluster;
    }

    /// <summary>The first name initialized the cluster, leads epoch and timeline 1, and everybody reports.</summary>
    public static TestCluster Led(params string[] names) => LedWith("{}", names);

    /// <inheritdoc cref="Led"/>
    public static TestCluster LedWith(string configJson, params string[] names)
    {
        TestCluster cluster = Registered(names);
        NodeName first = new(names[0]);
        long claim = cluster.Accept(new ClaimInitialization(first, 0, false, names.Length, 30_000)).Index;
        cluster.Accept(new CompleteInitialization(claim, first, SystemIdentifier, true, configJson));
        foreach (string name in names) cluster.Touch(name);
        cluster.Renew(1000);
        cluster.Accept(new ReportPromoted(cluster.Lease.Epoch, first, new(1), default, default));
        return cluster;
    }

    /// <summary>As <see cref="Led"/>, and then the lease expired.</summary>
    public static TestCluster Vacated(params string[] names)
    {
        TestCluster cluster = Led(names);
        cluster.Expire();
        return cluster;
    }

    public static Peer PeerOf(string name) => new(new(name), $"{name}:7008", $"http://{name}:8008", PeerKind.Data);

    public static Incarnation Data(string name) => new((ulong)StableHash.Of(name) & 0xffff | 1);

    public static MemberReport Report(string name, uint timeline = 1) => new()
    {
        ApiUrl = $"http://{name}:8008/patroni",
        Host = name,
        Port = 5432,
        Incarnation = Data(name),
        SystemIdentifier = SystemIdentifier,
        State = PostgresState.Running,
        Role = PostgresRole.Replica,
        Timeline = new(timeline),
    };

    public CommandId NextId(ulong proposer)
    {
        sequences.TryGetValue(proposer, out ulong sequence);
        sequences[proposer] = sequence + 1;
        return new(proposer, sequence + 1);
    }

    public Outcome Do(Command command) => Do(NextId(1), command);

    public Outcome Do(CommandId id, Command command)
    {
        CommandEnvelope envelope = CommandCodec.Decode(CommandCodec.Encode(new(id, NowMs, command)));
        Last = ClusterStateMachine.Apply(State, envelope, ++Index);
        State = Last.State;
        return Last.Outcome;
    }

    public Outcome Accept(Command command)
    {
        Outcome outcome = Do(command);
        Assert.True(outcome.IsAccepted, $"{command}: {outcome}");
        return outcome;
    }

    public void Refuse(OutcomeCode code, Command command) => Refuse(code, NextId(1), command);

    public void Refuse(OutcomeCode code, CommandId id, Command command)
    {
        Outcome outcome = Do(id, command);
        Assert.True(outcome.Code == code, $"{command}: {outcome}");
        Assert.Empty(Last.Events);
    }

    public void Touch(string name, Incarnation? incarnation = null) =>
        Accept(new TouchMember(new(name), Report(name) with { Incarnation = incarnation ?? Data(name) }));

    public void Renew(ulong lsn, bool unbounded = false) =>
        Accept(new RenewLeader(Lease.Epoch, Lease.Holder, 10_000, unbounded, new(lsn), []));

    public void Expire() => Accept(new ExpireLeader(Lease.Epoch, Lease.LastRenewalIndex, false));

    public void Silence(string name) => Accept(new ExpireMember(new(name), State.Members[new(name)].LastTouchIndex));

    public void Release(VacancyReason reason, ulong shutdownLsn = 0, string? candidate = null) =>
        Accept(new ReleaseLeader(Lease.Epoch, Lease.Holder, reason, "test", new(shutdownLsn), Name(candidate)));

    public void Promote(uint timeline, uint parent, ulong fork)
    {
        Renew(0);
        Accept(new ReportPromoted(Lease.Epoch, Lease.Holder, new(timeline), new(parent), new(fork)));
    }

    public StandForElection Stand(string name, ulong end, uint timeline = 1, int priority = 1, Incarnation? incarnation = null, params TimelineFork[] history) =>
        new(Vacancy.Id, new(name), incarnation ?? Data(name), new(timeline), new(end), new(end), priority, [.. history]);

    public DeclineElection Decline(string name, string reason = "cannot") => new(Vacancy.Id, new(name), Data(name), reason);

    public WithdrawFromElection Withdraw(string name) => new(Vacancy.Id, new(name), "restarts");

    public SetSyncState Sync(int quorum, params string[] standbys) => new(
        Lease.Epoch, State.Sync.Version, Lease.Holder, [.. standbys.Select(static name => new SyncMember(new(name), Data(name)))], quorum);

    public void Close() => Accept(new CloseElection(Vacancy.Id));

    public static TimelineFork Fork(uint timeline, ulong lsn) => new(new(timeline), new(lsn));

    public static NodeName? Name(string? name) => name is null ? null : new NodeName(name);

    /// <summary>The verdict on a node in the newest election, won or fruitless.</summary>
    public CandidateVerdict VerdictOf(string name)
    {
        ImmutableArray<CandidateVerdict> verdicts = State.Events.Reverse().Select(static record => record.Event switch
        {
            LeaderElected won => won.Candidates,
            ElectionFruitless fruitless => fruitless.Refusals,
            _ => default,
        }).First(static all => !all.IsDefault);
        return verdicts.Single(verdict => verdict.Node.Value == name);
    }
}
