using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.PropertyTests.StateMachine;

/// <summary>A random sequence of moves; each is turned into a command by looking at the state it meets, so that many are valid.</summary>
public sealed record CommandScript(int[] Moves)
{
    /// <inheritdoc/>
    public override string ToString() => $"new CommandScript([{string.Join(", ", Moves)}])";
}

/// <summary>Generates scripts and makes failing ones shorter.</summary>
public static class CommandScripts
{
    public static Arbitrary<CommandScript> Scripts()
    {
        Gen<CommandScript> gen =
            from length in Gen.Choose(1, 220)
            from moves in Gen.ArrayOf(Gen.Choose(0, int.MaxValue), length)
            select new CommandScript(moves);
        return Arb.From(gen, Shorter);
    }

    private static IEnumerable<CommandScript> Shorter(CommandScript script)
    {
        for (int size = script.Moves.Length / 2; size > 0; size /= 2)
        {
            for (int at = 0; at + size <= script.Moves.Length; at += size)
                yield return new([.. script.Moves[..at], .. script.Moves[(at + size)..]]);
        }
    }
}

/// <summary>Plays a script: the writer of a log whose proposers are sometimes late, repeat themselves, or speak of what is over.</summary>
public sealed class ScriptPlayer
{
    private static readonly string[] Names = ["a", "b", "c", "ü\u2028名"];
    private readonly List<CommandEnvelope> sent = [];
    private readonly Dictionary<ulong, ulong> sequences = [];
    private uint bits;
    private long index;

    public ClusterState State { get; private set; } = ClusterState.Empty;

    /// <summary>What was applied so far, with its index.</summary>
    public List<(long Index, CommandEnvelope Envelope)> Log { get; } = [];

    /// <summary>Called for every entry applied.</summary>
    public Action<ClusterState, CommandEnvelope, ApplyResult>? Applied { get; init; }

    public static ScriptPlayer Play(CommandScript script, Action<ClusterState, CommandEnvelope, ApplyResult>? applied = null)
    {
        var player = new ScriptPlayer { Applied = applied };
        player.Form(script.Moves.Length == 0 ? 0 : script.Moves[0] % 4);
        foreach (int move in script.Moves) player.Step(move);
        return player;
    }

    /// <summary>Half of the scripts meet a formed cluster at once; the others have to form it, or to finish.</summary>
    private void Form(int stage)
    {
        foreach (string name in Names) Apply(Envelope(0, new RegisterPeer(new(new(name), name + ":1", "http://" + name, PeerKind.Data))));
        foreach (string name in Names) Apply(Envelope(0, new TouchMember(new(name), Report(name, 0) with { SystemIdentifier = 0, Incarnation = default })));
        if (stage == 0) return;
        Apply(Envelope(0, new ClaimInitialization(new("a"), 0, false, Names.Length, 1000)));
        if (stage == 1 || State.Leadership is not Initializing { Claim: var claim }) return;
        Apply(Envelope(0, new CompleteInitialization(claim.ClaimIndex, new("a"), 77, true, "{}")));
        foreach (string name in Names) Apply(Envelope(0, new TouchMember(new(name), Report(name, 0))));
        Apply(Envelope(0, new RenewLeader(State.Lease!.Epoch, new("a"), 10_000, false, new(1000), [])));
        Apply(Envelope(0, new ReportPromoted(State.Lease!.Epoch, new("a"), new(1), default, default)));
    }

    private void Step(int move)
    {
        bits = (uint)move;
        uint kind = Pick(100);
        if (kind < 8 && sent.Count > 0)
        {
            Apply(sent[^(int)(1 + Pick((uint)Math.Min(sent.Count, 40)))]);
            return;
        }
        CommandEnvelope envelope = Envelope(1 + Pick(3), Next());
        if (kind < 12) sent.Add(envelope); // proposed now, applied later or never
        else Apply(envelope);
    }

    private void Apply(CommandEnvelope envelope)
    {
        sent.Add(envelope);
        index += 1 + Pick(2);
        ClusterState before = State;
        ApplyResult result = ClusterStateMachine.Apply(before, envelope, index);
        State = result.State;
        Log.Add((index, envelope));
        Applied?.Invoke(before, envelope, result);
    }

    private CommandEnvelope Envelope(ulong proposer, Command command)
    {
        sequences.TryGetValue(proposer, out ulong sequence);
        sequences[proposer] = ++sequence;
        return new(new(proposer, sequence), 1_790_000_000_000 + index, command);
    }

    private uint Pick(uint count)
    {
        bits = (bits * 2654435761) ^ (bits >> 15);
        return (bits >> 8) % count;
    }

    private bool Rarely => Pick(12) == 0;

    private NodeName AnyNode => new(Rarely ? "stranger" : Names[Pick((uint)Names.Length)]);

    private Lsn AnyLsn => new(900 + (Pick(40) * 10));

    private Epoch AnyEpoch => Rarely ? new(1, Pick((uint)index + 2)) : State.Lease?.Epoch ?? new(1, 1);

    private NodeName Holder => Rarely ? AnyNode : State.Leader ?? AnyNode;

    private VacancyId AnyVacancy => Rarely ? new(State.Generation, Pick((uint)index + 2)) : State.Vacancy?.Id ?? default;

    private long AnyVersion(long current) => Pick(4) switch { 0 => 0, 1 => current + 1, _ => current };

    private long AnyClaim => State.Leadership is Initializing { Claim: var claim } && !Rarely ? claim.ClaimIndex : Pick((uint)index + 1);

    private long LastRenewal => State.Lease is { } lease && !Rarely ? lease.LastRenewalIndex : Pick((uint)index + 1);

    private Incarnation DataOf(NodeName node) =>
        State.Members.TryGetValue(node, out Member? member) && !Rarely ? member.Report.Incarnation : new(Pick(4));

    private static MemberReport Report(string name, uint pick) => new()
    {
        ApiUrl = "http://" + name,
        Incarnation = new((pick % 3) + 1),
        SystemIdentifier = pick % 17 == 16 ? 78ul : 77,
        State = (PostgresState)(pick % 3 + 5),
        Role = PostgresRole.Replica,
        Timeline = new(1 + (pick % 3)),
        Note = pick % 5 == 0 ? "wartet…" : "",
        DiskTrouble = pick % 7 == 0 ? "voll" : "",
        FeatureLevel = pick == 19 ? 1 : 2,
    };

    private Command Next() => (State.Leadership is Uninitialized or Initializing && Pick(2) == 0 ? Pick(4) : Pick(34)) switch
    {
        0 => new ClaimInitialization(AnyNode, Pick(2) * AnyClaim, Rarely, Names.Length - 1, 1000),
        1 => new AbandonInitialization(AnyClaim, "because"),
        2 => new ExpireInitialization(AnyClaim, AnyClaim),
        3 or 33 => new CompleteInitialization(AnyClaim, State.Leadership is Initializing { Claim: var claim } ? claim.Node : AnyNode, 77, Pick(2) == 0, "{}"),
        >= 4 and <= 8 => Stand(AnyNode),
        9 => Decline(AnyNode),
        10 => new WithdrawFromElection(AnyVacancy, AnyNode, "restart"),
        11 => new CloseElection(AnyVacancy),
        12 or 13 or 14 => new RenewLeader(AnyEpoch, Holder, 1000 * (Pick(10) + (Rarely ? 0u : 1)), Pick(6) == 0, AnyLsn, [new("slot", AnyLsn)]),
        15 => new ReleaseLeader(AnyEpoch, Holder, (VacancyReason)(1 + Pick(6)), "done", AnyLsn, Pick(2) == 0 ? null : AnyNode),
        16 or 17 => new ExpireLeader(AnyEpoch, LastRenewal, Pick(4) == 0),
        18 or 19 => Promoted(),
        20 => new ReportCheckpointed(AnyEpoch, Holder, AnyLsn),
        21 or 22 => Touch(AnyNode),
        23 => Silence(AnyNode),
        24 => new PatchConfig(Pick(3) switch { 0 => """{"ttl":null}""", 1 => """{"ttl":-1}""", _ => $$"""{"ttl":{{20 + Pick(20)}}}""" }, AnyVersion(State.Config.Version)),
        25 => new ReplaceConfig(Rarely ? """{"maximum_lag_on_failover":100}""" : "{}", AnyVersion(State.Config.Version)),
        26 => new RequestFailover((FailoverKind)Pick(2), Pick(2) == 0 ? null : Holder, Pick(3) == 0 ? null : AnyNode, Pick(3) == 0 ? 5 : null, null),
        27 => new ClearFailover(Pick(2) == 0 ? 0 : State.Failover?.RequestIndex ?? 1, "no longer"),
        28 => Sync(),
        29 => new AppendHistory(AnyEpoch, [new(new(Pick(5)), AnyLsn, "earlier", 1, AnyNode)]),
        30 => new SetFailsafeTopology(AnyEpoch, Rarely ? 7 : State.FailsafeVersion, Rarely ? Topology() : ImmutableSortedDictionary<NodeName, string>.Empty),
        32 => State.FeatureLevel < 2 ? new RaiseFeatureLevel(2) : new ReportFenced(AnyNode, new(AnyEpoch, Pick(3), "vorbei", (int)Pick(3), Pick(9), Pick(9), (int)Pick(2))),
        31 => Pick(9) switch
        {
            0 => new RemovePeer(AnyNode),
            1 => new RaiseFeatureLevel((int)Pick(4)),
            2 => new RaiseGeneration(State.Generation + Pick(3), "forced"),
            3 => new WipeCluster("removed"),
            4 => new ScheduleRestart(AnyNode, 5, "then", new(Rarely ? PostgresRole.Replica : null, Rarely ? "15.2" : null, Rarely), Rarely ? 7 : null, 3),
            5 => Unschedule(),
            _ => Register(AnyNode),
        },
        _ => Register(AnyNode),
    };

    private RegisterPeer Register(NodeName node) =>
        new(new(node, Rarely ? "a:1" : node.Value + ":1", "http://" + node.Value, Rarely ? PeerKind.Witness : PeerKind.Data));

    private StandForElection Stand(NodeName node)
    {
        uint timeline = Math.Max(1, State.LatestPromotion?.Timeline.Value ?? 1) + (Rarely ? Pick(3) : 0);
        if (Rarely && timeline > 1) timeline--;
        var history = ImmutableArray.CreateBuilder<TimelineFork>();
        foreach (Promotion promotion in State.Lineage)
        {
            if (promotion.ParentTimeline.IsKnown && promotion.Timeline.Value <= timeline && !(Rarely && Rarely))
                history.Add(new(promotion.ParentTimeline, Rarely && Rarely ? AnyLsn : promotion.ForkLsn));
        }
        return new(AnyVacancy, node, DataOf(node), new(timeline), AnyLsn, AnyLsn, Rarely ? 0 : 1 + (int)Pick(2), history.ToImmutable());
    }

    private DeclineElection Decline(NodeName node) => new(AnyVacancy, node, DataOf(node), "nicht bereit");

    private TouchMember Touch(NodeName node) => new(node, Report(node.Value, Rarely ? Pick(20) : 0));

    private ClearRestart Unschedule()
    {
        Member? member = State.Members.Values.FirstOrDefault(static member => member.ScheduledRestart is not null);
        return member is null || Rarely ? new(AnyNode, Pick(2), "no longer") : new(member.Name, Pick(2) * member.ScheduledRestart!.RequestIndex, "no longer");
    }

    private ExpireMember Silence(NodeName node) =>
        new(node, State.Members.TryGetValue(node, out Member? member) && !Rarely ? member.LastTouchIndex : Pick(9));

    private ReportPromoted Promoted()
    {
        uint latest = State.LatestPromotion?.Timeline.Value ?? 0;
        return Rarely
            ? new(AnyEpoch, Holder, new(Pick(4)), new(Pick(4)), AnyLsn)
            : new(AnyEpoch, Holder, new(latest + 1), new(latest), latest == 0 ? default : AnyLsn);
    }

    private SetSyncState Sync()
    {
        var standbys = ImmutableArray.CreateBuilder<SyncMember>();
        foreach (NodeName node in State.Members.Keys)
            if (Pick(2) == 0 && (node != State.Leader || Rarely)) standbys.Add(new(node, DataOf(node)));
        bool off = Pick(5) == 0;
        return new(AnyEpoch, Rarely ? 3 : State.Sync.Version, off ? null : Holder, off ? [] : standbys.ToImmutable(), off ? 0 : (int)Pick(3));
    }

    private ImmutableSortedDictionary<NodeName, string> Topology()
    {
        var topology = ImmutableSortedDictionary<NodeName, string>.Empty;
        foreach (NodeName node in State.Members.Keys) if (Pick(3) > 0) topology = topology.Add(node, "http://" + node.Value);
        return topology;
    }
}
