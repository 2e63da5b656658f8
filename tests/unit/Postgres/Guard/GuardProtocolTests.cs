using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.UnitTests.Postgres.Guard;

public sealed class GuardProtocolTests
{
    private static readonly GuardMessage[] Messages =
    [
        new GuardMessage.Hello(1, 3, "1.2.3+abc"),
        new GuardMessage.Lease(new(new(2, 77), 123_456, false), true) { Id = 5 },
        new GuardMessage.Lease(null, false) { Id = 6 },
        new GuardMessage.Promote(new(new(2, 77), new TimelineId(4), new("node1"), new Incarnation(99))) { Id = 8 },
        new GuardMessage.End { Id = 9 },
        new GuardMessage.Ping { Id = 10 },
        new GuardMessage.Done(10, null, 4711),
        new GuardMessage.Done(11, "the lease is over; ü", 0),
        new GuardMessage.Fenced(),
    ];

    public static TheoryData<int> Each => [.. Enumerable.Range(0, Messages.Length)];

    [Theory]
    [MemberData(nameof(Each))]
    public void A_message_comes_out_as_it_went_in_also_with_what_a_later_version_appended(int index)
    {
        byte[] bytes = GuardCodec.Encode(Messages[index]);
        Assert.Equal(Messages[index], GuardCodec.Decode(bytes));
        Assert.Equal(Messages[index], GuardCodec.Decode([.. bytes, 1, 2, 3]));
    }

    [Fact]
    public void Orders_and_greetings_with_lists_come_out_as_they_went_in()
    {
        var order = new LaunchOrder(new(LaunchMode.Primary, new(1, 5), ["--port=5432", ""]), "/bin/postgres", "/log", ["A=1", "B=x y"]);
        LaunchOrder read = Assert.IsType<GuardMessage.Launch>(GuardCodec.Decode(GuardCodec.Encode(new GuardMessage.Launch(order) { Id = 7 }))).Order;
        Assert.True(order.Request.Options.SequenceEqual(read.Request.Options));
        Assert.True(order.Environment.SequenceEqual(read.Environment));
        Assert.Equal((order.Request.Mode, order.Request.Epoch, order.ServerBinary, order.LogFile), (read.Request.Mode, read.Request.Epoch, read.ServerBinary, read.LogFile));
        var welcome = new GuardMessage.Welcome(1, "v", true, new(1, 5), 42, 99, ["a", "b"]);
        GuardMessage.Welcome back = Assert.IsType<GuardMessage.Welcome>(GuardCodec.Decode(GuardCodec.Encode(welcome)));
        Assert.True(welcome.Notes.SequenceEqual(back.Notes));
        Assert.Equal(welcome with { Notes = [] }, back with { Notes = [] });
    }

    [Theory]
    [MemberData(nameof(Each))]
    public void A_message_that_was_cut_anywhere_is_no_message(int index)
    {
        byte[] bytes = GuardCodec.Encode(Messages[index]);
        for (int length = 0; length < bytes.Length; length++) Assert.Null(GuardCodec.Decode(bytes.AsSpan(0, length)));
    }

    [Fact]
    public void Noise_is_no_message_and_never_an_exception()
    {
        var random = new Random(4);
        byte[] noise = new byte[64];
        for (int i = 0; i < 20_000; i++)
        {
            random.NextBytes(noise);
            noise[0] = (byte)(i % 16);
            GuardCodec.Decode(noise);
        }
        Assert.Null(GuardCodec.Decode([99, 1, 2]));
    }

    [Fact]
    public void A_lease_comes_back_from_its_file_only_whole_and_on_the_same_boot()
    {
        HeldLease lease = new(new(3, 1234), 987_654, true);
        string text = LeaseFile.Format(lease, "boot");
        Assert.Equal(lease, LeaseFile.Parse(text, "boot"));
        Assert.Null(LeaseFile.Parse(text, "another boot"));
        Assert.Null(LeaseFile.Parse("", "boot"));
        for (int i = 0; i < text.Length; i++)
        {
            Assert.Null(LeaseFile.Parse(text[..i], "boot"));
            Assert.Null(LeaseFile.Parse(text[..i] + (text[i] == '7' ? '8' : '7') + text[(i + 1)..], "boot"));
        }
    }

    [Fact]
    public void A_lease_file_is_replaced_removed_and_read_again()
    {
        string data = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var files = new GuardFiles(data);
        Assert.Null(files.Prepare());
        try
        {
            var file = new LeaseFile(data);
            Assert.Null(file.Read());
            Assert.True(file.Write(new(new(1, 2), 100, false)));
            Assert.True(file.Write(new(new(1, 3), 200, false)));
            Assert.Equal(new HeldLease(new(1, 3), 200, false), file.Read());
            Assert.True(file.Write(null));
            Assert.Null(file.Read());
            Assert.InRange(files.Socket.Length, 1, 107);
        }
        finally
        {
            files.Remove();
        }
    }

    [Fact]
    public void A_directory_that_others_may_enter_is_refused()
    {
        string data = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var files = new GuardFiles(data);
        Directory.CreateDirectory(files.Directory);
        try
        {
            File.SetUnixFileMode(files.Directory, (UnixFileMode)0b111_111_111);
            Assert.NotNull(files.Prepare());
        }
        finally
        {
            files.Remove();
        }
    }
}
