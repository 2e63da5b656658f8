using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>One application of one command: the state so far and the events so far.</summary>
internal sealed class Step(ClusterState state, CommandEnvelope envelope, long index)
{
    private readonly ImmutableArray<EventRecord>.Builder events = ImmutableArray.CreateBuilder<EventRecord>();

    public ClusterState State { get; set; } = state;

    public long Index => index;

    public CommandId Id => envelope.Id;

    public long UnixMs => envelope.UnixMs;

    public ImmutableArray<EventRecord> Events => events.ToImmutable();

    public Outcome Accept() => new(OutcomeCode.Accepted, index, "");

    /// <summary>A refusal; its reason is kept for deduplication in every state, hence bounded.</summary>
    public Outcome Reject(OutcomeCode code, string reason) => new(code, index, Brief(reason));

    /// <summary>Whether the same process already got a newer proposal of this kind through: a delayed one that was overtaken must not undo it.</summary>
    public bool IsOvertakenBy(CommandId newest) => envelope.Id.Proposer == newest.Proposer && envelope.Id.Sequence < newest.Sequence;

    /// <summary>The text, cut to what the history may hold of it.</summary>
    public static string Brief(string text)
    {
        if (text.Length <= ClusterStateMachine.TextCapacity) return text;
        int end = char.IsHighSurrogate(text[ClusterStateMachine.TextCapacity - 1]) ? ClusterStateMachine.TextCapacity - 1 : ClusterStateMachine.TextCapacity;
        return text[..end] + "...";
    }

    public Outcome Illegal() => Reject(
        OutcomeCode.IllegalTransition,
        $"{envelope.Command.GetType().Name} is not possible while the cluster is {State.Leadership.Phase.ToString().ToLowerInvariant()}.");

    public bool CanMove(ClusterTrigger trigger) => ClusterLifecycle.Table.Fire(State.Leadership.Phase, trigger) is not null;

    /// <summary>Moves the lifecycle and returns the id of the row used.</summary>
    public string Move(ClusterTrigger trigger, Leadership next)
    {
        Transition<ClusterPhase, ClusterTrigger> row = ClusterLifecycle.Table.Fire(State.Leadership.Phase, trigger)
            ?? throw new InvalidOperationException($"No row moves {State.Leadership.Phase} on {trigger}.");
        if (row.To != next.Phase) throw new InvalidOperationException($"Rule {row.Rule} leads to {row.To}, not {next.Phase}.");
        State = State with { Leadership = next };
        return row.Rule;
    }

    public void Record(string rule, ClusterEvent happened) =>
        events.Add(new(State.EventCount + events.Count + 1, index, envelope.UnixMs, rule, happened));

    /// <summary>The state with the events appended and the history bounded.</summary>
    public ClusterState Commit()
    {
        if (events.Count == 0) return State;
        ImmutableArray<EventRecord> all = State.Events.AddRange(events);
        if (all.Length > ClusterStateMachine.EventCapacity) all = all[(all.Length - ClusterStateMachine.EventCapacity)..];
        return State with { Events = all, EventCount = State.EventCount + events.Count };
    }
}
