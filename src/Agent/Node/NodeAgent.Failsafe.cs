using System.Collections.Concurrent;
using Patroni.Raft.Agent.Failsafe;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Node;

public sealed partial class NodeAgent
{
    private readonly PromiseKeeper promises;
    private readonly FailsafeClient failsafeClient;
    private readonly ConcurrentQueue<(FailsafeRound Round, long CapturedMs)> promised = new();
    private FailsafeMemory failsafe = FailsafeMemory.Empty;
    private int asking;

    /// <inheritdoc/>
    public async Task<FailsafeAnswer> AnswerFailsafeAsync(FailsafeQuestion question, CancellationToken cancellation)
    {
        FailsafeAnswer answer = await promises.AnswerAsync(question, cancellation).ConfigureAwait(false);
        Wake();
        return answer;
    }

    /// <summary>Records the topology, and asks its members while there are no renewals.</summary>
    private void KeepFailsafe(NodeView view, long now)
    {
        if (FailsafeRules.Topology(view) is { } topology) Post(topology, _ => Propose(topology));
        if (FailsafeRules.Round(view, failsafe) is not { } round || Interlocked.Exchange(ref asking, 1) == 1) return;
        failsafe = failsafe with { AskedAtMs = now };
        // The clock of this turn precedes the first question, as lease rule 1 demands.
        _ = Task.Run(() => AskAsync(round, view.State.Lease?.Slots ?? [], now));
    }

    private bool Propose(SetFailsafeTopology topology)
    {
        failsafe = failsafe.Propose(topology);
        return Hold(keeper.ForgetPromises(), required: true);
    }

    private async Task AskAsync(FailsafeRound round, IReadOnlyList<SlotPosition> slots, long capturedMs)
    {
        try
        {
            string connect = $"postgres://{instance.Settings.ConnectAddress.Host}:{instance.Settings.ConnectAddress.Port}/{instance.Settings.Database}";
            if (await failsafeClient.AskAsync(round, connect, slots, ending.Token).ConfigureAwait(false)) promised.Enqueue((round, capturedMs));
        }
        finally
        {
            Volatile.Write(ref asking, 0);
            Wake();
        }
    }

    /// <summary>Takes the rounds over to which everybody said yes.</summary>
    private void ObservePromises()
    {
        while (promised.TryDequeue(out (FailsafeRound Round, long CapturedMs) all))
        {
            if (!FailsafeRules.Covers(all.Round, Self, cluster.Current.State, failsafe)) continue;
            Hold(keeper.Extend(all.Round.Question.Epoch, all.CapturedMs, all.Round.Question.TtlMs, BootClock.NowMs), required: false);
        }
    }
}
