using System.Globalization;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

/// <summary>How one run ended.</summary>
internal sealed record SimResult(SimOptions Options, InvariantViolation? Violation, ulong TraceHash, int Entries, int Elections, int Branches, int Looks, int LooksWithPrimary, int LooksPaused, int LooksFailsafe, int Thaws, string Report);

/// <summary>One run: true time, an event queue, the nodes and everything between them. Single-threaded; no real time, no real randomness.</summary>
internal sealed class World
{
    private const int TickMs = 25;
    private const int RaftTickMs = 50;
    private static readonly int LinesKept = int.TryParse(Environment.GetEnvironmentVariable("SIM_LINES"), NumberStyles.None, CultureInfo.InvariantCulture, out int lines) ? lines : 90;
    private readonly PriorityQueue<Action, (long At, long Order)> queue = new();
    private readonly Dictionary<NodeName, SimNode> byName = [];
    private long order;
    private int branches;
    private int looks;
    private int looksWithPrimary;
    private int looksPaused;
    private int looksFailsafe;
    private int thaws;

    private World(SimOptions options)
    {
        Options = options;
        Trace = new(LinesKept, options.Traced);
        Rng = new(options.Seed);
        Oracle = new(this);
        Commits = new(this);
        Log = new(this);
        Nemesis = new(this);
        for (int i = 1; i <= options.DataNodes; i++) Add(new(this, new($"n{i}"), PeerKind.Data));
        for (int i = 1; i <= options.Witnesses; i++) Add(new(this, new(i == 1 ? "w" : $"w{i}"), PeerKind.Witness));
    }

    public SimOptions Options { get; }
    public Rng Rng { get; }
    public Trace Trace { get; }
    public Oracle Oracle { get; }
    public CommitLedger Commits { get; }
    public AbstractLog Log { get; }
    public Nemesis Nemesis { get; }
    public List<SimNode> Nodes { get; } = [];
    public long Now { get; private set; }

    public double WriteRate { get; set; } = 0.2;
    public double LossRate { get; set; } = 0.01;
    public double DuplicateRate { get; set; } = 0.02;
    public double SlowProposals { get; set; } = 0.01;
    public double ActionFailures { get; set; }

    public static SimResult Run(SimOptions options)
    {
        var world = new World(options);
        InvariantViolation? violation = null;
        try
        {
            world.Live();
        }
        catch (InvariantViolation found)
        {
            violation = found;
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException or NullReferenceException or InvalidCastException or IndexOutOfRangeException)
        {
            violation = new("core", error.ToString());
        }
        // What happened is written down only when somebody has to read it.
        if (violation is not null && !options.Traced) return Run(options with { Traced = true });
        return new(options, violation, world.Trace.Hash, world.Log.Entries.Count, world.Oracle.Elections, world.branches, world.looks, world.looksWithPrimary,
            world.looksPaused, world.looksFailsafe, world.thaws, violation is null ? "" : world.Report(violation));
    }

    private void Add(SimNode node)
    {
        Nodes.Add(node);
        byName.Add(node.Name, node);
    }

    public SimNode? NodeOf(NodeName name) => byName.GetValueOrDefault(name);

    public Branch NewBranch(TimelineId timeline, NodeName owner, Branch? parent, long fork) => new(++branches, timeline, owner, parent, fork);

    public void At(long time, Action action) => queue.Enqueue(action, (Math.Max(time, Now), ++order));

    public void After(long delay, Action action) => At(Now + delay, action);

    private void Live()
    {
        if (Options.Adopts) RunByHand();
        foreach (SimNode node in Nodes) After(Rng.Between(1, Options.Adopts ? 2000 : 500), node.StartAgent);
        At(0, Physics);
        At(0, RaftTick);
        Nemesis.Begin();
        RunUntil(Options.ChaosMs, static () => false);
        Nemesis.Heal();
        Trace.Add(Now, "world", "healed: from here on everything must become whole");
        long bound = Now + SimOptions.HealBoundMs;
        if (!RunUntil(bound, Oracle.IsWhole))
            throw new InvariantViolation("j", $"{SimOptions.HealBoundMs / 1000} s after healing: {Oracle.WhyNotWhole()}");
        if (!Options.BreaksApply) Oracle.CheckReplay();
    }

    /// <summary>What people started before there was an agent, perhaps some time ago.</summary>
    private void RunByHand()
    {
        PgModel primary = Nodes[0].Pg;
        primary.Create(Rng.Next() | 1);
        primary.RunByHand(true, null);
        if (!Rng.Chance(0.6)) return;
        Nodes[1].Pg.Adopt(primary.Wal, primary.SystemIdentifier);
        Nodes[1].Pg.RunByHand(false, Nodes[0].Name);
        if (Rng.Chance(0.4)) After(Rng.Between(400, 2500), () => Nemesis.BeforeAdoption(Nodes[0]));
    }

    private bool RunUntil(long end, Func<bool> done)
    {
        long nextLook = Now;
        while (queue.TryPeek(out _, out (long At, long Order) next) && next.At <= end)
        {
            Action action = queue.Dequeue();
            Now = next.At;
            action();
            if (Now < nextLook) continue;
            nextLook = Now + 250;
            looks++;
            if (Nodes.Exists(static node => node.Pg.State == Processes.Primary)) looksWithPrimary++;
            if (Log.State.Settings.Pause) looksPaused++;
            if (Nodes.Exists(static node => node.Held is { ByPromises: true } held && node.AgentUp && held.Permits(node.Clock.Local(node.Now)))) looksFailsafe++;
            if (done()) return true;
        }
        return false;
    }

    private void Physics()
    {
        foreach (SimNode node in Nodes)
        {
            if (!node.HasPostgres || !node.HostUp || node.HostIsFrozen) continue;
            node.Pg.Tick();
            node.GuardTick();
        }
        Commits.Tick();
        Oracle.CheckHolders();
        Oracle.CheckWriters();
        After(TickMs, Physics);
    }

    private void RaftTick()
    {
        Log.Tick();
        After(RaftTickMs, RaftTick);
    }

    public long ProposalDelay() => Rng.Chance(SlowProposals) ? Rng.Between(20, 6000) : Rng.Between(1, 8);

    public long ApplyDelay(SimNode node) => node == Log.Leader ? Rng.Between(0, 3) : Rng.Between(1, 12) + (Now < node.SlowApplyUntil ? Rng.Between(0, 4000) : 0);

    public bool CanReach(SimNode from, SimNode to) => from.HostUp && to.HostUp && !from.HostIsFrozen && !to.HostIsFrozen && from.Group == to.Group;

    /// <summary>Links on which requests between the nodes' APIs are lost, in one direction.</summary>
    public HashSet<(SimNode From, SimNode To)> CutLinks { get; } = [];

    /// <summary>A frozen host that thawed ran PostgreSQL before its guard: the known limit.</summary>
    public void Thawed() => thaws++;

    private bool Passes(SimNode from, SimNode to) => CanReach(from, to) && !CutLinks.Contains((from, to)) && !Rng.Chance(LossRate);

    /// <summary>A request between two nodes' APIs and its answer; either may be lost or late, and a stopped agent answers when it goes on.</summary>
    public void Request(SimNode from, SimNode to, Func<SimNode, (bool Yes, int AfterMs)> ask, Action yes)
    {
        int life = from.Life;
        After(Rng.Chance(SlowProposals) ? Rng.Between(20, 4000) : Rng.Between(1, 15), () =>
        {
            if (!to.AgentUp || !Passes(from, to)) return;
            int its = to.Life;
            to.Awake(() =>
            {
                if (to.Life != its) return;
                (bool agreed, int afterMs) = ask(to);
                if (!agreed) return;
                After(afterMs + Rng.Between(1, 15), () =>
                {
                    if (to.AgentUp && to.Life == its && from.AgentUp && from.Life == life && Passes(to, from)) from.Awake(yes);
                });
            });
        });
    }

    /// <summary>Streams to a standby if the upstream serves it; whether it did.</summary>
    public bool Stream(SimNode standby, SimNode? upstream, long atMost)
    {
        if (upstream is null || upstream == standby || !CanReach(standby, upstream) || upstream.Pg.IsHung) return false;
        if (upstream.Pg.State is not (Processes.Primary or Processes.Standby)) return false;
        if (upstream.Pg.SystemIdentifier != standby.Pg.SystemIdentifier || !standby.Pg.Wal.CanStreamFrom(upstream.Pg.Wal)) return false;
        Oracle.CheckStreams(standby, upstream);
        standby.Pg.Receive(upstream.Pg.Wal, atMost);
        return true;
    }

    /// <summary>A primary that shuts down waits until the standbys that stream have everything.</summary>
    public void StreamLast(SimNode primary)
    {
        foreach (SimNode node in Nodes)
        {
            if (!node.HasPostgres || node.Pg is not { State: Processes.Standby, IsStreaming: true } || node.Pg.Upstream != primary.Name || node.Pg.IsHung) continue;
            if (!CanReach(node, primary) || !node.Pg.Wal.CanStreamFrom(primary.Pg.Wal)) continue;
            Oracle.CheckStreams(node, primary);
            node.Pg.Receive(primary.Pg.Wal, long.MaxValue / 4);
        }
    }

    private string Report(InvariantViolation violation)
    {
        string plot = Options.Plot == Plot.None ? "" : $"SIM_PLOT={Options.Plot} ";
        string again = Options.Mutation == Mutation.None ? $"{plot}SIM_SEED={Options.Seed} dotnet test tests/simulation -c Release --filter Seeds"
            : $"MUTATION={Options.Mutation} dotnet test tests/simulation -c Release --filter Every_broken";
        return $"""
            seed {Options.Seed}: {Options}
            violated: {violation.Message}
            again: {again}
            {Trace}
            nodes at the end:
            {string.Join('\n', Nodes.Select(static node => node.ToString()))}
            log: {Log.State.Leadership}
            """;
    }
}
