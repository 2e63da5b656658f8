using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>
/// Plays a scenario: a text of blocks, each a command, a line <c>----</c> and what came of it. The result is the same text with the
/// answers that the state machine gives now.
/// </summary>
internal sealed class ScenarioRunner
{
    private readonly Dictionary<string, (CommandId Id, Command Command)> held = [];
    private TestCluster cluster = new();
    private (CommandId Id, Command Command)? last;

    public static string Play(string text)
    {
        var runner = new ScenarioRunner();
        var result = new StringBuilder();
        bool inAnswer = false;
        foreach (string line in text.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n'))
        {
            if (inAnswer && line.Length > 0) continue;
            inAnswer = false;
            if (line == "----")
            {
                inAnswer = true;
                continue;
            }
            result.Append(line).Append('\n');
            if (line.Length > 0 && line[0] != '#') result.Append("----\n").Append(runner.Run(line));
        }
        return result.ToString();
    }

    private string Run(string line)
    {
        var args = new Arguments(line);
        switch (args.Verb)
        {
            case "cluster":
                cluster = TestCluster.LedWith(args["config"] ?? "{}", [.. args.Plain]);
                return Place();
            case "hold":
                held[args.Plain[0]] = (cluster.NextId(1), Parse(new(line.Split(": ", 2)[1])));
                return "proposed, not yet applied\n";
            case "deliver":
                return Apply(held[args.Plain[0]]);
            case "again":
                return Apply(last!.Value);
            case "wait":
                cluster.ClockMs += args.Number("ms", 0);
                return "later\n";
            case "explain":
                return Quoted(StoryText.Render(new(null, [.. LeadershipStories.Tell(cluster.State.Events).Where(story => story.Ago == args.Number("ago", 1))]), TimeZoneInfo.Utc));
            case "situation":
                return Quoted(StoryText.Render(new(Situations.Of(cluster.State, cluster.State.Events, Voters(args), cluster.NowMs), []), TimeZoneInfo.Utc));
            default:
                return Apply((cluster.NextId(1), Parse(args)));
        }
    }

    private string Apply((CommandId Id, Command Command) proposal)
    {
        last = proposal;
        Outcome outcome = cluster.Do(proposal.Id, proposal.Command);
        var text = new StringBuilder(outcome.IsAccepted ? "accepted" : $"refused, {outcome.Code}: {outcome.Reason}").Append('\n');
        foreach (EventRecord record in cluster.Last.Events) Describe(text, record);
        return text.Append(Place()).ToString();
    }

    /// <summary>A text whose empty lines do not end the answer.</summary>
    private static string Quoted(string text) => text.Replace("\n\n", "\n.\n", StringComparison.Ordinal);

    /// <summary>Voters as name:up, name:down or name:leaderless.</summary>
    private static ImmutableArray<VoterHealth> Voters(Arguments args) =>
        [.. args.Plain.Select(static voter => voter.Split(':')).Select(static parts => new VoterHealth(parts[0], parts[1] != "down", parts[1] == "up"))];

    private static void Describe(StringBuilder text, EventRecord record)
    {
        ImmutableArray<CandidateVerdict> verdicts = record.Event switch
        {
            LeaderElected won => won.Candidates,
            ElectionFruitless fruitless => fruitless.Refusals,
            _ => [],
        };
        string what = record.Event switch
        {
            VacancyOpened e => $"vacancy {e.Vacancy}: {e.Detail}; last position {e.LastLeaderLsn}{(e.Candidate is { } only ? $", for {only} first" : "")}",
            NodeStood e => $"{e.Node} stood with timeline {e.Timeline}, {e.EndOfWal}, priority {e.FailoverPriority}",
            LeaderElected e => $"{e.Winner} won epoch {e.Epoch}",
            ElectionFruitless e => $"nobody won{(e.NarrowingLapsed is { } only ? $"; open to all, no longer to {only} only" : "")}",
            LeaderPromoted e => $"{e.Promotion.Node} is primary on timeline {e.Promotion.Timeline}, from {e.Promotion.ParentTimeline} at {e.Promotion.ForkLsn}",
            SyncStateChanged e => $"synchronous set of {e.Sync.Leader}: {string.Join(", ", e.Sync.Standbys.Select(static m => m.Node))}; quorum {e.Sync.Quorum}",
            FailoverRequested e => $"{e.Request.Kind} to {e.Request.Candidate?.Value ?? "anybody"} requested",
            FailsafeTopologyChanged e => $"failsafe topology {string.Join(", ", e.Members)}",
            _ => record.Event.ToString(),
        };
        text.Append($"  {record.Rule}: {what}\n");
        foreach (CandidateVerdict verdict in verdicts) text.Append($"    {verdict.Node} {verdict.Rule}: {verdict.Reason}\n");
    }

    private string Place() => cluster.State.Leadership switch
    {
        Vacant { Vacancy: var v } =>
            $"= vacant {v.Id}; stood: {Names(v.Stands.Keys)}; declined: {Names(v.Declines.Keys)}{(v.Candidate is { } only ? $"; only {only}" : "")}{(v.Barred.IsEmpty ? "" : $"; barred: {Names(v.Barred)}")}\n",
        { HeldLease: { } lease } held => $"= {held.Phase.ToString().ToLowerInvariant()} by {lease.Holder}, epoch {lease.Epoch}, renewed at {lease.LastRenewalIndex}{(lease.Unbounded ? ", unbounded" : "")}\n",
        var other => $"= {other.Phase.ToString().ToLowerInvariant()}\n",
    };

    private static string Names(IEnumerable<NodeName> names) => string.Join(", ", names.DefaultIfEmpty(new("nobody")));

    private Command Parse(Arguments args)
    {
        NodeName node = new(args.Plain.ElementAtOrDefault(0) ?? "");
        ClusterState state = cluster.State;
        Epoch epoch = state.Lease?.Epoch ?? default;
        return args.Verb switch
        {
            "stand" => new StandForElection(Vacancy(args), node, Data(args, node), new(args.Number("timeline", 1)), args.Lsn("end"), args.Lsn("end"), (int)args.Number("priority", 1), History(args)),
            "decline" => new DeclineElection(Vacancy(args), node, Data(args, node), string.Join(' ', args.Plain.Skip(1))),
            "withdraw" => new WithdrawFromElection(Vacancy(args), node, string.Join(' ', args.Plain.Skip(1))),
            "close" => new CloseElection(Vacancy(args)),
            "renew" => new RenewLeader(Epoch(args, epoch), Holder(args), 10_000, args.Has("unbounded"), args.Lsn("lsn"), []),
            "release" => new ReleaseLeader(epoch, Holder(args), Enum.Parse<VacancyReason>(args["reason"]!), args["reason"]!.ToLowerInvariant(), args.Lsn("shutdown"), TestCluster.Name(args["to"])),
            "expire" => new ExpireLeader(Epoch(args, epoch), args.Number("seen", (uint)(state.Lease?.LastRenewalIndex ?? 0)), args.Has("force"), TestCluster.Name(args["by"])),
            "checkpointed" => new ReportCheckpointed(Epoch(args, epoch), Holder(args), args.Lsn("at")),
            "promoted" => new ReportPromoted(Epoch(args, epoch), Holder(args), new(args.Number("timeline", 1)), new(args.Number("from", 0)), args.Lsn("fork")),
            "touch" => new TouchMember(node, TestCluster.Report(node.Value, args.Number("timeline", 1)) with
            {
                Incarnation = Data(args, node),
                SystemIdentifier = args.Has("foreign") ? 5 : TestCluster.SystemIdentifier,
                ReplicationState = args.Has("streaming") ? "streaming" : "",
                State = args["state"] is { } name ? Enum.Parse<PostgresState>(name) : PostgresState.Running,
                Role = args.Has("primary") ? PostgresRole.Primary : PostgresRole.Replica,
                Origin = args["origin"] is { } origin ? Enum.Parse<DataOrigin>(origin) : DataOrigin.Unknown,
                Note = (args["note"] ?? "").Replace('_', ' '),
                ReceiveLsn = args.Lsn("lsn"),
            }),
            "sync" => new SetSyncState(epoch, args.Number("version", (uint)state.Sync.Version), args.Has("off") ? null : state.Leader,
                [.. args.Plain.Where(static name => name != "off").Select(name => new SyncMember(new(name), Data(args, new(name))))], (int)args.Number("quorum", 0)),
            "failsafe" => new SetFailsafeTopology(epoch, args.Number("version", (uint)state.FailsafeVersion), args.Plain.ToImmutableSortedDictionary(static name => new NodeName(name), static name => "http://" + name)),
            "request" => new RequestFailover(Enum.Parse<FailoverKind>(args.Plain[0], true), TestCluster.Name(args["leader"]), TestCluster.Name(args["candidate"]), args.Has("scheduled") ? 1 : null, null),
            "clear" => new ClearFailover(0, "an operator cleared it"),
            "patch" => new PatchConfig(args["json"]!, args.Number("version", 0)),
            "register" => new RegisterPeer(TestCluster.PeerOf(node.Value) with { Kind = args.Has("witness") ? PeerKind.Witness : PeerKind.Data }),
            "silent" => new ExpireMember(node, state.Members[node].LastTouchIndex),
            "remove" => new RemovePeer(node),
            "generation" => new RaiseGeneration(uint.Parse(node.Value, CultureInfo.InvariantCulture), "forced"),
            _ => throw new FormatException($"'{args.Verb}' is no verb of a scenario."),
        };
    }

    private VacancyId Vacancy(Arguments args) =>
        args["vacancy"] is { } text ? new(1, long.Parse(text, CultureInfo.InvariantCulture)) : cluster.State.Vacancy?.Id ?? default;

    private static Epoch Epoch(Arguments args, Epoch current) =>
        args["epoch"] is { } text ? new(1, long.Parse(text, CultureInfo.InvariantCulture)) : current;

    private NodeName Holder(Arguments args) => TestCluster.Name(args["by"]) ?? cluster.State.Leader ?? default;

    private static Incarnation Data(Arguments args, NodeName node) =>
        args["data"] is { } text ? new(ulong.Parse(text, CultureInfo.InvariantCulture)) : TestCluster.Data(node.Value);

    private static ImmutableArray<TimelineFork> History(Arguments args) =>
        [.. (args["history"] ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(static fork => fork.Split('@'))
            .Select(static parts => new TimelineFork(new(uint.Parse(parts[0], CultureInfo.InvariantCulture)), Lsn.Parse(parts[1])))];

    /// <summary>A verb, plain words, and words of the form key=value.</summary>
    private sealed class Arguments
    {
        private readonly Dictionary<string, string> named = [];

        public Arguments(string line)
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Verb = words[0];
            foreach (string word in words.Skip(1))
            {
                int equals = word.IndexOf('=');
                if (equals > 0) named[word[..equals]] = word[(equals + 1)..];
                else Plain.Add(word.TrimEnd(':'));
            }
        }

        public string Verb { get; }

        public List<string> Plain { get; } = [];

        public string? this[string key] => named.GetValueOrDefault(key);

        public bool Has(string word) => Plain.Contains(word);

        public uint Number(string key, uint otherwise) => this[key] is { } text ? uint.Parse(text, CultureInfo.InvariantCulture) : otherwise;

        public Lsn Lsn(string key) => this[key] is { } text ? Patroni.Raft.StateMachine.Lsn.Parse(text) : default;
    }
}
