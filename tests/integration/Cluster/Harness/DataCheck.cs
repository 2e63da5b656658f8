using Npgsql;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Cluster.Harness;

/// <summary>What must hold after every bad day: no acknowledged row lost, every node with the same rows, one lineage of timelines.</summary>
internal static class DataCheck
{
    /// <summary>Stops the writer, waits until the cluster is whole and checks.</summary>
    public static async Task VerifyAsync(this TestCluster cluster, Writer writer)
    {
        await writer.StopAsync();
        await cluster.WholeAsync();
        TestNode primary = await cluster.PrimaryAsync();
        HashSet<long> there = await RowsAsync(primary);
        long[] lost = [.. writer.AcknowledgedRows.Where(row => !there.Contains(row))];
        Assert.True(lost.Length == 0, $"{lost.Length} of {writer.Acknowledged} acknowledged rows are lost: {string.Join(", ", lost.Take(20))}; failed writes: {string.Join(" | ", writer.Failures)}");
        await SameRowsAsync(cluster, primary, there);
        OneLineage(cluster);
    }

    /// <summary>Every replica ends up with exactly the primary's rows.</summary>
    private static async Task SameRowsAsync(TestCluster cluster, TestNode primary, HashSet<long> expected)
    {
        await cluster.CaughtUpAsync();
        foreach (TestNode replica in cluster.DataNodes.Where(node => node != primary))
        {
            HashSet<long> there = await RowsAsync(replica);
            Assert.True(there.SetEquals(expected), $"{replica.Name} has {there.Count} rows, {primary.Name} has {expected.Count}");
        }
    }

    /// <summary>Nodes that know the history of a timeline must know the same: two promotions to one number would differ here.</summary>
    private static void OneLineage(TestCluster cluster)
    {
        var histories = new Dictionary<string, (string Node, string Text)>();
        foreach (TestNode node in cluster.DataNodes)
        {
            foreach (string file in Directory.EnumerateFiles(Path.Combine(node.DataDirectory, "pg_wal"), "*.history"))
            {
                string name = Path.GetFileName(file), text = File.ReadAllText(file);
                if (!histories.TryGetValue(name, out var known)) histories.Add(name, (node.Name, text));
                else Assert.True(known.Text == text, $"{name} of {known.Node} and {node.Name} differ:\n{known.Text}\n{text}");
            }
        }
        // Each timeline's ancestors are a prefix of those of the next: one line without branches.
        string previous = "";
        foreach ((_, (string node, string text)) in histories.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            string forks = string.Join('\n', text.Split('\n').Where(line => line.Trim().Length > 0).Select(line => string.Join(' ', line.Split('\t')[..2])));
            Assert.True(forks.StartsWith(previous, StringComparison.Ordinal), $"the lineage branches, says {node}:\n{previous}\nand\n{forks}");
            previous = forks;
        }
    }

    private static async Task<HashSet<long>> RowsAsync(TestNode node)
    {
        await using var connection = new NpgsqlConnection(node.ConnectionString());
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("SELECT id FROM written", connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        var rows = new HashSet<long>();
        while (await reader.ReadAsync()) rows.Add(reader.GetInt64(0));
        return rows;
    }
}
