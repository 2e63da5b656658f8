using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.Postgres.Provisioning;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Postgres;

public sealed class ParserTests
{
    [Fact]
    public void A_history_file_tells_where_each_timeline_ends()
    {
        TimelineHistory? history = TimelineHistory.Parse(new(4), "# comment\n1\t0/5000000\tno recovery target specified\n\n3\t0/7000060\tx y\n");
        Assert.NotNull(history);
        Assert.Equal(2, history.Ancestors.Length);
        Assert.Equal("x y", history.Ancestors[1].Reason);
        Assert.Equal(Lsn.Parse("0/5000000"), history.EndOf(new(1)));
        Assert.Null(history.EndOf(new(2)));
        Assert.True(history.Contains(new(3), Lsn.Parse("0/7000060")));
        Assert.False(history.Contains(new(3), Lsn.Parse("0/7000061")));
        Assert.True(history.Contains(new(4), Lsn.Parse("F/0")));
        Assert.Equal("0000000A.history", TimelineHistory.FileName(new(10)));
    }

    [Theory]
    [InlineData("1")]
    [InlineData("x\t0/1\ty")]
    [InlineData("4\t0/1\tits own")]
    [InlineData("2\t0/1\tb\n1\t0/2\tout of order")]
    public void A_malformed_history_file_is_refused(string text) => Assert.Null(TimelineHistory.Parse(new(4), text));

    [Theory]
    [InlineData("0/0", 16, "000000020000000000000000")]
    [InlineData("0/1FFFFFF", 16, "000000020000000000000001")]
    [InlineData("1/2000060", 16, "000000020000000100000002")]
    [InlineData("3/40000000", 1024, "000000020000000300000001")]
    public void Segment_names_are_postgresql_s(string position, int mebibytes, string name) =>
        Assert.Equal(name, Divergence.SegmentName(new(2), Lsn.Parse(position), mebibytes * 1024 * 1024));

    [Theory]
    [InlineData("12345/67890 kB (18%), 0/1 tablespace (/x/base/1)", 12345L * 1024, 67890L * 1024, 18)]
    [InlineData("  100/100 kB (100%), 1/1 tablespace", 102400L, 102400L, 100)]
    [InlineData("200/100 kB (100%), 1/1 tablespace", 204800L, 102400L, 100)]
    public void Progress_lines_are_read(string line, long done, long total, int percent)
    {
        CloneProgress? progress = CloneProgress.Parse(line);
        Assert.Equal(new CloneProgress(done, total), progress);
        Assert.Equal(percent, progress!.Value.Percent);
    }

    [Theory]
    [InlineData("waiting for checkpoint")]
    [InlineData("pg_basebackup: error: 5 kB missing")]
    [InlineData("")]
    public void Other_lines_are_no_progress(string line) => Assert.Null(CloneProgress.Parse(line));

    [Theory]
    [InlineData("4711\n/data\n1700000000\n5432\n/tmp\nlocalhost\n  123 4\nready   \n", 4711, false, PostmasterState.Ready)]
    [InlineData("4711\n/data\n1700000000\n5432\n/tmp\nlocalhost\n  123 4\nstandby \n", 4711, false, PostmasterState.Standby)]
    [InlineData("4711\n/data\n1700000000\n5432\n\n", 4711, false, PostmasterState.Unknown)]
    [InlineData("-99\n/data\n", 99, true, PostmasterState.Unknown)]
    public void Postmaster_pid_files_are_read_at_every_stage(string text, int pid, bool standalone, PostmasterState state)
    {
        PostmasterPidFile? file = PostmasterPidFile.Parse(text);
        Assert.Equal((pid, standalone, state), (file!.Pid, file.IsStandalone, file.State));
    }

    [Theory]
    [InlineData("")]
    [InlineData("garbage\n")]
    [InlineData("0\n")]
    public void A_pid_file_without_a_number_is_none(string text) => Assert.Null(PostmasterPidFile.Parse(text));

    [Theory]
    [InlineData("postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)", 15)]
    [InlineData("postgres (PostgreSQL) 17beta1", 17)]
    [InlineData("postgres (EnterpriseDB) 12.1.2", 12)]
    [InlineData("nothing", null)]
    public void Versions_are_read(string text, int? version) => Assert.Equal(version, ServerBinaries.ParseMajor(text));

    [Theory]
    [InlineData("node1", "node1")]
    [InlineData("Node-1.example.COM", "node_1_example_com")]
    [InlineData("a b", "au0032b")]
    [InlineData("größe", "gru0246u0223e")]
    public void Slot_names_are_patroni_s(string member, string slot) => Assert.Equal(slot, Slots.NameOf(new(member)));

    [Fact]
    public void Slot_names_are_cut() => Assert.Equal(63, Slots.NameOf(new(new string('x', 100))).Length);

    [Theory]
    [InlineData("/bin/script --a 'b c' d\\ e \"f \\\" g\"", new[] { "/bin/script", "--a", "b c", "d e", "f \" g" })]
    [InlineData("  x   ''  ", new[] { "x", "" })]
    [InlineData("echo $HOME;rm", new[] { "echo", "$HOME;rm" })]
    public void Command_lines_are_split_without_a_shell(string text, string[] words) => Assert.Equal(words, CommandLine.Split(text));

    [Theory]
    [InlineData("")]
    [InlineData("a 'b")]
    [InlineData("a \"b")]
    public void Broken_command_lines_are_refused(string text) => Assert.Null(CommandLine.Split(text));

    [Theory]
    [InlineData("integer", "8kB", "16384", "128MB", true)]
    [InlineData("integer", "8kB", "16384", "131072kB", true)]
    [InlineData("integer", "8kB", "16384", "16384", true)]
    [InlineData("integer", "8kB", "16384", "129MB", false)]
    [InlineData("integer", "ms", "60000", "1min", true)]
    [InlineData("integer", "s", "300", "5min", true)]
    [InlineData("integer", null, "100", "100", true)]
    [InlineData("bool", null, "on", "TRUE", true)]
    [InlineData("bool", null, "on", "0", false)]
    [InlineData("enum", null, "replica", "REPLICA", true)]
    [InlineData("string", null, "a", "A", false)]
    [InlineData("integer", null, "100", "nonsense", false)]
    public void Settings_are_compared_by_meaning(string type, string? unit, string setting, string configured, bool same) =>
        Assert.Equal(same, ParameterValue.Same(type, unit, setting, configured));

    [Theory]
    [InlineData(null, "0/5", null, EndOfWalBasis.Unknown, "0/0")]
    [InlineData(null, "0/5", "RecoveryApplyDelay", EndOfWalBasis.Unknown, "0/0")]
    [InlineData(null, null, "RecoveryRetrieveRetryInterval", EndOfWalBasis.Unknown, "0/0")]
    [InlineData(null, "0/5", "RecoveryRetrieveRetryInterval", EndOfWalBasis.RecoveryWaits, "0/5")]
    [InlineData(null, "0/5", "RecoveryWalStream", EndOfWalBasis.RecoveryWaits, "0/5")]
    [InlineData("0/9", "0/5", null, EndOfWalBasis.Streamed, "0/9")]
    [InlineData("0/3", "0/5", null, EndOfWalBasis.Streamed, "0/5")]
    public void The_end_of_wal_is_known_only_for_a_reason(string? receive, string? replay, string? wait, EndOfWalBasis basis, string end) =>
        Assert.Equal(new KnownEndOfWal(basis, Lsn.Parse(end)),
            KnownEndOfWal.OfStandby(receive is null ? null : Lsn.Parse(receive), replay is null ? null : Lsn.Parse(replay), wait));
}
