using Stateless;

namespace Patroni.Raft.StateMachine;

/// <summary>One legal move of a lifecycle.</summary>
/// <typeparam name="TState">States.</typeparam>
/// <typeparam name="TTrigger">Triggers.</typeparam>
/// <param name="From">From which state.</param>
/// <param name="Trigger">On what.</param>
/// <param name="To">To which state.</param>
/// <param name="Rule">Stable id of the rule; every event of the move carries it.</param>
/// <param name="Reason">The move in words, for the documentation.</param>
public sealed record Transition<TState, TTrigger>(TState From, TTrigger Trigger, TState To, string Rule, string Reason)
    where TState : struct, Enum
    where TTrigger : struct, Enum;

/// <summary>
/// A lifecycle as one table. The Stateless machine is built from the rows, so that a move that has no row is refused by construction.
/// </summary>
/// <typeparam name="TState">States.</typeparam>
/// <typeparam name="TTrigger">Triggers.</typeparam>
public sealed class TransitionTable<TState, TTrigger>
    where TState : struct, Enum
    where TTrigger : struct, Enum
{
    private readonly Dictionary<(TState, TTrigger), Transition<TState, TTrigger>> byEdge = [];
    private readonly StateMachine<TState, TTrigger> machine;
    private readonly Lock gate = new();
    private TState current;

    /// <summary>Builds the machine; a second row for the same edge is an error of the program.</summary>
    /// <exception cref="ArgumentException">Two rows have the same state and trigger.</exception>
    public TransitionTable(IReadOnlyList<Transition<TState, TTrigger>> rows)
    {
        Rows = rows;
        machine = new(() => current, state => current = state, FiringMode.Immediate);
        foreach (Transition<TState, TTrigger> row in rows)
        {
            byEdge.Add((row.From, row.Trigger), row);
            if (row.From.Equals(row.To)) machine.Configure(row.From).PermitReentry(row.Trigger);
            else machine.Configure(row.From).Permit(row.Trigger, row.To);
        }
    }

    /// <summary>All rows, in the order written.</summary>
    public IReadOnlyList<Transition<TState, TTrigger>> Rows { get; }

    /// <summary>The move that a trigger makes from a state, or null when there is none.</summary>
    public Transition<TState, TTrigger>? Fire(TState from, TTrigger trigger)
    {
        lock (gate)
        {
            current = from;
            if (!machine.CanFire(trigger)) return null;
            machine.Fire(trigger);
            Transition<TState, TTrigger> row = byEdge[(from, trigger)];
            if (!current.Equals(row.To)) throw new InvalidOperationException($"The machine went from {from} to {current} where the table says {row.To}.");
            return row;
        }
    }
}
