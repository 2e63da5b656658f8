using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Simulation;

/// <summary>Everything that goes wrong, and what operators do meanwhile.</summary>
internal sealed partial class Nemesis(World world)
{
    private static readonly string[] Patches =
    [
        """{"ttl":3,"loop_wait":0.5,"retry_timeout":1}""",
        """{"ttl":6,"loop_wait":1,"retry_timeout":2}""",
        """{"ttl":12,"loop_wait":2,"retry_timeout":3}""",
        """{"ttl":4}""",
        """{"loop_wait":0.5}""",
        """{"maximum_lag_on_failover":16384}""",
        """{"primary_start_timeout":0}""",
        """{"primary_start_timeout":2}""",
        """{"primary_race_backoff":2}""",
    ];
    private bool over;
    private double pace = 1;

    public void Begin()
    {
        pace = world.Rng.Between(1, 6) / 2.0;
        world.ActionFailures = world.Rng.Chance(0.5) ? 0.05 : 0;
        // Most worlds are left alone until they have a primary; the others have to form under fire.
        bool patient = world.Rng.Chance(0.75);
        if (patient) AwaitPrimary();
        else world.After(world.Rng.Between(0, 9000), Next);
    }

    private void AwaitPrimary()
    {
        bool formed = world.Log.State.Leadership is Led { Checkpointed: true };
        world.After(world.Rng.Between(100, 3000), formed ? Next : AwaitPrimary);
    }

    private void Next()
    {
        if (over) return;
        if (Plot != Plot.None)
        {
            if (world.Rng.Chance(0.75)) Act();
            else Strike();
            world.After(world.Rng.Between(1000, 8000), Next);
            return;
        }
        if (world.Options.RaftTrouble && world.Rng.Chance(0.4)) CutRaft();
        else Strike();
        world.After((long)(world.Rng.Between(100, 4000) / pace), Next);
    }

    /// <summary>The moments between two steps that matter most: an election won, a promotion not yet reported, a release sent, an action just done.</summary>
    public void Moment(SimNode node, string what)
    {
        if (over || !world.Rng.Chance(world.Options.MomentRate)) return;
        world.After(world.Rng.Between(0, 60), () =>
        {
            if (over) return;
            Say($"at the moment of {what}:");
            switch (world.Rng.Between(0, 7))
            {
                case 6: StopAgent(node); break;
                case 7: CutRaft(); break;
                case 0: Crash(node); break;
                case 1: KillPostmaster(node); break;
                case 2: KillAgentAndServer(node); break;
                case 3: KillAgentOnly(node); break;
                case 4: Partition(node); break;
                case 5: OneWay(node); break;
            }
        });
    }

    /// <summary>The agent dies that has reported a running primary and not adopted it: nothing may be done about it.</summary>
    public void BeforeAdoption(SimNode node)
    {
        if (world.Log.State.Leadership is not Uninitialized || !node.AgentUp) return;
        Say($"the agent of {node.Name} is killed before it adopts anything");
        node.KillAgent();
        world.After(world.Rng.Between(5_000, 30_000), node.StartAgent);
    }

    /// <summary>The completion of an adoption was sent: it may be accepted, and expire, without the adopting node hearing of it.</summary>
    public void Adopting(SimNode node)
    {
        if (over || !world.Rng.Chance(world.Options.Mutation == Mutation.AdoptedWithoutDeadline ? 0.8 : 0.3))
        {
            Moment(node, "an adoption");
            return;
        }
        Say($"{node.Name} cannot hear the group when its adoption is decided");
        node.CannotReceive = true;
        world.After(world.Rng.Between(1000, 30_000), () => node.CannotReceive = false);
    }

    private SimNode Any() => world.Rng.Pick(world.Nodes);

    private SimNode AnyData()
    {
        SimNode node = Any();
        while (!node.HasPostgres) node = Any();
        // The holder is the interesting one.
        return world.Rng.Chance(0.4) && world.Log.State.Leader is { } leader ? world.NodeOf(leader)! : node;
    }

    private void Say(string what) => world.Trace.Add(world.Now, "fault", what);

    private void Strike()
    {
        switch (world.Rng.Between(0, 31))
        {
            case 0: Crash(AnyData()); break;
            case 1: Crash(Any()); break;
            case 2 or 3: KillPostmaster(AnyData()); break;
            case 4: KillAgentAndServer(AnyData()); break;
            case 5: KillAgentOnly(AnyData()); break;
            case 6: Partition(Any()); break;
            case 7: Partition(AnyData()); break;
            case 8: OneWay(AnyData()); break;
            case 9: OneWay(Any()); break;
            case 10: Say("the group's leader steps down"); world.Log.DropLeader(); break;
            case 11: SlowApply(Any()); break;
            case 12: RoughLog(); break;
            case 13: Hang(AnyData()); break;
            case 14: SlowStandby(AnyData()); break;
            case 15: FailingActions(); break;
            case 16 when world.Rng.Chance(0.4): Everything(); break;
            case 17 or 16: MoveLeadership(); break;
            case 18: Patch(world.Rng.Pick(Patches)); break;
            case 19 when world.Rng.Chance(0.7): Pause(); break;
            case 19: Crash(AnyData()); break;
            case 20: AskNode(AnyData()); break;
            case 21: EndAgent(AnyData()); break;
            case 22 or 23: StopAgent(AnyData()); break;
            case 24: StopAgent(Any()); break;
            case 25: KillGuard(AnyData()); break;
            case 26: FreezeHost(AnyData()); break;
            case 27: JumpWallClock(Any()); break;
            case 28 or 29: CutRaft(); break;
            case 30: CutLinks(); break;
            case 31 when world.Rng.Chance(0.3): FormAnew(); break;
            case 31: RemoveMember(AnyData()); break;
        }
    }

    private void Crash(SimNode node, int? forMs = null)
    {
        if (!node.HostUp) return;
        Say($"crash of {node.Name}");
        node.CrashHost();
        world.After(forMs ?? world.Rng.Between(300, 12_000), node.Reboot);
    }

    private void KillPostmaster(SimNode node)
    {
        if (!node.Pg.HasProcesses) return;
        bool orphans = world.Rng.Chance(0.7);
        Say($"the postmaster of {node.Name} is killed{(orphans ? "; its backends stay" : "")}");
        node.Pg.KillPostmaster(orphans);
    }

    private void KillAgentAndServer(SimNode node)
    {
        if (!node.AgentUp) return;
        Say($"agent and server of {node.Name} are killed");
        node.KillAgent();
        node.Pg.Kill();
        world.After(world.Rng.Between(50, 6000), node.StartAgent);
    }

    /// <summary>Left out of runs without a guard, see <see cref="SimOptions.Guard"/>.</summary>
    private void KillAgentOnly(SimNode node)
    {
        if ((!node.IsGuarded && world.Options.Mutation is not (Mutation.AgentKilledWithoutGuard or Mutation.GuardNotRestored)) || !node.AgentUp) return;
        Say($"only the agent of {node.Name} is killed");
        node.KillAgent();
        if (node.IsGuarded && world.Rng.Chance(0.3)) node.Pg.KillPostmaster(true);
        world.After(world.Rng.Between(50, 12_000), node.StartAgent);
    }

    private void Partition(SimNode node)
    {
        int group = world.Rng.Between(1, 2);
        Say($"{node.Name} is cut off (side {group})");
        node.Group = group;
        world.After(world.Rng.Between(300, 12_000), () => node.Group = 0);
    }

    private void OneWay(SimNode node)
    {
        bool outward = world.Rng.Chance(0.5);
        Say($"{node.Name} cannot {(outward ? "send to" : "hear")} the group");
        if (outward) node.CanSend = false;
        else node.CannotReceive = true;
        world.After(world.Rng.Between(300, 12_000), () =>
        {
            node.CanSend = true;
            node.CannotReceive = false;
        });
    }

    private void SlowApply(SimNode node)
    {
        Say($"{node.Name} applies late");
        node.SlowApplyUntil = world.Now + world.Rng.Between(1000, 10_000);
    }

    private void RoughLog()
    {
        Say("proposals are lost, doubled and delayed");
        (world.LossRate, world.DuplicateRate, world.SlowProposals) = (0.3, 0.3, 0.3);
        world.After(world.Rng.Between(1000, 8000), CalmLog);
    }

    private void CalmLog() => (world.LossRate, world.DuplicateRate, world.SlowProposals) = (0.01, 0.02, 0.01);

    private void Hang(SimNode node)
    {
        Say($"the server of {node.Name} hangs");
        node.Pg.HungUntil = world.Now + world.Rng.Between(300, 10_000);
        node.Wake();
    }

    private void SlowStandby(SimNode node)
    {
        Say($"{node.Name} streams and replays slowly");
        node.Pg.SlowUntil = world.Now + world.Rng.Between(1000, 15_000);
    }

    private void FailingActions()
    {
        Say("actions fail");
        world.ActionFailures = 0.5;
        world.After(world.Rng.Between(1000, 8000), () => world.ActionFailures = 0.02);
    }

    private void Everything()
    {
        Say("everything is killed at once");
        bool power = world.Rng.Chance(0.5);
        foreach (SimNode node in world.Nodes)
        {
            if (power)
            {
                node.CrashHost();
                world.After(world.Rng.Between(300, 6000), node.Reboot);
            }
            else
            {
                node.KillAgent();
                node.Pg.Kill();
                world.After(world.Rng.Between(10, 3000), node.StartAgent);
            }
        }
    }

    private void MoveLeadership()
    {
        SimNode candidate = AnyData();
        bool named = world.Rng.Chance(0.5);
        bool failover = named && world.Rng.Chance(0.3);
        Say($"an operator asks for a {(failover ? "failover" : "switchover")}{(named ? $" to {candidate.Name}" : "")}");
        long? at = !failover && world.Rng.Chance(0.2) ? 1_700_000_000_000 + world.Now + world.Rng.Between(100, 8000) : null;
        Any().Post(new RequestFailover(failover ? FailoverKind.Failover : FailoverKind.Switchover, null, named ? candidate.Name : null, at, at is null ? null : "at"));
    }

    private void Patch(string json)
    {
        Say($"an operator patches {json}");
        Any().Post(new PatchConfig(json, 0));
    }

    private void Pause()
    {
        Patch("""{"pause":true}""");
        world.After(world.Rng.Between(1000, 12_000), () => Patch("""{"pause":null}"""));
    }

    private void AskNode(SimNode node)
    {
        if (world.Rng.Chance(0.4))
        {
            ScheduleRestart(node);
            return;
        }
        node.Request = world.Rng.Chance(0.7) ? NodeRequest.Restart : NodeRequest.Reinitialize;
        Say($"an operator asks {node.Name} for {node.Request}");
        node.Wake();
    }

    private void ScheduleRestart(SimNode node)
    {
        bool drop = world.Rng.Chance(0.15);
        long at = 1_700_000_000_000 + world.Now + world.Rng.Between(-20_000, 12_000);
        Say(drop ? $"an operator drops the scheduled restart of {node.Name}" : $"an operator schedules a restart of {node.Name} for {at - 1_700_000_000_000}");
        var conditions = new RestartConditions(world.Rng.Chance(0.2) ? PostgresRole.Replica : null, null, world.Rng.Chance(0.1));
        long postmaster = world.Rng.Chance(0.9) && node.Pg.State is Processes.Primary or Processes.Standby ? node.Pg.Life + 1 : 0;
        Any().Post(drop ? new ClearRestart(node.Name, 0, "an operator dropped it") : new ScheduleRestart(node.Name, at, "at", conditions, null, postmaster));
    }

    private void EndAgent(SimNode node)
    {
        Say($"the agent of {node.Name} is told to end");
        node.ShutdownRequested = true;
        node.Wake();
        world.After(world.Rng.Between(3000, 15_000), node.StartAgent);
    }

    /// <summary>Nothing goes wrong any more, and everything runs.</summary>
    public void Heal()
    {
        over = true;
        away.Clear();
        world.CutLinks.Clear();
        CalmLog();
        (world.LossRate, world.DuplicateRate, world.SlowProposals, world.ActionFailures) = (0, 0, 0, 0);
        foreach (SimNode node in world.Nodes)
        {
            node.Group = 0;
            node.RaftCut = false;
            node.WallClockJumpMs = 0;
            node.Thaw();
            node.CanSend = true;
            node.CannotReceive = false;
            node.SlowApplyUntil = 0;
            node.Pg.HungUntil = 0;
            node.Pg.SlowUntil = 0;
            node.Reboot();
            node.StartAgent();
        }
        Resume();
    }

    private void Resume()
    {
        // An agent that was ending when everything healed ends once more; then it is started again, as a service manager does.
        foreach (SimNode node in world.Nodes) node.StartAgent();
        if (world.Log.State.Settings.Pause) Any().Post(new PatchConfig("""{"pause":null}""", 0));
        world.After(2000, Resume);
    }
}
