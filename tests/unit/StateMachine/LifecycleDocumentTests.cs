using System.Text;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>docs/lifecycle.md is written by the tables themselves, and stale as soon as they change.</summary>
public sealed class LifecycleDocumentTests
{
    [Fact]
    public void The_document_shows_the_tables_in_force() => RepositoryFiles.MustBe("docs/lifecycle.md", Document());

    [Fact]
    public void A_move_without_a_row_is_refused_and_one_with_a_row_leads_where_it_says()
    {
        CheckTable(ClusterLifecycle.Table);
        CheckTable(MemberLifecycle.Table);
    }

    [Fact]
    public void Every_state_can_be_reached_and_every_trigger_is_used()
    {
        CheckReach(ClusterLifecycle.Table, ClusterPhase.Uninitialized);
        CheckReach(MemberLifecycle.Table, MemberPresence.Unknown);
    }

    [Fact]
    public void Two_rows_for_one_edge_are_an_error_of_the_program() =>
        Assert.Throws<ArgumentException>(() => new TransitionTable<MemberPresence, MemberTrigger>([.. MemberLifecycle.Table.Rows, MemberLifecycle.Table.Rows[0]]));

    private static void CheckTable<TState, TTrigger>(TransitionTable<TState, TTrigger> table)
        where TState : struct, Enum
        where TTrigger : struct, Enum
    {
        foreach (TState from in Enum.GetValues<TState>())
        {
            foreach (TTrigger trigger in Enum.GetValues<TTrigger>())
                Assert.Equal(table.Rows.SingleOrDefault(row => row.From.Equals(from) && row.Trigger.Equals(trigger)), table.Fire(from, trigger));
        }
    }

    private static void CheckReach<TState, TTrigger>(TransitionTable<TState, TTrigger> table, TState start)
        where TState : struct, Enum
        where TTrigger : struct, Enum
    {
        HashSet<TState> reached = [start];
        while (table.Rows.Any(row => reached.Contains(row.From) && reached.Add(row.To)))
        {
        }
        Assert.Equal(Enum.GetValues<TState>().Order(), reached.Order());
        Assert.Equal(Enum.GetValues<TTrigger>().Order(), table.Rows.Select(static row => row.Trigger).Distinct().Order());
    }

    private static string Document()
    {
        var text = new StringBuilder();
        text.Append("# Lifecycles\n\n");
        text.Append("Generated from the transition tables in `src/StateMachine/Lifecycle` by the unit tests; do not edit.\n");
        text.Append("`UPDATE_GOLDEN=1 dotnet test tests/unit --filter LifecycleDocumentTests` rewrites it, and a test fails while it is stale.\n");
        text.Append("A move that has no row here is refused by the replicated state machine with `IllegalTransition`, on every node alike.\n");
        text.Append("Every event in the history (`GET /events`) carries the id of the rule that produced it.\n\n");
        Append(text, "Cluster", "Where leadership over PostgreSQL stands. Exactly one of these states holds at any index of the log.", ClusterLifecycle.Table, ClusterPhase.Uninitialized);
        text.Append('\n');
        Append(text, "Member", "What the cluster knows of one node with PostgreSQL.", MemberLifecycle.Table, MemberPresence.Unknown);
        return text.ToString();
    }

    private static void Append<TState, TTrigger>(StringBuilder text, string title, string lead, TransitionTable<TState, TTrigger> table, TState start)
        where TState : struct, Enum
        where TTrigger : struct, Enum
    {
        text.Append($"## {title}\n\n{lead}\n\n```mermaid\nstateDiagram-v2\n    [*] --> {start}\n");
        foreach (var arrow in table.Rows.GroupBy(static row => (row.From, row.To)))
            text.Append($"    {arrow.Key.From} --> {arrow.Key.To}: {string.Join(", ", arrow.Select(static row => row.Trigger))}\n");
        text.Append("```\n\n| from | on | to | rule | reason |\n|---|---|---|---|---|\n");
        foreach (var row in table.Rows) text.Append($"| {row.From} | {row.Trigger} | {row.To} | `{row.Rule}` | {row.Reason} |\n");
    }
}
