using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Postgres;

public sealed class MarkerTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("marker-").FullName;

    [Fact]
    public void A_promotion_marker_is_own_foreign_damaged_or_absent()
    {
        NodeName self = new("node 1"), other = new("node2");
        Incarnation life = new(0xabcdef);
        Assert.IsType<PromotionMarkerState.None>(PromotionMarker.Read(_directory, self, life));
        PromotionMarker marker = new(new(2, 4711), new(3), self, life);
        marker.Write(_directory);
        Assert.Equal(marker, Assert.IsType<PromotionMarkerState.Own>(PromotionMarker.Read(_directory, self, life)).Marker);
        Assert.IsType<PromotionMarkerState.Foreign>(PromotionMarker.Read(_directory, other, life));
        Assert.IsType<PromotionMarkerState.Foreign>(PromotionMarker.Read(_directory, self, new(1)));
        string path = Path.Combine(_directory, PromotionMarker.FileName);
        File.WriteAllText(path, File.ReadAllText(path)[..10]);
        Assert.IsType<PromotionMarkerState.Damaged>(PromotionMarker.Read(_directory, self, life));
        PromotionMarker.Remove(_directory);
        Assert.IsType<PromotionMarkerState.None>(PromotionMarker.Read(_directory, self, life));
    }

    [Fact]
    public void The_mark_of_whom_a_replica_follows_is_its_own_copied_damaged_or_absent()
    {
        NodeName self = new("node 1"), other = new("node2");
        Incarnation life = new(0xabcdef);
        Assert.Null(FollowingFile.Read(_directory, self, life));
        Assert.Null(FollowingFile.ReadCopied(_directory));
        FollowMark mark = new(new(2, 4711), new(3), 815);
        FollowingFile.Write(_directory, mark, self, life);
        Assert.Equal(mark, FollowingFile.Read(_directory, self, life));
        Assert.Null(FollowingFile.Read(_directory, other, life));
        Assert.Null(FollowingFile.Read(_directory, self, new(1)));
        Assert.Equal(mark, FollowingFile.ReadCopied(_directory));
        string path = Path.Combine(_directory, FollowingFile.FileName);
        File.WriteAllText(path, File.ReadAllText(path)[..10]);
        Assert.Equal(new FollowMark(Epoch.None, default, 0), FollowingFile.Read(_directory, self, life));
        Assert.Null(FollowingFile.ReadCopied(_directory));
    }

    [Fact]
    public void The_newest_wal_is_that_of_the_highest_timeline_of_a_segment_or_history_file()
    {
        Assert.Equal(default, DataDirectory.NewestWal(_directory));
        string wal = Directory.CreateDirectory(Path.Combine(_directory, "pg_wal")).FullName;
        Assert.Equal(default, DataDirectory.NewestWal(_directory));
        Directory.CreateDirectory(Path.Combine(wal, "archive_status"));
        File.WriteAllText(Path.Combine(wal, "xlogtemp.4711"), "");
        File.WriteAllText(Path.Combine(wal, "000000020000000000000003"), "");
        Assert.Equal(new TimelineId(2), DataDirectory.NewestWal(_directory));
        File.WriteAllText(Path.Combine(wal, "0000000A000000000000000F.partial"), "");
        Assert.Equal(new TimelineId(10), DataDirectory.NewestWal(_directory));
        File.WriteAllText(Path.Combine(wal, "0000000B.history"), "");
        Assert.Equal(new TimelineId(11), DataDirectory.NewestWal(_directory));
    }

    [Fact]
    public void Data_is_unused_until_a_checkpoint_follows_the_one_that_ended_its_initialization()
    {
        NodeName self = new("a");
        Incarnation life = new(0xabcdef);
        ControlData control = Control("shut down", "0/1700028");

        static ControlData Control(string state, string checkpoint) => ControlData.Parse(
            ControlDataTests.Sample.Replace("shut down", state).Replace("location:           0/1500718", $"location:           {checkpoint}"), 15, out _)!;

        Assert.False(UnusedData.IsUnused(_directory, control, self, life));
        UnusedData.Mark(_directory, control, self, life);
        Assert.True(UnusedData.IsUnused(_directory, control, self, life));
        Assert.False(UnusedData.IsUnused(_directory, control, new("b"), life));
        Assert.False(UnusedData.IsUnused(_directory, control, self, new(1)));
        Assert.False(UnusedData.IsUnused(_directory, Control("in production", "0/1700028"), self, life));
        Assert.False(UnusedData.IsUnused(_directory, Control("shut down", "0/17000A0"), self, life));
    }

    [Fact]
    public void An_incarnation_belongs_to_one_node_and_is_drawn_anew()
    {
        NodeName self = new("a");
        Assert.Equal(Incarnation.None, DataIncarnation.Read(_directory, self));
        Incarnation first = DataIncarnation.ReadOrDraw(_directory, self);
        Assert.NotEqual(Incarnation.None, first);
        Assert.Equal(first, DataIncarnation.ReadOrDraw(_directory, self));
        Assert.Equal(Incarnation.None, DataIncarnation.Read(_directory, new("b")));
        Assert.NotEqual(first, DataIncarnation.Draw(_directory, self));
    }

    [Fact]
    public void Unfinished_work_is_found_for_its_directory_only_and_damage_counts_as_unfinished()
    {
        DirectoryWork.Begin(_directory, DirectoryWorkKind.Rewind, "/data/x", "host:1\nevil");
        DirectoryWork? work = DirectoryWork.Find(_directory, "/data/x");
        Assert.Equal((DirectoryWorkKind.Rewind, "host:1 evil"), (work!.Kind, work.Source));
        Assert.Null(DirectoryWork.Find(_directory, "/data/y"));
        File.WriteAllText(DirectoryWork.PathIn(_directory), "Rew");
        Assert.Equal(DirectoryWorkKind.Clone, DirectoryWork.Find(_directory, "/data/x")!.Kind);
        DirectoryWork.Abandon(_directory);
        Assert.Null(DirectoryWork.Find(_directory, "/data/x"));
    }

    [Fact]
    public void Durable_files_are_private_and_replaced_whole()
    {
        string path = Path.Combine(_directory, "secret");
        Assert.True(DurableFile.WriteIfChanged(path, "one"));
        Assert.False(DurableFile.WriteIfChanged(path, "one"));
        Assert.True(DurableFile.WriteIfChanged(path, "two"));
        Assert.Equal("two", File.ReadAllText(path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Single(Directory.GetFiles(_directory));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);
}
