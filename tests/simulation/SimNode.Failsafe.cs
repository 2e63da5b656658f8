using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

internal sealed partial class SimNode
{
    private readonly Queue<(FailsafeRound Round, long CapturedMs)> promised = new();
    private FailsafeMemory failsafe = FailsafeMemory.Empty;
    private FailsafePromise? promise;
    private VacancyId? stoodIn;
    private bool asking;
    private long roundDueMs;
    /// <summary>The promise on disk: outlives agent and boot.</summary>
    private (FailsafePromise Promise, long WrittenMs, long BootId)? promiseFile;

    /// <summary>The stand over which it promised, which no node does.</summary>
    public VacancyId? PromisedOver { get; private set; }

    /// <summary>Until when the promise on disk binds, on true time; for the oracle.</summary>
    public long PromisedUntilTrueMs(Epoch epoch)
    {
        if (promiseFile is not { } file || file.Promise.Epoch < epoch) return 0;
        // After a reboot it runs once more from the start of the agent, which is later still.
        return file.BootId == Clock.BootId ? Clock.TrueAt(file.Promise.UntilMs) : long.MaxValue;
    }

    private void StartFailsafe()
    {
        promised.Clear();
        failsafe = FailsafeMemory.Empty;
        stoodIn = null;
        asking = false;
        promise = promiseFile is not { } file || Is(Mutation.PromiseNotDurable) ? null
            : file.BootId == Clock.BootId ? file.Promise
            : file.Promise with { UntilMs = Local + file.Promise.UntilMs - file.WrittenMs };
    }

    private FailsafePromise? Promise(long now)
    {
        if (promise is { } known && !known.Binds(State, now)) promise = null;
        return Is(Mutation.PromiseNotKept) ? null : promise;
    }

    private bool TryStand(VacancyId vacancy)
    {
        if (Promise(Local) is not null) return false;
        stoodIn = vacancy;
        return true;
    }

    private void KeepFailsafe(NodeView view, long now)
    {
        if (FailsafeRules.Topology(view) is { } topology) Post(topology, _ => Propose(topology));
        FailsafeMemory asked = Is(Mutation.PendingTopologyNotAsked) ? FailsafeMemory.Empty with { AskedAtMs = failsafe.AskedAtMs } : failsafe;
        roundDueMs = FailsafeRules.RoundDueMs(view, failsafe);
        if (asking || FailsafeRules.Round(view, asked) is not { } round) return;
        failsafe = failsafe with { AskedAtMs = now };
        asking = true;
        world.Trace.Add(world.Now, Name.Value, $"asks {string.Join(' ', round.Members.Select(static member => member.Name))} for promises under epoch {round.Question.Epoch}");
        Ask(round, now);
    }

    private void Propose(SetFailsafeTopology topology)
    {
        failsafe = failsafe.Propose(topology);
        keeper = keeper.ForgetPromises();
        TellFence(EffectiveHeld);
    }

    private void Ask(FailsafeRound round, long capturedMs)
    {
        int life = Life, yes = 0;
        bool over = false;
        void Over()
        {
            if (over || Life != life) return;
            over = true;
            asking = false;
            if (Is(Mutation.MajorityPromises) ? 2 * (yes + 1) > round.Members.Length + 1 : yes == round.Members.Length)
                promised.Enqueue((round, Is(Mutation.CaptureAfterPromises) ? Local + world.Rng.Between(0, 400) : capturedMs));
            Wake();
        }
        foreach ((NodeName name, _) in round.Members)
        {
            world.Request(this, world.NodeOf(name)!, to => to.Answer(round.Question), () =>
            {
                yes++;
                if (yes == round.Members.Length) Over();
            });
        }
        foreach ((NodeName name, _) in round.Others) world.Request(this, world.NodeOf(name)!, to => to.Answer(round.Question), static () => { });
        world.After(round.Members.IsEmpty ? 1 : round.TimeoutMs, () => WhenAwake(Over));
    }

    /// <summary>Answers, after the promise is on disk; a crash may come before.</summary>
    private (bool Yes, int AfterMs) Answer(FailsafeQuestion question)
    {
        ClusterState state = State;
        if (Is(Mutation.PromiseWhileStanding) && state.Vacancy is { } vacancy)
            state = state with { Leadership = new Vacant(vacancy with { Stands = vacancy.Stands.Remove(Name) }) };
        FailsafeAnswer answer = FailsafePromises.Answer(new(Name, state, mayBeWritable, Is(Mutation.PromiseWhileStanding) ? null : stoodIn, promise), question, Local);
        if (answer.Promise is null)
        {
            world.Trace.Add(world.Now, Name.Value, $"does not promise: {answer.Text}");
            return (false, 1);
        }
        promise = answer.Promise;
        if (Is(Mutation.PromiseWhileStanding)) PromisedOver = stoodIn;
        int life = Life;
        int disk = Ms(0, 30);
        world.After(disk, () =>
        {
            if (AgentUp && Life == life && promise is { } newest) promiseFile = (newest, Local, Clock.BootId);
        });
        Wake();
        world.Nemesis.Moment(this, "a promise");
        world.Nemesis.Promised(this);
        return (true, disk + 1);
    }

    private void ObservePromises()
    {
        while (promised.TryDequeue(out (FailsafeRound Round, long CapturedMs) all))
        {
            HeldLease? before = EffectiveHeld;
            if (!Is(Mutation.PendingTopologyNotAsked) && !FailsafeRules.Covers(all.Round, Name, State, failsafe)) continue;
            keeper = keeper.Extend(all.Round.Question.Epoch, all.CapturedMs, all.Round.Question.TtlMs, Local);
            if (EffectiveHeld is not { } held || held == before) continue;
            TellFence(held);
            world.Oracle.Extended(this, held);
        }
    }
}
