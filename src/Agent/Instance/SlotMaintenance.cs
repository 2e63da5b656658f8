using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Instance;

/// <summary>
/// Keeps a physical slot for every other member, on the primary and, moved along, on every replica: whoever is promoted next has the slots
/// already, and the others find their WAL at once.
/// </summary>
public sealed partial class SlotMaintenance(LocalInstance instance, NodeName self, ILogger<SlotMaintenance> logger)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private int busy;
    private InstanceStatus? handled;

    /// <summary>Brings the slots up to date in the background, if there is anything to do and nothing of it under way.</summary>
    public void Maintain(NodeView view, InstanceStatus? status)
    {
        if (status is null || !instance.Settings.UseSlots || view.State.SystemIdentifier == 0) return;
        var wanted = ImmutableArray.CreateBuilder<WantedSlot>();
        foreach (Peer peer in view.State.Peers.Values)
        {
            if (peer.Kind != PeerKind.Data || peer.Name == self) continue;
            view.State.Members.TryGetValue(peer.Name, out Member? member);
            string name = Slots.NameOf(peer.Name);
            wanted.Add(new(name, status.InRecovery ? Reached(view.State, member) : GivenUp(view, status, name)));
        }
        // One run a look: the slots that a run made are seen by the next look only.
        if (ReferenceEquals(handled, status) || IsDone(wanted, status) || Interlocked.Exchange(ref busy, 1) == 1) return;
        handled = status;
        _ = RunAsync(status, wanted.ToImmutable());
    }

    /// <summary>Where a slot moves to that is given up (<see cref="SlotRules"/>); null for one that stays.</summary>
    private static Lsn? GivenUp(NodeView view, InstanceStatus status, string name) =>
        status.Slots.FirstOrDefault(slot => slot.Name == name) is { IsPhysical: true } slot
        && SlotRules.GivesUp(view.Disks.Data, slot.Active, slot.RestartLsn, status.LastLsn) ? status.LastLsn : null;

    private static Lsn? Reached(ClusterState state, Member? member) => member switch
    {
        null => null,
        _ when member.Name == state.Leader => state.Lease?.LastLsn,
        _ => Lsn.Max(member.Report.ReceiveLsn, member.Report.ReplayLsn) is { IsValid: true } reached ? reached : null,
    };

    private static bool IsDone(IEnumerable<WantedSlot> wanted, InstanceStatus status) => wanted.All(slot =>
        status.Slots.FirstOrDefault(s => s.Name == slot.Name) is { } present
        && (slot.Position is not { } position || present.Active || present.RestartLsn is { } at && at >= position));

    private async Task RunAsync(InstanceStatus status, ImmutableArray<WantedSlot> wanted)
    {
        try
        {
            using var limit = new CancellationTokenSource(Limit);
            await using LocalServer server = LocalServer.Of(instance.Settings, Limit);
            // Slots of strangers are left alone: only an operator knows whether somebody still needs them.
            SlotChanges changes = await Slots.SynchronizeAsync(server, status, wanted, static _ => true, limit.Token).ConfigureAwait(false);
            foreach (string name in changes.Created) LogCreated(name);
            foreach (string problem in changes.Problems) LogProblem(problem);
            if (status.InRecovery || changes.Advanced.IsEmpty) return;
            foreach (string name in changes.Advanced) LogGivenUp(name);
            // WAL that nobody needs any more is removed by a checkpoint only.
            if ((await instance.Commands.CheckpointAsync(limit.Token).ConfigureAwait(false)).Error is { } error) LogProblem(error);
        }
        finally
        {
            Volatile.Write(ref busy, 0);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Created replication slot {Slot}")]
    private partial void LogCreated(string slot);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Replication slot {Slot} was moved to the end of the WAL: nobody used it, and what it kept would have filled the disk; its member may have to be reinitialized")]
    private partial void LogGivenUp(string slot);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Replication slots: {Problem}")]
    private partial void LogProblem(string problem);
}
