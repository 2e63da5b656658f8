using System.Collections.Frozen;
using System.Text.Json;

namespace Patroni.Raft.Api.Documents;

/// <summary>A node's <c>tags</c> section for <c>?tag_key=value</c>: texts as written, anything else in lower case (api.py, do_GET).</summary>
internal sealed class NodeTags
{
    private readonly FrozenDictionary<string, string> texts;

    private NodeTags(Dictionary<string, string> texts) => this.texts = texts.ToFrozenDictionary(StringComparer.Ordinal);

    public bool IsEmpty => texts.Count == 0;

    /// <summary>The value of a tag; null when it is not set.</summary>
    public string? this[string key] => texts.GetValueOrDefault(key);

    public static NodeTags Parse(string json)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        if (json.Length <= 2) return new(texts);
        using JsonDocument document = JsonDocument.Parse(json);
        foreach (JsonProperty tag in document.RootElement.EnumerateObject())
        {
            if (tag.Value.ValueKind == JsonValueKind.String) texts[tag.Name] = tag.Value.GetString()!;
            else if (tag.Value.ValueKind != JsonValueKind.Null) texts[tag.Name] = tag.Value.GetRawText().ToLowerInvariant();
        }
        return new(texts);
    }
}
