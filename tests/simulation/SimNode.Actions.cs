using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

internal sealed partial class SimNode
{
    /// <summary>A long action under way; each step takes the virtual time it yields, and a crash may come between any two.</summary>
    private sealed class Job(ActionKind kind, string context, NodeAction action)
    {
        public ActionKind Kind => kind;
        public string Context => context;
        public NodeAction Action => action;
        public bool Cancelled { get; set; }
        public string? Failure { get; set; }
    }

    private void Execute(Effect effect, NodeView view)
    {
        switch (effect)
        {
            case Propose propose:
                Post(propose.Command);
                break;
            case ProposeAdoption adoption:
                Adopt(adoption, view.NowMs);
                break;
            case Fence fence:
                BeginFence(fence.GivesUpStart, NodeDecisions.ContextOf(view.State));
                break;
            case RefuseRequest:
                Request = NodeRequest.None;
                break;
            case CancelAction:
                if (job is not null) job.Cancelled = true;
                break;
            case EndAgent { IsError: true }:
                throw new InvariantViolation("j", $"{Name} ends with an error: {LastDecision?.Reason}");
            case EndAgent:
                KillAgent();
                break;
            case RequestCheckpoint:
                AskForCheckpoint();
                break;
            case RunAction run:
                if (job is not null) throw new InvariantViolation("core", $"{run.Action.Kind} is ordered while {job.Kind} runs");
                if (LastDecision?.Rule == "restart.scheduled") world.Oracle.RestartsBySchedule(this, view.State.Members[Name].ScheduledRestart!);
                Run(run.Action, NodeDecisions.ContextOf(view.State));
                break;
        }
    }

    private void Adopt(ProposeAdoption adoption, long now)
    {
        if (Is(Mutation.AdoptedWithoutDeadline))
        {
            if (Post(adoption.Completion)) world.Nemesis.Adopting(this);
            return;
        }
        SetMayBeWritable(true);
        bool sent = Post(adoption.Completion, id =>
        {
            keeper = keeper.Adopt(id, now, adoption.Claim, adoption.TtlMs);
            TellFence(EffectiveHeld);
        });
        if (sent) world.Nemesis.Adopting(this);
    }

    private void BeginFence(string? givesUpStart, string context)
    {
        if (fencing) return;
        fencing = true;
        if (job is not null) job.Cancelled = true;
        int life = Life;
        world.After(world.Rng.Between(2, 200), () => WhenAwake(() =>
        {
            if (!AgentUp || Life != life) return;
            world.Trace.Add(world.Now, Name.Value, $"fenced ({Pg.State})");
            Pg.Kill();
            fencing = false;
            lastAction = givesUpStart is null ? new(ActionKind.Stop, false, "it was fenced", Local, "") : new(ActionKind.StartPrimary, false, givesUpStart, Local, context);
            SetMayBeWritable(false);
            Wake();
        }));
    }

    private bool checkpointing;

    private void AskForCheckpoint()
    {
        if (checkpointing) return;
        checkpointing = true;
        int life = Pg.Life;
        world.After(world.Nemesis.CheckpointMs(), () =>
        {
            checkpointing = false;
            if (Pg.Life == life && Pg.State == Processes.Primary && !Pg.IsHung) Pg.Checkpoint();
            Wake();
        });
    }

    private void Run(NodeAction action, string context)
    {
        world.Trace.Add(world.Now, Name.Value, $"{action} begins");
        // Declared intent: before anything can become writable, the fence and the guard know of it.
        if (action is StartPrimaryAction or PromoteAction or RestartAction { AsPrimaryUnder: not null } && !Is(Mutation.ArmedByObservation)) SetMayBeWritable(true);
        if ((action is RestartAction && Request == NodeRequest.Restart) || (action is RemoveDataAction or CloneAction && Request == NodeRequest.Reinitialize)) Request = NodeRequest.None;
        job = new(action.Kind, context, action);
        Step(job, Steps(action).GetEnumerator(), Life);
    }

    private IEnumerable<int> Steps(NodeAction action) => action switch
    {
        InitializeAction => Initialize(),
        StartPrimaryAction => Start(true, null, null),
        StartStandbyAction start => Start(false, start.Upstream, start.Mark),
        PromoteAction promote => Promote(promote.Epoch),
        FollowAction follow => Follow(follow.Upstream, follow.Mark),
        StopAction stop => Stop(stop.ForHandover),
        RestartAction restart => Restart(restart),
        RewindAction rewind => Rewind(rewind.Leader, rewind.Mark),
        CloneAction clone => Clone(clone),
        RemoveDataAction remove => RemoveData(remove.ReplacedBy),
        _ => throw new InvalidOperationException($"{action.Kind} has no executor."),
    };

    private void Step(Job mine, IEnumerator<int> steps, int life)
    {
        if (!AgentUp || Life != life || job != mine) return;
        if (mine.Cancelled)
        {
            End(mine, "it was cancelled");
            return;
        }
        if (!steps.MoveNext() || mine.Failure is not null)
        {
            End(mine, mine.Failure);
            return;
        }
        world.After(Math.Max(1, steps.Current), () => WhenAwake(() => Step(mine, steps, life)));
    }

    private void End(Job mine, string? failure)
    {
        job = null;
        lastAction = new(mine.Kind, failure is null, failure ?? "", Local, mine.Context);
        world.Trace.Add(world.Now, Name.Value, failure is null ? $"{mine.Kind} is done" : $"{mine.Kind} failed: {failure}");
        Wake();
        world.Nemesis.Moment(this, "an action's end");
        world.Nemesis.Ended(this, mine.Kind);
    }

    private void Fail(string reason) => job!.Failure = reason;

    private bool Fails() => world.Rng.Chance(world.ActionFailures);

    private int Ms(int low, int high) => world.Rng.Between(low, high);

    private IEnumerable<int> Initialize()
    {
        Pg.Special = new UnfinishedData(UnfinishedWork.Initialization);
        yield return Ms(300, 2000);
        if (Fails())
        {
            Fail("initdb failed");
            yield break;
        }
        Pg.Create(world.Rng.Next() | 1);
    }

    private IEnumerable<int> Start(bool asPrimary, NodeName? upstream, FollowMark? mark)
    {
        yield return Ms(5, 60);
        if (mark is not null && Pg.HasData)
        {
            Pg.Followed = mark;
            yield return Ms(1, 10);
        }
        if (Pg.HasProcesses || !Pg.HasData)
        {
            Fail("processes of the instance are left, or it has no data");
            yield break;
        }
        bool dies = Fails();
        Pg.Launch(asPrimary, upstream);
        int life = Pg.Life;
        long patience = world.Now + 20_000;
        while (true)
        {
            yield return Ms(20, 40);
            if (dies && world.Rng.Chance(0.2) && Pg.Life == life) Pg.Kill();
            if (Pg.Life != life || !Pg.HasProcesses)
            {
                Fail("PostgreSQL exited while it started");
                yield break;
            }
            if (Pg.State is Processes.Primary or Processes.Standby || world.Now > patience) yield break;
        }
    }

    private IEnumerable<int> Promote(Epoch epoch)
    {
        yield return Ms(2, 30);
        if (Pg.State != Processes.Standby || Pg.IsHung)
        {
            Fail("it is not a running standby");
            yield break;
        }
        int life = Pg.Life;
        int failure = Fails() ? Ms(0, 2) : -1;
        if (failure == 0)
        {
            Fail("pre_promote failed");
            yield break;
        }
        Pg.Mark = new(epoch, Pg.Wal.Timeline);
        yield return Ms(2, 20);
        // The order may outlive whoever waits for it.
        if (Pg.Life == life) Pg.PromoteAt = world.Now + Ms(20, 700);
        if (failure == 1)
        {
            yield return Ms(0, 400);
            if (Pg.Life == life) Pg.KillPostmaster(false);
        }
        long patience = world.Now + (failure == 2 ? Ms(0, 300) : 20_000);
        while (true)
        {
            yield return Ms(10, 30);
            if (Pg.Life != life)
            {
                Fail("PostgreSQL exited while it was promoted");
                yield break;
            }
            if (Pg.State == Processes.Primary) yield break;
            if (world.Now <= patience) continue;
            Fail("PostgreSQL did not leave recovery in time");
            yield break;
        }
    }

    private IEnumerable<int> Follow(NodeName? upstream, FollowMark? mark)
    {
        yield return Ms(5, 80);
        if (mark is not null)
        {
            Pg.Followed = mark;
            yield return Ms(1, 10);
        }
        if (Pg.State != Processes.Standby || Pg.IsHung || Fails()) Fail("PostgreSQL does not answer");
        else Pg.Upstream = upstream;
    }

    private IEnumerable<int> Stop(bool forHandover)
    {
        if (forHandover && Pg.State == Processes.Primary && !Pg.IsHung)
        {
            yield return Ms(20, 300);
            if (Pg.State == Processes.Primary) Pg.Checkpoint();
        }
        if (!Pg.HasProcesses) yield break;
        int life = Pg.Life;
        if (Pg.State != Processes.Orphans) Pg.BeginStop();
        if (Pg.WasWritable && world.Options.Mutation == Mutation.ReleaseBeforeStopped && State.Lease is { } lease && lease.Holder == Name)
        {
            var early = new ReleaseLeader(lease.Epoch, Name, VacancyReason.Shutdown, "early", default, null);
            world.Log.Propose(this, new(NextId(), world.Now, early), 1000, static _ => { });
        }

        long patience = world.Now + 4000;
        bool slow = Fails();
        yield return Ms(20, 600);
        while (Pg.Life == life && Pg.HasProcesses)
        {
            if (!Pg.IsHung && !slow && Pg.State == Processes.Stopping)
            {
                Pg.FinishStop();
                yield break;
            }
            if (world.Now > patience)
            {
                yield return Ms(2, 200);
                Pg.Kill();
                Fail("it did not stop in time and was killed");
                yield break;
            }
            yield return 50;
        }
        if (Pg.HasProcesses) Fail("another life of it runs");
    }

    private IEnumerable<int> Restart(RestartAction action)
    {
        foreach (int pause in Stop(action.AsPrimaryUnder is not null)) yield return pause;
        if (Pg.HasProcesses) yield break;
        job!.Failure = null;
        foreach (int pause in Start(action.AsPrimaryUnder is not null, action.Upstream, null)) yield return pause;
    }

    private IEnumerable<int> RemoveData(NodeName? replacedBy)
    {
        world.Oracle.CheckNoProcesses(this, "the data directory is cleared");
        yield return Ms(20, 300);
        if (replacedBy is { } source && (world.NodeOf(source) is not { } from || !world.CanReach(this, from) || from.Pg.State is not (Processes.Primary or Processes.Standby) || from.Pg.IsHung))
        {
            Fail($"{source} does not answer");
            yield break;
        }
        Pg.Special = new NoData();
    }

    private IEnumerable<int> Clone(CloneAction action)
    {
        NodeName source = action.Source;
        world.Oracle.CheckNoProcesses(this, "a clone is written");
        Pg.Special = new UnfinishedData(UnfinishedWork.Clone);
        SimNode? from = world.NodeOf(source);
        int life = from?.Pg.Life ?? 0;
        int steps = Ms(2, 12);
        for (int i = 0; i < steps; i++)
        {
            yield return Ms(50, 400);
            if (from is not null && from.Pg.Life == life && !from.Pg.IsHung && from.Pg.State is Processes.Primary or Processes.Standby && world.CanReach(this, from) && !Fails()) continue;
            if (world.Rng.Chance(0.5)) Pg.Special = new NoData();
            Fail($"{source} does not answer");
            yield break;
        }
        FollowMark? its = action.FromReplica ? from!.Pg.Followed : null;
        Pg.Adopt(from!.Pg.Wal, from.Pg.SystemIdentifier);
        Pg.Followed = its is not null && its.Epoch < action.Mark!.Epoch ? its : action.Mark;
        Pg.Control = ControlState.InRecovery;
    }

    /// <summary>pg_rewind as the product runs it: crash recovery first, refused before the leader's first checkpoint, divergence judged by numbers.</summary>
    private IEnumerable<int> Rewind(NodeName leader, FollowMark? mark)
    {
        world.Oracle.CheckNoProcesses(this, "pg_rewind");
        bool again = Pg.Special is UnfinishedData;
        SimNode from = world.NodeOf(leader)!;
        bool Answers() => from.Pg is { State: Processes.Primary, IsHung: false } && world.CanReach(this, from);
        yield return Ms(20, 200);
        if (!again && Answers() && Is(Mutation.RewindBeforeCheckpoint) && from.Pg.CheckpointTimeline != from.Pg.Wal.Timeline)
        {
            believed = (State.Lease?.Epoch ?? default, Pg.Incarnation);
            yield break;
        }

        if (!Answers() || from.Pg.CheckpointTimeline != from.Pg.Wal.Timeline || Fails())
        {
            Fail($"{leader} does not answer, or has not written a checkpoint on its timeline");
            yield break;
        }
        if (!again && Contained(from.Pg.Wal)) yield break;
        Pg.StandbySignal = false;
        Pg.Special = new UnfinishedData(UnfinishedWork.Rewind);
        int life = from.Pg.Life;
        for (int i = Ms(1, 6); i > 0; i--)
        {
            yield return Ms(50, 400);
            if (Answers() && from.Pg.Life == life && !Fails()) continue;
            Fail($"{leader} went away");
            yield break;
        }
        Pg.Adopt(from.Pg.Wal, from.Pg.SystemIdentifier);
        Pg.Followed = mark;
    }

    /// <summary>Whether local WAL continues into the leader's, by numbers: the end of all local WAL against the leader's history.</summary>
    private bool Contained(Wal leader) => Pg.Wal.CanStreamFrom(leader);
}
