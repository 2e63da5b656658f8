using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Patroni.Raft.IntegrationTests.Cluster.Harness;
using Xunit;

namespace Patroni.Raft.IntegrationTests.Api;

/// <summary>Every example of docs/rest-api.md is asked of the live cluster; documents must still have the keys and types that the page shows, texts their words.</summary>
[Collection(ApiClusterCollection.Name)]
public sealed partial class DocumentationTests(ApiCluster api)
{
    [Fact]
    public Task Every_example_is_what_the_program_answers() => api.RunAsync(async cluster =>
    {
        await api.ConfigureAsync(ApiCluster.RecordedConfig);
        var printed = new StringBuilder();
        var wrong = new List<string>();
        foreach (DocumentedExample example in DocumentedExample.All)
        {
            await cluster.WholeAsync();
            string here = await AskAsync(cluster, example);
            printed.Append("$ ").Append(example.Command).Append('\n').Append(here).Append('\n');
            string found = Shape(example, here), shown = Shape(example, example.Output);
            if (found != shown) wrong.Add($"$ {example.Command}\nprints   {found}\nnot      {shown}");
        }
        // For whoever writes the page: what to paste into it.
        if (Environment.GetEnvironmentVariable("API_EXAMPLES") is { Length: > 0 } file) await File.WriteAllTextAsync(file, printed.ToString());
        Assert.True(wrong.Count == 0, string.Join("\n\n", wrong));
    });

    [Fact]
    public void Every_endpoint_has_an_example()
    {
        using JsonDocument description = JsonDocument.Parse(Repository.Read("src/Api/OpenApi/openapi.json"));
        var without = new List<string>();
        foreach (JsonProperty path in description.RootElement.GetProperty("paths").EnumerateObject())
        {
            foreach (JsonProperty method in path.Value.EnumerateObject())
            {
                // Health checks are one table: GET stands for the other methods.
                if (method.Name is "head" or "options") continue;
                string pattern = "^" + Regex.Escape(path.Name).Replace("\\{member}", "[^/?]+") + "([?].*)?$";
                if (!DocumentedExample.All.Any(example => (example.Method == "HEAD" ? "get" : example.Method.ToLowerInvariant()) == method.Name && Regex.IsMatch(example.Path, pattern)))
                    without.Add($"{method.Name.ToUpperInvariant()} {path.Name}");
            }
        }
        Assert.True(without.Count == 0, $"no example of {string.Join(", ", without)}");
    }

    private static async Task<string> AskAsync(TestCluster cluster, DocumentedExample example)
    {
        // What concerns the Raft group is asked of its leader.
        TestNode first = example.Path.StartsWith("/raft/", StringComparison.Ordinal) ? await cluster.RaftLeaderAsync() : await cluster.PrimaryAsync();
        TestNode[] nodes = [first, .. cluster.DataNodes.Where(node => node != first)];
        TestNode asked = nodes[example.ToReplica ? 1 : 0];
        // The page's node1 leads, and its cluster is called main.
        string Here(string text) => NodeName().Replace(text, name => nodes[int.Parse(name.Groups[1].Value) - 1].Name);
        string There(string text) => NodeName().Replace(text, name => $"node{Array.FindIndex(nodes, node => node.Name == name.Value) + 1}").Replace($"\"{TestCluster.Scope}\"", "\"main\"", StringComparison.Ordinal);
        if (example.Path.StartsWith("/events/stream", StringComparison.Ordinal)) return There(await StreamAsync(asked, example));
        RawAnswer answer = await RawHttp.SendAsync(asked.ApiPort, example.Method, Here(example.Path), example.Body is null ? null : Here(example.Body));
        string text = example.Method == "HEAD" ? string.Join('\n', (string[])[answer.StatusLine, .. answer.Headers.Select(header => $"{header.Key}: {header.Value}")]) : answer.Body;
        if (example.StatusShown) text += $" [{answer.Status}]";
        if (example.Lines is { } lines) text = string.Join('\n', text.Split('\n').Take(lines));
        return There(text.TrimEnd('\n'));
    }

    private static async Task<string> StreamAsync(TestNode node, DocumentedExample example)
    {
        using var client = new HttpClient();
        using HttpResponseMessage response = await client.GetAsync(node.ApiUrl + example.Path, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var lines = new List<string>();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (lines.Count < example.Lines) lines.Add((await reader.ReadLineAsync(limit.Token))!);
        return string.Join('\n', lines).TrimEnd('\n');
    }

    /// <summary>Documents as their keys and types, numbers and times as their form.</summary>
    private static string Shape(DocumentedExample example, string text)
    {
        if (example.Lines is null && text is ['{' or '[', ..])
        {
            string[] parts = Status().Split(text);
            using JsonDocument document = JsonDocument.Parse(parts[0]);
            return Shape("", document.RootElement) + string.Concat(parts.Skip(1));
        }
        return string.Join('\n', text.Split('\n').Select(static line =>
            line.StartsWith("HTTP/", StringComparison.Ordinal) ? line : line.StartsWith("data: ", StringComparison.Ordinal) ? "data: {...}" : Number().Replace(line, "#")));
    }

    private static string Shape(string key, JsonElement value) => (key, value.ValueKind) switch
    {
        // Every type of event has fields of its own; these two are null as long as there is nothing to tell.
        ("event", _) => "event",
        ("last_seen_ms" or "replayed_timestamp", _) => "optional",
        (_, JsonValueKind.Object) => "{" + string.Join(", ", value.EnumerateObject().Select(property => $"{property.Name}: {Shape(property.Name, property.Value)}")) + "}",
        // Elements of one list look alike in all but what is optional: the first stands for them.
        (_, JsonValueKind.Array) => value.GetArrayLength() == 0 ? "[]" : $"[{Shape("", value[0])}]",
        (_, JsonValueKind.True or JsonValueKind.False) => "boolean",
        _ => value.ValueKind.ToString().ToLowerInvariant(),
    };

    [GeneratedRegex(@"\bnode([1-3])\b")]
    private static partial Regex NodeName();

    [GeneratedRegex(@"( \[\d{3}\])$")]
    private static partial Regex Status();

    // A status in brackets is not a number like others.
    [GeneratedRegex(@"\d+(\.\d+)*(?!\d*\]$)")]
    private static partial Regex Number();
}
