using Patroni.Raft.ChaosTests.Checking;
using Xunit;

namespace Patroni.Raft.ChaosTests;

/// <summary>The checker finds each anomaly, and only that.</summary>
public sealed class CheckerTests
{
    private static readonly Reign First = new("node1", 100, 1);
    private static readonly Reign Second = new("node2", 200, 2);

    private static Append Acked(long id, int position, long begin, long end, Reign reign, int client = 1) =>
        new(new(begin, end), 1, id, client, id, reign.Node, new(position, reign));

    private static Append Unknown(long id, long begin, long end) => new(new(begin, end), 1, id, 2, id, "node1", null);

    private static History Sound() => new()
    {
        Appends = [Acked(11, 1, 0, 10, First), Unknown(12, 5, 15), Acked(13, 3, 20, 30, First), Acked(14, 4, 50, 60, Second, 3)],
        Reads = [new(new(12, 14), "node1", 1, [11, 12]), new(new(62, 64), "node2", 1, [11, 12, 13, 14])],
        Pulses = [new(new(1, 2), First), new(new(33, 35), First), new(new(40, 45), Second), new(new(70, 75), Second)],
        Final = new Dictionary<int, long[]> { [1] = [11, 12, 13, 14] },
    };

    private static void MustFind(History history, params AnomalyKind[] kinds) =>
        Assert.Equal(kinds, Checker.Judge(history).Anomalies.Select(anomaly => anomaly.Kind).Distinct().Order());

    [Fact]
    public void A_sound_history_has_no_anomaly_and_is_counted()
    {
        Verdict verdict = Checker.Judge(Sound());
        Assert.Empty(verdict.Anomalies);
        Assert.Equal((3, 1, 1, 0, 0), (verdict.Acknowledged, verdict.Unknown, verdict.UnknownKept, verdict.Vanished, verdict.Excused));
        Assert.Equal([First, Second], verdict.Reigns.Select(reign => reign.Reign));
    }

    [Fact]
    public void A_lost_acknowledged_append_is_found() =>
        MustFind(Sound() with { Reads = [], Final = new Dictionary<int, long[]> { [1] = [11, 12, 13] } }, AnomalyKind.Lost);

    [Fact]
    public void A_whole_list_that_is_gone_is_found() =>
        MustFind(Sound() with { Reads = [], Final = new Dictionary<int, long[]>() }, AnomalyKind.Lost);

    [Fact]
    public void An_append_that_is_there_twice_is_found() =>
        MustFind(Sound() with { Final = new Dictionary<int, long[]> { [1] = [11, 12, 13, 14, 12] } }, AnomalyKind.Duplicated);

    [Fact]
    public void An_append_at_another_position_is_found() =>
        MustFind(Sound() with { Reads = [], Final = new Dictionary<int, long[]> { [1] = [11, 12, 14, 13] } }, AnomalyKind.Reordered);

    [Fact]
    public void Appends_of_one_client_in_another_order_than_it_sent_them_are_found() => MustFind(new()
    {
        Appends = [Acked(11, 2, 0, 10, First), Acked(12, 1, 20, 30, First)],
        Final = new Dictionary<int, long[]> { [1] = [12, 11] },
    }, AnomalyKind.Reordered);

    [Fact]
    public void A_read_in_another_order_than_the_final_list_is_found() => MustFind(new()
    {
        Appends = [Unknown(11, 0, 10), Unknown(12, 0, 10)],
        Reads = [new(new(20, 21), "node1", 1, [12, 11])],
        Final = new Dictionary<int, long[]> { [1] = [11, 12] },
    }, AnomalyKind.Reordered);

    [Fact]
    public void Something_that_nobody_appended_is_found() =>
        MustFind(Sound() with { Final = new Dictionary<int, long[]> { [1] = [11, 12, 13, 14, 99] } }, AnomalyKind.Invented);

    [Fact]
    public void A_read_that_misses_what_was_acknowledged_before_it_is_found() =>
        MustFind(Sound() with { Reads = [new(new(31, 32), "node1", 1, [11, 12])] }, AnomalyKind.StaleRead);

    [Fact]
    public void A_read_may_miss_what_was_not_acknowledged_when_it_began() =>
        MustFind(Sound() with { Reads = [new(new(29, 32), "node1", 1, [11, 12])] });

    [Fact]
    public void Two_nodes_that_accept_by_turns_are_found()
    {
        History history = Sound();
        MustFind(history with { Pulses = [.. history.Pulses, new(new(55, 56), First)] }, AnomalyKind.DoublePrimary);
    }

    [Fact]
    public void A_single_write_in_the_midst_of_another_reign_is_found() => MustFind(new()
    {
        Pulses = [new(new(0, 1), First), new(new(5, 6), Second), new(new(10, 11), First)],
    }, AnomalyKind.DoublePrimary);

    [Fact]
    public void An_acknowledgement_that_comes_late_proves_nothing() => MustFind(new()
    {
        Pulses = [new(new(0, 1), First), new(new(2, 50), First), new(new(20, 21), Second), new(new(30, 31), Second)],
    });

    [Fact]
    public void Two_lives_of_one_node_are_no_double() => MustFind(new()
    {
        Pulses = [new(new(0, 1), First), new(new(10, 11), First), new(new(5, 6), First with { Timeline = 3 }), new(new(12, 13), First with { Timeline = 3 })],
    });

    [Fact]
    public void A_thawed_node_is_excused_for_the_stated_time_only()
    {
        History history = new()
        {
            Pulses = [new(new(0, 1), First), new(new(20, 21), Second), new(new(40, 41), First), new(new(60, 61), Second)],
            Thaws = [new("node1", new(39, 50))],
        };
        MustFind(history);
        Assert.Equal(1, Checker.Judge(history).Excused);
        MustFind(history with { Thaws = [new("node1", new(30, 35))] }, AnomalyKind.DoublePrimary);
        MustFind(history with { Thaws = [new("node2", new(39, 50))] }, AnomalyKind.DoublePrimary);
    }

    [Fact]
    public void An_acknowledged_append_of_a_thawed_node_is_not_excused() => MustFind(new()
    {
        Appends = [Acked(11, 1, 40, 41, First)],
        Pulses = [new(new(20, 21), Second), new(new(60, 61), Second)],
        Thaws = [new("node1", new(39, 50))],
        Final = new Dictionary<int, long[]> { [1] = [11] },
    }, AnomalyKind.DoublePrimary);

    [Fact]
    public void An_unacknowledged_append_that_was_shown_and_is_gone_is_counted_and_allowed()
    {
        Verdict verdict = Checker.Judge(new()
        {
            Appends = [Acked(11, 1, 0, 10, First), Unknown(12, 11, 30), Acked(13, 2, 50, 60, Second, 3)],
            Reads = [new(new(20, 21), "node1", 1, [11, 12])],
            Final = new Dictionary<int, long[]> { [1] = [11, 13] },
        });
        Assert.Empty(verdict.Anomalies);
        Assert.Equal(1, verdict.Vanished);
    }
}
