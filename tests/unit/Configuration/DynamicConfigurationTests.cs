using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Configuration;

public sealed class DynamicConfigurationTests
{
    [Fact]
    public void Nothing_gives_the_defaults_of_a_new_cluster()
    {
        var (read, problems) = DynamicConfiguration.Parse("{}");
        Assert.Empty(problems);
        Assert.Equal((10_000, 2_000, 3_000), (read!.TtlMs, read.LoopWaitMs, read.RetryTimeoutMs));
        Assert.Equal((1_048_576, -1, 0), (read.MaximumLagOnFailover, read.MaximumLagOnSyncnode, read.MaxTimelinesHistory));
        Assert.Equal((300_000, 0, 0, 1_800_000), (read.PrimaryStartTimeoutMs, read.PrimaryStopTimeoutMs, read.PrimaryRaceBackoffMs, read.MemberSlotsTtlMs));
        Assert.Equal((SynchronousMode.Off, 1), (read.SynchronousMode, read.SynchronousNodeCount));
        Assert.False(read.SynchronousModeStrict || read.FailsafeMode || read.CheckTimeline || read.Pause || read.IsStandbyCluster);
        Assert.True(read.Postgresql.UseSlots);
        Assert.Null(read.Postgresql.UsePgRewind);
        Assert.Empty(read.Notices);
    }

    [Fact]
    public void The_recorded_configuration_of_a_live_cluster_is_read()
    {
        var (read, problems) = DynamicConfiguration.Parse(
            """{"loop_wait": 1, "postgresql": {"parameters": {"max_connections": 50, "shared_buffers": "32MB", "wal_keep_size": "128MB"}, "use_pg_rewind": true}, "retry_timeout": 3, "synchronous_mode": false, "ttl": 20}""");
        Assert.Empty(problems);
        Assert.Equal((20_000, 1_000, 3_000), (read!.TtlMs, read.LoopWaitMs, read.RetryTimeoutMs));
        Assert.True(read.Postgresql.UsePgRewind);
        Assert.Equal("50", read.Postgresql.Parameters["max_connections"]);
        Assert.Equal("32MB", read.Postgresql.Parameters["Shared_Buffers"]);
    }

    [Theory]
    [InlineData("""{"ttl": 3, "loop_wait": 0.5, "retry_timeout": 1}""", 3_000, 500, 1_000, 500)]
    [InlineData("""{"ttl": "20s", "loop_wait": "1500ms", "retry_timeout": "3"}""", 20_000, 1_500, 3_000, 1_500)]
    [InlineData("""{"ttl": 30, "loop_wait": 10, "retry_timeout": 10}""", 30_000, 10_000, 10_000, 9_100)]
    [InlineData("""{"ttl": "1min"}""", 60_000, 2_000, 3_000, 2_000)]
    public void Timings_that_fit(string json, long ttl, long loopWait, long retry, long renewal)
    {
        var (read, problems) = DynamicConfiguration.Parse(json);
        Assert.Empty(problems);
        Assert.Equal((ttl, loopWait, retry, renewal), (read!.TtlMs, read.LoopWaitMs, read.RetryTimeoutMs, read.RenewalIntervalMs));
        Assert.Equal(renewal < loopWait, read.Notices.Length == 1);
    }

    [Theory]
    [InlineData("""{"ttl": 3}""", "ttl", "2*3 = 8 s", "3 - 0.11 - 0.25 = 2.64 s")]
    [InlineData("""{"loop_wait": 5}""", "loop_wait", "5 + 2*3 = 11 s", "10 - 0.25 - 0.25 = 9.5 s")]
    [InlineData("""{"retry_timeout": 4.75}""", "retry_timeout", "2 + 2*4.75 = 11.5 s", "9.5 s")]
    [InlineData("""{"ttl": 3, "loop_wait": 0.7, "retry_timeout": 1.15}""", "ttl", "0.7 + 2*1.15 = 3 s", "2.64 s")]
    public void Timings_that_do_not_fit_are_named_with_all_numbers(string json, string path, string needed, string usable)
    {
        var problem = Assert.Single(DynamicConfiguration.Validate(json));
        Assert.Equal((path, ConfigurationProblemKind.Conflict), (problem.Path, problem.Kind));
        Assert.Contains(needed, problem.Message);
        Assert.Contains(usable, problem.Message);
    }

    [Fact]
    public void A_long_election_timeout_needs_a_longer_ttl()
    {
        Assert.Null(LeaseTimings.Conflict(10_000, 2_000, 3_000, 4_000));
        Assert.Null(LeaseTimings.Conflict(3_000, 500, 1_000, 1_000));
        Assert.NotNull(LeaseTimings.Conflict(3_000, 500, 1_000, 1_100));
        Assert.Equal(1_500, LeaseTimings.RenewalIntervalMs(10_000, 2_000, 3_000, 4_000));
    }

    [Fact]
    public void All_problems_are_reported_at_once_each_naming_its_field()
    {
        var problems = DynamicConfiguration.Validate(
            """{"ttl": "soon", "loop_wiat": 1, "pause": 3, "maximum_lag_on_failover": -1, "postgresql": {"use_slot": true, "listen": "a:1", "parameters": {"max_connections": 5, "wal_keep_size": 1}}, "slots": {"x": {"type": "logical"}}, "tags": {}}""");
        Assert.Equal(
        [
            ("ttl", ConfigurationProblemKind.WrongType),
            ("loop_wiat", ConfigurationProblemKind.UnknownKey),
            ("pause", ConfigurationProblemKind.WrongType),
            ("maximum_lag_on_failover", ConfigurationProblemKind.OutOfRange),
            ("postgresql.use_slot", ConfigurationProblemKind.UnknownKey),
            ("postgresql.listen", ConfigurationProblemKind.NotAllowedHere),
            ("postgresql.parameters.max_connections", ConfigurationProblemKind.OutOfRange),
            ("tags", ConfigurationProblemKind.UnknownKey),
            ("slots.x", ConfigurationProblemKind.Missing),
            ("postgresql.parameters.wal_keep_size", ConfigurationProblemKind.OutOfRange),
        ], problems.Select(p => (p.Path, p.Kind)));
        Assert.Contains("did you mean 'loop_wait'", problems[1].Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[1]")]
    [InlineData("null")]
    [InlineData("{\"ttl\": 5")]
    [InlineData("{\"ttl\": 20, \"ttl\": 30}")]
    public void What_is_not_one_JSON_object_is_refused(string json)
    {
        var (read, problems) = DynamicConfiguration.Parse(json);
        Assert.Null(read);
        Assert.Single(problems);
        Assert.Equal(10_000, DynamicConfiguration.ReadAccepted(json).TtlMs);
    }

    [Theory]
    [InlineData("true", SynchronousMode.On)]
    [InlineData("\"on\"", SynchronousMode.On)]
    [InlineData("\"Quorum\"", SynchronousMode.Quorum)]
    [InlineData("\"off\"", SynchronousMode.Off)]
    public void Synchronous_mode_in_its_spellings(string value, SynchronousMode expected) =>
        Assert.Equal(expected, DynamicConfiguration.Parse($$"""{"synchronous_mode": {{value}}}""").Configuration!.SynchronousMode);

    [Fact]
    public void Older_spellings_count_where_the_newer_is_absent()
    {
        var old = DynamicConfiguration.Parse("""{"master_start_timeout": 0, "permanent_slots": {"a": {"type": "physical"}}}""").Configuration!;
        Assert.Equal(0, old.PrimaryStartTimeoutMs);
        Assert.NotNull(old.PermanentSlots["a"]);
        Assert.Equal(5_000, DynamicConfiguration.Parse("""{"master_start_timeout": 0, "primary_start_timeout": 5}""").Configuration!.PrimaryStartTimeoutMs);
    }

    [Fact]
    public void Parameters_of_the_agent_are_accepted_and_said_to_be_ignored()
    {
        var (read, problems) = DynamicConfiguration.Parse("""{"postgresql": {"parameters": {"port": 1, "hot_standby": "on", "wal_log_hints": false}}}""");
        Assert.Empty(problems);
        Assert.Equal(2, read!.Notices.Length);
    }

    [Theory]
    [InlineData("""{"ttl":20}""", """{"ttl":null}""", """{}""")]
    [InlineData("""{"ttl":20.50,"a":{"b":1,"c":2}}""", """{"a":{"b":null,"d":[1,{"x":null}]},"e":"ä"}""", """{"ttl":20.50,"a":{"c":2,"d":[1,{"x":null}]},"e":"ä"}""")]
    [InlineData("""{"a":1}""", """{"a":{"b":null,"c":"1"}}""", """{"a":{"c":"1"}}""")]
    [InlineData("""{"a":{"b":1}}""", """{"a":2}""", """{"a":2}""")]
    public void A_patch_merges_maps_and_null_removes(string current, string patch, string expected) =>
        Assert.Equal(expected, DynamicConfiguration.Patch(current, patch));
}
