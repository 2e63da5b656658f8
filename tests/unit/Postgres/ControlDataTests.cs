using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Postgres;

public sealed class ControlDataTests
{
    // pg_controldata of PostgreSQL 15 after initdb.
    internal const string Sample = @"pg_control version number:            1300
Catalog version number:               202209061
Database system identifier:           7711303861436306393
Database cluster state:               shut down
pg_control last modified:             Mon Nov 23 09:57:24 2026
Latest checkpoint location:           0/1500718
Latest checkpoint's REDO location:    0/1500718
Latest checkpoint's REDO WAL file:    000000010000000000000001
Latest checkpoint's TimeLineID:       1
Latest checkpoint's PrevTimeLineID:   1
Latest checkpoint's full_page_writes: on
Latest checkpoint's NextXID:          0:724
Latest checkpoint's NextOID:          13572
Latest checkpoint's NextMultiXactId:  1
Latest checkpoint's NextMultiOffset:  0
Latest checkpoint's oldestXID:        716
Latest checkpoint's oldestXID's DB:   1
Latest checkpoint's oldestActiveXID:  0
Latest checkpoint's oldestMultiXid:   1
Latest checkpoint's oldestMulti's DB: 1
Latest checkpoint's oldestCommitTsXid:0
Latest checkpoint's newestCommitTsXid:0
Time of latest checkpoint:            Mon Nov 23 09:57:24 2026
Fake LSN counter for unlogged rels:   0/3E8
Minimum recovery ending location:     0/0
Min recovery ending loc's timeline:   0
Backup start location:                0/0
Backup end location:                  0/0
End-of-backup record required:        no
wal_level setting:                    replica
wal_log_hints setting:                off
max_connections setting:              100
max_worker_processes setting:         8
max_wal_senders setting:              10
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
track_commit_timestamp setting:       off
Maximum data alignment:               8
Database block size:                  8192
Blocks per segment of large relation: 131072
WAL block size:                       8192
Bytes per WAL segment:                16777216
Maximum length of identifiers:        64
Maximum columns in an index:          32
Maximum size of a TOAST chunk:        1996
Size of a large-object chunk:         2048
Date/time type storage:               64-bit integers
Float8 argument passing:              by value
Data page checksum version:           0
Mock authentication nonce:            4b5703dae93ecd6e375c18dfb02deb59bfa03a835ae29718c2aeb954681525ad
";

    [Fact]
    public void A_whole_output_is_understood()
    {
        ControlData? data = ControlData.Parse(Sample, 15, out string? missing);
        Assert.NotNull(data);
        Assert.Null(missing);
        Assert.NotEqual(0u, data.SystemIdentifier);
        Assert.Equal(ClusterRunState.ShutDown, data.State);
        Assert.True(data.IsCleanShutdown);
        Assert.Equal(new TimelineId(1), data.CheckpointTimeline);
        Assert.True(data.CheckpointLocation.IsValid);
        Assert.False(data.MinRecoveryEnd.IsValid);
        Assert.Equal(16 * 1024 * 1024, data.WalSegmentSizeBytes);
        Assert.False(data.AllowsRewind);
        Assert.Equal(new StandbyLimits(100, 8, 10, 0, 64), data.Limits);
    }

    [Theory]
    [InlineData("Database system identifier")]
    [InlineData("Latest checkpoint location")]
    [InlineData("Latest checkpoint's TimeLineID")]
    [InlineData("Minimum recovery ending location")]
    [InlineData("max_locks_per_xact setting")]
    [InlineData("wal_log_hints setting")]
    public void A_missing_line_is_named(string line)
    {
        Assert.Null(ControlData.Parse(Sample.Replace(line, "Something else"), 15, out string? missing));
        Assert.Equal(line, missing);
    }

    [Theory]
    [InlineData("shut down in recovery", ClusterRunState.ShutDownInRecovery, true)]
    [InlineData("in archive recovery", ClusterRunState.InArchiveRecovery, false)]
    [InlineData("in production", ClusterRunState.InProduction, false)]
    [InlineData("in crash recovery", ClusterRunState.InCrashRecovery, false)]
    [InlineData("a word of the future", ClusterRunState.Unknown, false)]
    public void States_are_recognised_and_unknown_ones_are_not_clean(string text, ClusterRunState state, bool clean)
    {
        ControlData? data = ControlData.Parse(Sample.Replace("shut down", text), 15, out _);
        Assert.Equal(state, data!.State);
        Assert.Equal(clean, data.IsCleanShutdown);
    }
}
