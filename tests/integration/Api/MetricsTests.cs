using System.Globalization;
using System.Text.RegularExpressions;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>The text of /metrics in the eyes of Prometheus' own Python client.</summary>
[Collection(ApiClusterCollection.Name)]
public sealed partial class MetricsTests(ApiCluster api)
{
    private const string Parse = """
        import sys
        from prometheus_client.parser import text_string_to_metric_families
        for family in text_string_to_metric_families(sys.stdin.read()):
            for sample in family.samples:
                print(family.type, family.name, sample.labels.get("scope"), sample.labels.get("name"), repr(float(sample.value)), bool(family.documentation))
        """;

    [Fact]
    public Task A_real_parser_reads_every_metric_of_every_node() => api.RunAsync(async cluster =>
    {
        foreach (TestNode node in cluster.Nodes)
        {
            RawAnswer answer = await RawHttp.SendAsync(node.ApiPort, "GET", "/metrics");
            Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer["Content-Type"]);
            ToolResult parsed = await Tool.RunAsync("/usr/bin/python3", ["-c", Parse], answer.Body);
            Assert.True(parsed.ExitCode == 0, parsed.Error);

            string[][] samples = [.. parsed.Output.TrimEnd('\n').Split('\n').Select(line => line.Split(' '))];
            Assert.Equal(answer.Body.TrimEnd('\n').Split('\n').Count(line => !line.StartsWith('#')), samples.Length);
            Assert.All(samples, sample =>
            {
                Assert.Contains(sample[0], (string[])["gauge", "counter", "histogram"]);
                Assert.Equal((TestCluster.Scope, node.Name, "True"), (sample[2], sample[3], sample[5]));
                Assert.True(double.IsFinite(double.Parse(sample[4], CultureInfo.InvariantCulture)), string.Join(' ', sample));
            });
            foreach (Match recorded in TypeLine().Matches(Recording.All.Single(recording => recording.Title == "GET /metrics on the leader").Body!))
                Assert.Contains(samples, sample => sample[1] == recorded.Groups[1].Value && sample[0] == recorded.Groups[2].Value);
            Assert.Contains(samples, sample => sample[1].StartsWith("patroni_raft_", StringComparison.Ordinal));
        }
    });

    [GeneratedRegex(@"^# TYPE (\S+) (\S+)$", RegexOptions.Multiline)]
    private static partial Regex TypeLine();
}
