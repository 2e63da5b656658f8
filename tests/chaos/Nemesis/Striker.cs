using System.Diagnostics;
using System.Globalization;
using Patroni.Raft.ChaosTests.Clients;
using Patroni.Raft.ChaosTests.Cluster;

namespace Patroni.Raft.ChaosTests.Nemesis;

/// <summary>Makes faults happen, and undoes them.</summary>
internal sealed class Striker(ChaosCluster cluster, Ledger ledger, Action<string> say)
{
    /// <summary>
    /// How long a thawed node may go on before its guard has fenced it. Its processes run again in any order, and the guard needs its turn on a
    /// processor; commits that wait for standbys are not acknowledged meanwhile.
    /// </summary>
    private static readonly TimeSpan ThawLimit = TimeSpan.FromSeconds(1.5);
    private readonly Stopwatch watch = Stopwatch.StartNew();

    /// <summary>Runs a schedule; afterwards nothing is wrong any more.</summary>
    public async Task RunAsync(IEnumerable<Fault> schedule, CancellationToken cancellation = default)
    {
        foreach (Fault fault in schedule)
        {
            await Task.Delay(fault.Pause, cancellation);
            ChaosNode node = await FindAsync(fault);
            await StrikeAsync(fault.Kind, node, fault.Length, cancellation);
        }
    }

    /// <summary>One fault from its beginning to its end.</summary>
    public async Task StrikeAsync(FaultKind kind, ChaosNode node, TimeSpan length, CancellationToken cancellation = default)
    {
        say(string.Create(CultureInfo.InvariantCulture, $"{watch.Elapsed.TotalSeconds,7:F1} s  {kind} on {node.Name} for {length.TotalSeconds:F1} s"));
        await BeginAsync(kind, node);
        try
        {
            await HoldAsync(kind, node, length, cancellation);
        }
        finally
        {
            End(kind, node);
        }
    }

    public async Task BeginAsync(FaultKind kind, ChaosNode node)
    {
        switch (kind)
        {
            case FaultKind.KillAgent: node.KillAgent(); break;
            case FaultKind.KillGuard: node.KillGuard(); break;
            case FaultKind.KillNode: node.KillAll(); break;
            case FaultKind.KillPostmaster: node.KillPostmaster(); break;
            case FaultKind.StopAgent: node.SignalAgent(ProcessControl.SigStop); break;
            case FaultKind.FreezeNode: node.Freeze(); break;
            case FaultKind.RestartAgent:
                node.SignalAgent(ProcessControl.SigTerm);
                await Wait.UntilAsync($"the agent of {node.Name} to end", () => !node.AgentRuns);
                break;
            case FaultKind.SlowLink: cluster.Network.Slow(node.Number); break;
            case FaultKind.LossyLink: cluster.Network.Lose(node.Number, 30); break;
            case FaultKind.FullData: node.DataDisk.Fill(); break;
            case FaultKind.FullRaft: node.RaftDisk.Fill(); break;
            default: CutLinks(kind, node.Number); break;
        }
    }

    public void End(FaultKind kind, ChaosNode node)
    {
        cluster.Network.Heal();
        node.DataDisk.Free();
        node.RaftDisk.Free();
        if (kind == FaultKind.StopAgent) node.SignalAgent(ProcessControl.SigCont);
        if (kind == FaultKind.FreezeNode)
        {
            long thawed = Ledger.Now;
            node.Thaw();
            ledger.Add(new Checking.Thaw(node.Name, new(thawed, Ledger.Now + (long)ThawLimit.TotalNanoseconds)));
        }
        // As the service manager would; an agent also ends by itself, for example when its Raft disk is full.
        node.StartAgent();
    }

    private async Task HoldAsync(FaultKind kind, ChaosNode node, TimeSpan length, CancellationToken cancellation)
    {
        var held = Stopwatch.StartNew();
        while (held.Elapsed < length)
        {
            TimeSpan left = length - held.Elapsed, step = TimeSpan.FromMilliseconds(500);
            await Task.Delay(left < step ? left : step, cancellation);
            if (kind == FaultKind.FullData) node.DataDisk.Fill();
            if (kind == FaultKind.FullRaft)
            {
                node.RaftDisk.Fill();
                node.StartAgent();
            }
        }
    }

    private void CutLinks(FaultKind kind, int node)
    {
        int nodes = cluster.Nodes.Count;
        int Next(int from, int steps) => (from - 1 + steps) % nodes + 1;
        for (int other = 1; other <= nodes; other++)
        {
            switch (kind)
            {
                case FaultKind.Isolate when other != node: Both(node, other); break;
                case FaultKind.Deaf when other != node: cluster.Network.Cut(other, node); break;
                case FaultKind.Mute when other != node: cluster.Network.Cut(node, other); break;
                case FaultKind.Ring: cluster.Network.Cut(other, Next(other, nodes > 3 ? 2 : 1)); break;
                case FaultKind.Halves when other != node && other != Next(node, 1):
                    Both(node, other);
                    Both(Next(node, 1), other);
                    break;
            }
        }
    }

    private void Both(int one, int other)
    {
        cluster.Network.Cut(one, other);
        cluster.Network.Cut(other, one);
    }

    private async Task<ChaosNode> FindAsync(Fault fault)
    {
        ChaosNode? found = fault.Target switch
        {
            Target.Primary => await cluster.FindPrimaryAsync(),
            Target.RaftLeader => await cluster.FindRaftLeaderAsync(),
            _ => null,
        };
        return found ?? cluster[fault.Node];
    }
}
