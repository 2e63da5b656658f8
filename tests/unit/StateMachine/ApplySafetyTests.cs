using Patroni.Raft.StateMachine;
using Xunit;
using static Patroni.Raft.UnitTests.StateMachine.TestCluster;

namespace Patroni.Raft.UnitTests.StateMachine;

/// <summary>Ways in which a delayed, repeated or contradictory command could break an invariant, one test each.</summary>
public sealed class ApplySafetyTests
{
    [Fact]
    public void A_stand_that_arrives_after_its_withdrawal_does_not_count()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        CommandId delayed = cluster.NextId(1);
        cluster.Accept(cluster.Withdraw("b"));
        cluster.Refuse(OutcomeCode.TooOld, delayed, cluster.Stand("b", 1000));
        Assert.Empty(cluster.Vacancy.Stands);
        cluster.Accept(cluster.Stand("b", 1000));
        Assert.Single(cluster.Vacancy.Stands);
    }

    [Fact]
    public void An_older_decline_does_not_replace_a_newer_stand()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        CommandId delayed = cluster.NextId(1);
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Refuse(OutcomeCode.TooOld, delayed, cluster.Decline("b"));
        Assert.Single(cluster.Vacancy.Stands);
    }

    [Fact]
    public void A_stand_of_a_former_life_of_the_data_is_refused()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Touch("b", new(99));
        cluster.Refuse(OutcomeCode.StaleVersion, cluster.Stand("b", 1000));
        cluster.Refuse(OutcomeCode.StaleVersion, cluster.Stand("b", 1000, incarnation: Incarnation.None));
        cluster.Accept(cluster.Stand("b", 1000, incarnation: new(99)));
    }

    [Fact]
    public void A_stand_lapses_when_the_node_reports_other_data()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Touch("b", new(99));
        Assert.Empty(cluster.Vacancy.Stands);
        Assert.Contains(cluster.Last.Events, record => record.Event is NodeWithdrew);
    }

    [Fact]
    public void A_stand_with_the_data_of_another_database_cluster_is_refused()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Accept(new TouchMember(new("b"), Report("b") with { SystemIdentifier = 5 }));
        cluster.Refuse(OutcomeCode.SystemIdentifierMismatch, cluster.Stand("b", 1000));
    }

    [Fact]
    public void An_older_report_does_not_replace_a_newer_one()
    {
        TestCluster cluster = Led("a", "b", "c");
        CommandId delayed = cluster.NextId(1);
        cluster.Touch("b", new(99));
        cluster.Refuse(OutcomeCode.TooOld, delayed, new TouchMember(new("b"), Report("b")));
        Assert.Equal(new Incarnation(99), cluster.State.Members[new("b")].Report.Incarnation);
    }

    [Fact]
    public void A_bounded_renewal_overtaken_by_an_unbounded_one_does_not_make_the_lease_expirable()
    {
        TestCluster cluster = Led("a", "b", "c");
        CommandId delayed = cluster.NextId(1);
        cluster.Renew(1000, unbounded: true);
        cluster.Refuse(OutcomeCode.TooOld, delayed, new RenewLeader(cluster.Lease.Epoch, new("a"), 10_000, false, new(1000), []));
        cluster.Refuse(OutcomeCode.LeaseUnbounded, new ExpireLeader(cluster.Lease.Epoch, cluster.Lease.LastRenewalIndex, false));
    }

    [Fact]
    public void Force_expires_only_an_unbounded_lease_whose_holder_is_silent()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Refuse(OutcomeCode.RequestConflict, new ExpireLeader(cluster.Lease.Epoch, cluster.Lease.LastRenewalIndex, true));
        cluster.Renew(1000, unbounded: true);
        cluster.Refuse(OutcomeCode.LeaseUnbounded, new ExpireLeader(cluster.Lease.Epoch, cluster.Lease.LastRenewalIndex, false));
        cluster.Refuse(OutcomeCode.RequestConflict, new ExpireLeader(cluster.Lease.Epoch, cluster.Lease.LastRenewalIndex, true));
        cluster.Silence("a");
        cluster.Accept(new ExpireLeader(cluster.Lease.Epoch, cluster.Lease.LastRenewalIndex, true));
    }

    [Fact]
    public void A_topology_from_an_earlier_life_of_the_holders_agent_is_refused()
    {
        TestCluster cluster = Led("a", "b", "c");
        var topology = new SetFailsafeTopology(cluster.Lease.Epoch, 0, System.Collections.Immutable.ImmutableSortedDictionary<NodeName, string>.Empty.Add(new("a"), "http://a"));
        cluster.Refuse(OutcomeCode.LeaseRenewed, cluster.NextId(2), topology);
        cluster.Refuse(OutcomeCode.Invalid, topology with { Topology = topology.Topology.Clear().Add(new("b"), "http://b") });
        cluster.Accept(topology);
        // Of all that name one version at most one is accepted: the holder asks the members of those that it sent.
        cluster.Refuse(OutcomeCode.StaleVersion, topology with { Topology = topology.Topology.Add(new("b"), "http://b") });
    }

    [Fact]
    public void In_pause_a_candidate_that_is_slow_to_stand_wins_all_the_same()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Accept(new PatchConfig("""{"pause":true}""", 0));
        cluster.Release(VacancyReason.Switchover, 900, "b");
        cluster.Close();
        cluster.Accept(cluster.Stand("b", 1000));
        Assert.Equal(new NodeName("b"), cluster.State.Leader);
    }

    [Fact]
    public void In_pause_only_a_named_candidate_is_elected_and_the_answers_are_kept_for_the_resume()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Accept(new PatchConfig("""{"pause":true}""", 0));
        cluster.Accept(cluster.Stand("c", 2000));
        cluster.Close();
        Assert.Equal("election.paused", cluster.VerdictOf("c").Rule);
        cluster.Accept(new RequestFailover(FailoverKind.Failover, null, new("b"), null, null));
        Assert.Equal(new NodeName("b"), cluster.State.Leader);
        cluster.Refuse(OutcomeCode.RequestConflict, new RequestFailover(FailoverKind.Switchover, null, null, null, null));
    }

    [Fact]
    public void The_former_primary_with_other_data_is_no_longer_synchronous()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Accept(cluster.Sync(0, "b"));
        cluster.Expire();
        cluster.Touch("a", new(99));
        cluster.Accept(cluster.Stand("a", 1000, incarnation: new(99)));
        cluster.Close();
        Assert.Null(cluster.State.Leader);
        Assert.Equal("election.not-synchronous", cluster.VerdictOf("a").Rule);
    }

    [Fact]
    public void The_former_primary_with_its_data_may_lead_again_in_synchronous_mode()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Accept(cluster.Sync(0, "b"));
        cluster.Expire();
        cluster.Accept(cluster.Stand("a", 1000));
        cluster.Close();
        Assert.Equal(new NodeName("a"), cluster.State.Leader);
        Assert.Equal(Data("a"), cluster.State.Sync.LeaderIncarnation);
        Assert.Empty(cluster.State.Sync.Standbys);
    }

    [Fact]
    public void A_quorum_vote_counts_only_for_wal_that_the_candidate_contains()
    {
        // b left timeline 1 at 500, before what d acknowledged; its greater position does not make it complete.
        TestCluster cluster = Led("a", "b", "c", "d");
        cluster.Accept(cluster.Sync(1, "b", "c", "d"));
        cluster.Expire();
        cluster.Accept(cluster.Stand("b", 1500, timeline: 2, history: Fork(1, 500)));
        cluster.Accept(cluster.Stand("d", 900));
        cluster.Close();
        Assert.Null(cluster.State.Leader);
        Assert.Equal("election.no-quorum", cluster.VerdictOf("b").Rule);
        Assert.Equal("election.no-quorum", cluster.VerdictOf("d").Rule);
    }

    [Fact]
    public void A_node_outside_the_failsafe_topology_cannot_win()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Accept(new SetFailsafeTopology(cluster.Lease.Epoch, 0, System.Collections.Immutable.ImmutableSortedDictionary<NodeName, string>.Empty
            .Add(new("a"), "http://a").Add(new("b"), "http://b")));
        cluster.Expire();
        cluster.Accept(cluster.Stand("c", 1000));
        cluster.Close();
        Assert.Equal("election.failsafe", cluster.VerdictOf("c").Rule);
        cluster.Accept(cluster.Stand("b", 1000));
        Assert.Equal(new NodeName("b"), cluster.State.Leader);
    }

    [Fact]
    public void A_failed_candidate_stays_barred_when_the_next_one_dies_before_its_promotion()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Close();
        cluster.Renew(0);
        cluster.Release(VacancyReason.PromotionFailed);
        cluster.Accept(cluster.Stand("c", 1000));
        cluster.Close();
        cluster.Expire();
        Assert.Contains(new NodeName("b"), cluster.Vacancy.Barred);
        cluster.Accept(cluster.Stand("a", 900));
        cluster.Accept(cluster.Stand("b", 1000));
        Assert.Equal(new NodeName("a"), cluster.State.Leader);
        Assert.Equal("election.barred", cluster.VerdictOf("b").Rule);
    }

    [Fact]
    public void Failed_winners_do_not_lower_the_measure_of_lag()
    {
        const ulong Limit = 1_048_576;
        TestCluster cluster = Led("a", "b", "c");
        cluster.Renew(10 * Limit);
        cluster.Expire();
        cluster.Accept(cluster.Stand("b", 10 * Limit - 700_000));
        cluster.Close();
        Assert.Equal(new NodeName("b"), cluster.State.Leader);
        cluster.Expire();
        cluster.Accept(cluster.Stand("c", 10 * Limit - 1_400_000));
        cluster.Close();
        Assert.Equal("election.lag", cluster.VerdictOf("c").Rule);
    }

    [Fact]
    public void After_a_promotion_lag_is_measured_from_the_fork()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Renew(10_000);
        cluster.Expire();
        cluster.Accept(cluster.Stand("b", 9_000));
        cluster.Close();
        cluster.Promote(2, 1, 9_000);
        Assert.Equal(new Lsn(9_000), cluster.Lease.LastLsn);
    }

    [Fact]
    public void A_promotion_grows_out_of_the_recorded_one()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Close();
        cluster.Promote(3, 2, 1000);
        cluster.Expire();
        cluster.Accept(cluster.Stand("c", 2000, 3, 1, null, Fork(1, 900), Fork(2, 1000)));
        cluster.Close();
        cluster.Renew(0);
        Epoch epoch = cluster.Lease.Epoch;
        cluster.Refuse(OutcomeCode.Invalid, new ReportPromoted(epoch, new("c"), new(2), default, default));
        cluster.Refuse(OutcomeCode.Invalid, new ReportPromoted(epoch, new("c"), new(3), new(2), new(1000)));
        cluster.Refuse(OutcomeCode.Invalid, new ReportPromoted(epoch, new("c"), new(4), default, default));
        cluster.Refuse(OutcomeCode.Invalid, new ReportPromoted(epoch, new("c"), new(4), new(2), new(1000)));
        cluster.Refuse(OutcomeCode.Invalid, new ReportPromoted(epoch, new("c"), new(4), new(4), new(2000)));
        cluster.Refuse(OutcomeCode.Invalid, new ReportPromoted(epoch, new("c"), new(4), new(3), default));
        cluster.Accept(new ReportPromoted(epoch, new("c"), new(4), new(3), new(2000)));
    }

    [Fact]
    public void The_same_timeline_under_a_further_epoch_keeps_its_origin()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Close();
        cluster.Promote(2, 1, 1000);
        cluster.Expire();
        cluster.Accept(cluster.Stand("b", 2000, 2, 1, null, Fork(1, 1000)));
        cluster.Close();
        cluster.Promote(2, 0, 0);
        Promotion latest = cluster.State.LatestPromotion!;
        Assert.Equal((new TimelineId(1), new Lsn(1000)), (latest.ParentTimeline, latest.ForkLsn));
        Assert.Single(cluster.State.History);
    }

    [Fact]
    public void The_checkpoint_of_an_earlier_promotion_does_not_count_for_a_later_one()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Accept(new ReportPromoted(cluster.Lease.Epoch, new("a"), new(2), new(1), new(5000)));
        cluster.Refuse(OutcomeCode.Invalid, new ReportCheckpointed(cluster.Lease.Epoch, new("a"), new(4000)));
        cluster.Accept(new ReportCheckpointed(cluster.Lease.Epoch, new("a"), new(5100)));
    }

    [Fact]
    public void Whoever_initializes_cannot_be_removed_meanwhile()
    {
        TestCluster cluster = Registered("a", "b");
        cluster.Accept(new ClaimInitialization(new("a"), 0, false, 2, 30_000));
        cluster.Refuse(OutcomeCode.RequestConflict, new RemovePeer(new("a")));
        cluster.Accept(new RemovePeer(new("b")));
    }

    [Fact]
    public void A_stranger_or_a_witness_cannot_claim_to_initialize()
    {
        TestCluster cluster = Registered("a");
        cluster.Accept(new RegisterPeer(PeerOf("w") with { Kind = PeerKind.Witness }));
        cluster.Refuse(OutcomeCode.NotReady, new ClaimInitialization(new("w"), 0, false, 2, 30_000));
        cluster.Refuse(OutcomeCode.NotReady, new ClaimInitialization(new("x"), 0, false, 2, 30_000));
    }

    [Fact]
    public void Of_two_copies_of_one_system_the_one_with_the_newer_timeline_is_adopted()
    {
        TestCluster cluster = Registered("a", "b");
        cluster.Accept(new TouchMember(new("a"), Report("a", 1)));
        cluster.Accept(new TouchMember(new("b"), Report("b", 2)));
        cluster.Refuse(OutcomeCode.NotReady, new ClaimInitialization(new("a"), 0, true, 2, 30_000));
        cluster.Accept(new ClaimInitialization(new("b"), 0, true, 2, 30_000));
    }

    [Fact]
    public void A_node_does_not_become_a_witness_under_its_members_feet()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Refuse(OutcomeCode.NameTaken, new RegisterPeer(PeerOf("b") with { Kind = PeerKind.Witness }));
    }

    [Fact]
    public void Removing_the_candidate_opens_the_election_to_the_others()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Release(VacancyReason.Switchover, 1000, "b");
        cluster.Accept(cluster.Stand("c", 2000));
        Assert.Null(cluster.State.Leader);
        cluster.Accept(new RemovePeer(new("b")));
        Assert.Equal(new NodeName("c"), cluster.State.Leader);
    }

    [Fact]
    public void Removing_a_node_drops_a_request_that_names_it()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Accept(new RequestFailover(FailoverKind.Switchover, new("a"), new("b"), 1, "then"));
        cluster.Accept(new RemovePeer(new("b")));
        Assert.Null(cluster.State.Failover);
    }

    [Fact]
    public void Nothing_can_be_failed_over_before_there_is_a_cluster()
    {
        TestCluster cluster = Registered("a", "b");
        cluster.Refuse(OutcomeCode.IllegalTransition, new RequestFailover(FailoverKind.Failover, null, new("b"), null, null));
    }

    [Fact]
    public void A_scheduled_switchover_ends_with_the_leader_it_names()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Accept(new RequestFailover(FailoverKind.Switchover, new("a"), new("c"), 1, "then"));
        cluster.Expire();
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Close();
        Assert.Null(cluster.State.Failover);
    }

    [Fact]
    public void A_scheduled_switchover_that_names_no_leader_survives_a_failover()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Accept(new RequestFailover(FailoverKind.Switchover, null, new("c"), 1, "then"));
        cluster.Expire();
        cluster.Accept(cluster.Stand("b", 1000));
        cluster.Close();
        Assert.NotNull(cluster.State.Failover);
    }

    [Theory]
    [InlineData("{\"a\":\"\\ud800\"}")]
    [InlineData("{\"\\udc00\":1}")]
    [InlineData("{\"ttl\":1e400}")]
    [InlineData("{\"ttl\":{\"\\ud800\":[]}}")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("")]
    [InlineData("\0")]
    public void A_configuration_that_cannot_be_read_is_refused_and_never_thrown_across_the_log(string json)
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Refuse(OutcomeCode.InvalidConfiguration, new PatchConfig(json, 0));
        cluster.Refuse(OutcomeCode.InvalidConfiguration, new ReplaceConfig(json, 0));
    }

    [Fact]
    public void Free_texts_in_the_history_are_bounded()
    {
        TestCluster cluster = Vacated("a", "b", "c");
        string wide = string.Concat(Enumerable.Repeat("\U0001F418", 50_000));
        cluster.Accept(cluster.Decline("b", "x" + wide));
        cluster.Accept(new PatchConfig("{\"postgresql\":{\"parameters\":{\"search_path\":\"" + wide + "\"}}}", 0));
        Assert.All(cluster.State.Events, record => Assert.True(SnapshotCodecLength(record) < 20_000));
        cluster.Refuse(OutcomeCode.InvalidConfiguration, new PatchConfig($$"""{"{{wide}}":"{{wide}}"}""", 0));
        Assert.True(cluster.Last.Outcome.Reason.Length <= ClusterStateMachine.TextCapacity + 3);
    }

    [Fact]
    public void The_synchronous_set_is_one_that_an_election_can_count()
    {
        TestCluster cluster = Led("a", "b", "c");
        cluster.Refuse(OutcomeCode.Invalid, cluster.Sync(0, "a"));
        cluster.Refuse(OutcomeCode.Invalid, cluster.Sync(0, "c", "b"));
        cluster.Refuse(OutcomeCode.Invalid, cluster.Sync(0, "b", "b"));
        cluster.Refuse(OutcomeCode.Invalid, cluster.Sync(3, "b", "c"));
        cluster.Refuse(OutcomeCode.Invalid, cluster.Sync(1, "b") with { Leader = null });
        cluster.Refuse(OutcomeCode.Invalid, cluster.Sync(0, "b") with { Standbys = [new(new("b"), Incarnation.None)] });
        cluster.Accept(cluster.Sync(1, "b", "c"));
    }

    private static int SnapshotCodecLength(EventRecord record) =>
        System.Text.Json.JsonSerializer.Serialize(record, StateJson.Default.EventRecord).Length;
}
