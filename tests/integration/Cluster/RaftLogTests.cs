using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster;

/// <summary>A node starts with a damaged Raft log: what a crash can leave is repaired, anything else is refused; never an empty log instead.</summary>
[Collection(SharedClusterCollection.Name)]
public sealed class RaftLogTests(SharedCluster shared)
{
    [Fact]
    public Task A_torn_record_at_the_end_is_cut_off() => WithStoppedNode(async (cluster, node) =>
    {
        string segment = Segment(node);
        // Half of a record that was never acknowledged: a frame that promises more than follows.
        await using (FileStream file = new(segment, FileMode.Append)) file.Write([0x40, 0, 0, 0, 1, 2, 3, 4, 5]);
        long torn = new FileInfo(segment).Length;
        node.Start();
        await cluster.WholeAsync();
        Assert.True(node.AgentRuns);
        Assert.False(File.Exists(segment) && new FileInfo(segment).Length == torn);
    });

    [Fact]
    public Task A_bad_record_before_good_ones_is_refused_with_file_and_offset() => WithStoppedNode(async (cluster, node) =>
    {
        string segment = Segment(node);
        byte[] whole = await File.ReadAllBytesAsync(segment);
        byte[] bad = [.. whole];
        bad[whole.Length / 2] ^= 0x55;
        await File.WriteAllBytesAsync(segment, bad);

        ProductResult refused = await Product.RunAsync(cluster.Root, ["run", cluster.File, "--name", node.Name]);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains(segment, refused.Error, StringComparison.Ordinal);
        Assert.Matches(@"damaged at offset \d+", refused.Error);
        Assert.Contains("remove this member", refused.Error, StringComparison.Ordinal);
        Assert.Equal(bad, await File.ReadAllBytesAsync(segment));
        await File.WriteAllBytesAsync(segment, whole);
    });

    [Fact]
    public Task A_lost_Raft_directory_is_never_a_silent_empty_voter() => WithStoppedNode(async (cluster, node) =>
    {
        string kept = node.RaftDirectory + ".kept";
        Directory.Move(node.RaftDirectory, kept);
        ProductResult refused = await Product.RunAsync(cluster.Root, ["run", cluster.File, "--name", node.Name]);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("raft remove", refused.Error, StringComparison.Ordinal);
        if (Directory.Exists(node.RaftDirectory)) Directory.Delete(node.RaftDirectory, recursive: true);
        Directory.Move(kept, node.RaftDirectory);
    });

    private Task WithStoppedNode(Func<TestCluster, TestNode, Task> change) => shared.RunAsync(async cluster =>
    {
        await using Writer writer = await Writer.StartAsync(cluster);
        TestNode node = await cluster.ReplicaAsync();
        node.Crash();
        await change(cluster, node);
        node.Start();
        await cluster.VerifyAsync(writer);
        Assert.Empty(writer.Failures);
    });

    /// <summary>The segment that is written to.</summary>
    private static string Segment(TestNode node) => Directory.EnumerateFiles(node.RaftDirectory, "*.raft", SearchOption.AllDirectories)
        .Where(file => Path.GetFileName(file).StartsWith("log-", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Last();
}
