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
            wrong.AddRange(Compare(example, here).Select(difference => $"$ {example.Command}\n{difference}"));
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
        string There(string text) => NodeName().Replace(text, name => $"node{Array.FindIndex(nodes, node => node.Name == name.Value) + 1}").Replace(TestCluster.Scope, "main", StringComparison.Ordinal);
        if (example.Path.StartsWith("/events/stream", StringComparison.Ordinal)) return There(await StreamAsync(asked, example));
        using RawHttp connection = await RawHttp.ConnectAsync(asked.ApiPort);
        RawAnswer answer = await connection.SendAsync(example.Method, Here(example.Path), example.Body is null ? null : Encoding.UTF8.GetBytes(Here(example.Body)),
            example.WithToken ? $"Authorization: Bearer {TestCluster.Token}\r\n" : "");
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

    /// <summary>
    /// What the page shows and the program does not print. Texts must have the same words, documents every key that is shown, with its type; a document
    /// may have grown since (where it is Patroni's the contract test allows nothing).
    /// </summary>
    private static IEnumerable<string> Compare(DocumentedExample example, string here)
    {
        if (example.Lines is null && example.Output is ['{' or '[', ..] && here is ['{' or '[', ..])
        {
            string[] shown = Status().Split(example.Output), found = Status().Split(here);
            using JsonDocument left = JsonDocument.Parse(shown[0]), right = JsonDocument.Parse(found[0]);
            List<string> missing = [.. Missing("$", left.RootElement, right.RootElement)];
            if (string.Concat(shown.Skip(1)) != string.Concat(found.Skip(1))) missing.Add($"status{found[^1]}, not{shown[^1]}");
            return missing;
        }
        string Form(string text) => string.Join('\n', text.Split('\n').Select(static line =>
            line.StartsWith("HTTP/", StringComparison.Ordinal) ? line : line.StartsWith("data: ", StringComparison.Ordinal) ? "data: {...}" : Number().Replace(line, "#")));
        return Form(here) == Form(example.Output) ? [] : [$"prints {here}\nnot    {example.Output}"];
    }

    private static IEnumerable<string> Missing(string path, JsonElement shown, JsonElement here)
    {
        string key = path[(path.LastIndexOf('.') + 1)..];
        // Every type of event has fields of its own; the others are null as long as there is nothing to tell.
        if (key is "event" or "last_seen_ms" or "replayed_timestamp") return [];
        if (here.ValueKind == JsonValueKind.Undefined) return [$"{path} is missing"];
        if (Kind(shown) != Kind(here)) return [$"{path} is {here.GetRawText()}, not {shown.GetRawText()}"];
        if (shown.ValueKind == JsonValueKind.Object)
        {
            return shown.EnumerateObject().SelectMany(property => here.TryGetProperty(property.Name, out JsonElement value)
                ? Missing($"{path}.{property.Name}", property.Value, value)
                : [$"{path}.{property.Name} is missing"]);
        }
        if (shown.ValueKind != JsonValueKind.Array || shown.GetArrayLength() == 0) return [];
        if (here.GetArrayLength() == 0) return [$"{path} is empty"];
        // Elements of one list look alike, except for members: the leader has no lag.
        return shown[0].ValueKind == JsonValueKind.Object && shown[0].TryGetProperty("name", out _)
            ? shown.EnumerateArray().SelectMany(element => Missing($"{path}[{element.GetProperty("name")}]", element, Named(here, element.GetProperty("name").GetString())))
            : Missing($"{path}[0]", shown[0], here[0]);
    }

    private static JsonElement Named(JsonElement list, string? name) =>
        list.EnumerateArray().FirstOrDefault(element => element.TryGetProperty("name", out JsonElement its) && its.GetString() == name);

    private static string Kind(JsonElement value) => value.ValueKind is JsonValueKind.True or JsonValueKind.False ? "boolean" : value.ValueKind.ToString();

    [GeneratedRegex(@"\bnode([1-3])\b")]
    private static partial Regex NodeName();

    [GeneratedRegex(@"( \[\d{3}\])$")]
    private static partial Regex Status();

    // A status in brackets is not a number like others.
    [GeneratedRegex(@"\d+(\.\d+)*(?!\d*\]$)")]
    private static partial Regex Number();
}
