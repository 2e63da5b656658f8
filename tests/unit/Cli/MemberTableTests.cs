using Patroni.Raft.Cli.Client;
using Patroni.Raft.Cli.Output;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Cli;

/// <summary>Equal text for equal data: the expected blocks are recordings of patronictl.</summary>
public sealed class MemberTableTests
{
    private const string Leader = """{"name": "node0", "role": "leader", "state": "running", "api_url": "http://127.0.0.1:8400/patroni", "host": "127.0.0.1", "port": 6400, "timeline": 1""";

    private static string Replica(int n, string lsn, string more = "") =>
        $$"""{"name": "node{{n}}", "role": "replica", "state": "streaming", "api_url": "http://127.0.0.1:840{{n}}/patroni", "host": "127.0.0.1", "port": 640{{n}}, "timeline": 1, "receive_lag": 0, "receive_lsn": "{{lsn}}", "replay_lag": 0, "replay_lsn": "{{lsn}}", "lag": 0, "lsn": "{{lsn}}"{{more}}}""";

    private static string Render(string members, MemberFormat format = MemberFormat.Pretty, bool extended = false, string more = "")
    {
        var problems = new List<ConfigurationProblem>();
        var document = SettingJson.ParseObject($$"""{"members": [{{members}}]{{more}}, "scope": "lab"}""", problems);
        Assert.Empty(problems);
        return MemberTable.Render(ClusterView.From(document!, "7711060563153238640"), format, extended);
    }

    [Fact]
    public void A_scheduled_switchover_stands_below_the_list() => Assert.Equal(
        """
        + Cluster: lab (7711060563153238640) -----------+----+-------------+-----+------------+-----+
        | Member | Host           | Role    | State     | TL | Receive LSN | Lag | Replay LSN | Lag |
        +--------+----------------+---------+-----------+----+-------------+-----+------------+-----+
        | node0  | 127.0.0.1:6400 | Leader  | running   |  1 |             |     |            |     |
        | node1  | 127.0.0.1:6401 | Replica | streaming |  1 |   0/4000000 |   0 |  0/4000000 |   0 |
        | node2  | 127.0.0.1:6402 | Replica | streaming |  1 |   0/4000000 |   0 |  0/4000000 |   0 |
        +--------+----------------+---------+-----------+----+-------------+-----+------------+-----+
         Switchover scheduled at: 2039-09-24T12:00:00+00:00
                            from: node0
                              to: node1

        """,
        Render($"{Leader}}}, {Replica(1, "0/4000000")}, {Replica(2, "0/4000000")}", more: """, "scheduled_switchover": {"at": "2039-09-24T12:00:00+00:00", "from": "node0", "to": "node1"}"""));

    [Fact]
    public void Pending_restarts_show_their_columns_by_themselves()
    {
        const string Pending = """, "pending_restart": true, "pending_restart_reason": {"max_connections": {"old_value": "50", "new_value": "60"}}""";
        Assert.Equal(
            """
            + Cluster: lab (7711060563153238640) -----------+----+-------------+-----+------------+-----+-----------------+-------------------------+
            | Member | Host           | Role    | State     | TL | Receive LSN | Lag | Replay LSN | Lag | Pending restart | Pending restart reason  |
            +--------+----------------+---------+-----------+----+-------------+-----+------------+-----+-----------------+-------------------------+
            | node0  | 127.0.0.1:6400 | Leader  | running   |  1 |             |     |            |     | *               | max_connections: 50->60 |
            | node1  | 127.0.0.1:6401 | Replica | streaming |  1 |   0/4000060 |   0 |  0/4000060 |   0 | *               | max_connections: 50->60 |
            | node2  | 127.0.0.1:6402 | Replica | streaming |  1 |   0/4000060 |   0 |  0/4000060 |   0 | *               | max_connections: 50->60 |
            +--------+----------------+---------+-----------+----+-------------+-----+------------+-----+-----------------+-------------------------+

            """,
            Render($"{Leader}{Pending}}}, {Replica(1, "0/4000060", Pending)}, {Replica(2, "0/4000060", Pending)}"));
    }

    [Fact]
    public void Extended_shows_every_column() => Assert.Equal(
        """
        + Cluster: lab (7711060563153238640) -----------+----+-------------+-----+------------+-----+-----------------+------------------------+---------------------------+------+
        | Member | Host           | Role    | State     | TL | Receive LSN | Lag | Replay LSN | Lag | Pending restart | Pending restart reason | Scheduled restart         | Tags |
        +--------+----------------+---------+-----------+----+-------------+-----+------------+-----+-----------------+------------------------+---------------------------+------+
        | node0  | 127.0.0.1:6400 | Leader  | running   |  1 |             |     |            |     |                 |                        |                           |      |
        | node1  | 127.0.0.1:6401 | Replica | streaming |  1 |   0/4000000 |   0 |  0/4000000 |   0 |                 |                        | 2039-09-24T12:00:00+00:00 |      |
        | node2  | 127.0.0.1:6402 | Replica | streaming |  1 |   0/4000000 |   0 |  0/4000000 |   0 |                 |                        |                           |      |
        +--------+----------------+---------+-----------+----+-------------+-----+------------+-----+-----------------+------------------------+---------------------------+------+

        """,
        Render($$"""{{Leader}}}, {{Replica(1, "0/4000000", """, "scheduled_restart": {"schedule": "2039-09-24T12:00:00+00:00"}""")}}, {{Replica(2, "0/4000000")}}""", extended: true));

    [Fact]
    public void A_stopped_member_has_unknown_positions_and_pause_is_said() => Assert.Equal(
        """
        + Cluster: lab (7711060563153238640) ---------+----+-------------+-----+------------+-----+
        | Member | Host           | Role    | State   | TL | Receive LSN | Lag | Replay LSN | Lag |
        +--------+----------------+---------+---------+----+-------------+-----+------------+-----+
        | node0  | 127.0.0.1:6400 | Replica | stopped |    |     unknown |     |    unknown |     |
        | node1  | 127.0.0.1:6401 | Leader  | running |  1 |             |     |            |     |
        | node2  | 127.0.0.1:6402 | Replica | running |  1 |   0/4000188 |   0 |  0/4000188 |   0 |
        +--------+----------------+---------+---------+----+-------------+-----+------------+-----+
         Maintenance mode: on

        """,
        Render("""{"name": "node0", "role": "replica", "state": "stopped", "host": "127.0.0.1", "port": 6400, "receive_lsn": "unknown", "receive_lag": "unknown", "replay_lsn": "unknown", "replay_lag": "unknown", "lag": "unknown"}, """
            + """{"name": "node1", "role": "leader", "state": "running", "host": "127.0.0.1", "port": 6401, "timeline": 1}, """
            + Replica(2, "0/4000188").Replace("streaming", "running"), more: """, "pause": true"""));

    [Fact]
    public void Json_is_one_line_and_leaves_empty_values_out() => Assert.Equal(
        """[{"Cluster": "lab", "Member": "node0", "Host": "127.0.0.1:6400", "Role": "Leader", "State": "running", "TL": 1}, {"Cluster": "lab", "Member": "node1", "Host": "127.0.0.1:6401", "Role": "Replica", "State": "streaming", "TL": 1, "Receive LSN": "0/4000060", "Receive Lag": 0, "Replay LSN": "0/4000060", "Replay Lag": 0}, {"Cluster": "lab", "Member": "node2", "Host": "127.0.0.1:6402", "Role": "Replica", "State": "streaming", "TL": 1, "Receive LSN": "0/4000060", "Receive Lag": 0, "Replay LSN": "0/4000060", "Replay Lag": 0}]""" + "\n",
        Render($"{Leader}}}, {Replica(1, "0/4000060")}, {Replica(2, "0/4000060")}", MemberFormat.Json));

    [Fact]
    public void Tsv_keeps_empty_values() => Assert.Equal(
        "Cluster\tMember\tHost\tRole\tState\tTL\tReceive LSN\tReceive Lag\tReplay LSN\tReplay Lag\n"
        + "lab\tnode0\t127.0.0.1:6400\tLeader\trunning\t1\t\t\t\t\n"
        + "lab\tnode1\t127.0.0.1:6401\tReplica\tstreaming\t1\t0/4000060\t0\t0/4000060\t0\n"
        + "lab\tnode2\t127.0.0.1:6402\tReplica\tstreaming\t1\t0/4000060\t0\t0/4000060\t0\n",
        Render($"{Leader}}}, {Replica(1, "0/4000060")}, {Replica(2, "0/4000060")}", MemberFormat.Tsv));

    [Fact]
    public void Yaml_has_sorted_keys_and_an_empty_line_behind() => Assert.Equal(
        """
        - Cluster: lab
          Host: 127.0.0.1:6400
          Member: node0
          Role: Leader
          State: running
          TL: 1
        - Cluster: lab
          Host: 127.0.0.1:6401
          Member: node1
          Receive LSN: 0/4000060
          Receive Lag: 0
          Replay LSN: 0/4000060
          Replay Lag: 0
          Role: Replica
          State: streaming
          TL: 1


        """,
        Render($"{Leader}}}, {Replica(1, "0/4000060")}", MemberFormat.Yaml));

    [Fact]
    public void Topology_hangs_replicas_below_the_leader() => Assert.Equal(
        """
        + Cluster: lab (7711060563153238640) +-----------+----+-------------+-----+------------+-----+
        | Member  | Host           | Role    | State     | TL | Receive LSN | Lag | Replay LSN | Lag |
        +---------+----------------+---------+-----------+----+-------------+-----+------------+-----+
        | node0   | 127.0.0.1:6400 | Leader  | running   |  1 |             |     |            |     |
        | + node1 | 127.0.0.1:6401 | Replica | streaming |  1 |   0/4000060 |   0 |  0/4000060 |   0 |
        | + node2 | 127.0.0.1:6402 | Replica | streaming |  1 |   0/4000060 |   0 |  0/4000060 |   0 |
        +---------+----------------+---------+-----------+----+-------------+-----+------------+-----+

        """,
        Render($"{Leader}}}, {Replica(1, "0/4000060")}, {Replica(2, "0/4000060")}", MemberFormat.Topology));

    [Fact]
    public void Topology_follows_replicatefrom_and_survives_circles_and_no_leader()
    {
        static string From(int n, string parent) => Replica(n, "0/1", """, "tags": {"replicatefrom": "PARENT"}""".Replace("PARENT", parent));
        var text = Render($"{Leader}}}, {Replica(1, "0/1")}, {From(2, "node1")}", MemberFormat.Topology);
        Assert.Contains("| + node1   |", text);
        Assert.Contains("|   + node2 |", text);
        Assert.Contains("{replicatefrom: node1}", text);

        var circle = Render($"{From(1, "node2")}, {From(2, "node1")}", MemberFormat.Topology);
        Assert.Contains("+ node1", circle);
        Assert.Contains("+ node2", circle);
    }

    [Fact]
    public void Hosts_stand_alone_when_every_member_has_its_own_and_the_usual_port()
    {
        var text = Render("""{"name": "a", "role": "leader", "state": "running", "host": "10.0.0.1", "port": 5432, "timeline": 3}, {"name": "b", "role": "sync_standby", "state": "streaming", "host": "10.0.0.2", "port": 5432, "timeline": 3, "receive_lsn": "0/1", "receive_lag": 1572864, "replay_lsn": "0/1", "replay_lag": 2621440}""");
        Assert.Contains("| a      | 10.0.0.1 | Leader       | running   |  3 |", text);
        // Halves round to even, as in Python.
        Assert.Contains("| b      | 10.0.0.2 | Sync Standby | streaming |  3 |         0/1 |   2 |        0/1 |   2 |", text);
    }

    [Fact]
    public void Tags_are_blocks_in_a_table_and_every_row_is_framed()
    {
        var text = Render(Leader + """, "tags": {"nofailover": true, "zone": "a:b"}}, """ + Replica(1, "0/1"));
        Assert.Contains("| nofailover: true |", text);
        Assert.Contains("| zone: a:b        |", text);
        Assert.Equal(4, text.Split('\n').Count(l => l.StartsWith('+')));
    }
}
