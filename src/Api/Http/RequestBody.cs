using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;

namespace Patroni.Raft.Api.Http;

/// <summary>A request's JSON object, or the sentence with which it is refused (400).</summary>
/// <param name="Root">The object; undefined when refused.</param>
/// <param name="Text">Its text as sent.</param>
/// <param name="Refusal">Why it cannot be used.</param>
internal readonly record struct JsonBody(JsonElement Root, string Text, string? Refusal);

/// <summary>Reads request bodies of bounded size and checks them wholly before anybody acts on them.</summary>
internal static class RequestBody
{
    /// <summary>The most that is accepted, in bytes.</summary>
    public const int Limit = 1024 * 1024;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>Reads a JSON object.</summary>
    /// <param name="context">The request.</param>
    /// <param name="optional">Whether no body, or an empty object, is fine; it counts as an empty object.</param>
    public static async Task<JsonBody> ReadObjectAsync(HttpContext context, bool optional)
    {
        byte[]? bytes = await ReadAsync(context, Limit);
        if (bytes is null) return Refuse($"The request body is bigger than {Limit} bytes.");
        if (bytes.Length == 0) return optional ? ParseObject("{}"u8.ToArray(), true) : Refuse("The request needs a JSON object as its body.");
        return ParseObject(bytes, optional);
    }

    /// <summary>The whole body, or null when it is bigger than <paramref name="limit"/> bytes.</summary>
    public static async Task<byte[]?> ReadAsync(HttpContext context, int limit)
    {
        if (context.Request.ContentLength > limit) return null;
        PipeReader reader = context.Request.BodyReader;
        while (true)
        {
            ReadResult read = await reader.ReadAsync(context.RequestAborted);
            if (read.Buffer.Length > limit)
            {
                reader.AdvanceTo(read.Buffer.End);
                return null;
            }
            if (read.IsCompleted)
            {
                byte[] bytes = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return bytes;
            }
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static JsonBody ParseObject(byte[] bytes, bool optional)
    {
        if (!Utf8.IsValid(bytes)) return Refuse("The request body is not UTF-8.");
        try
        {
            JsonElement root;
            using (JsonDocument document = JsonDocument.Parse(bytes, Strict)) root = document.RootElement.Clone();
            if (root.ValueKind != JsonValueKind.Object) return Refuse($"The request body must be a JSON object, not {Describe(root)}.");
            if (!optional && !root.EnumerateObject().Any()) return Refuse("The request body is an empty object; there is nothing to do.");
            ReadAllText(root);
            return new(root, System.Text.Encoding.UTF8.GetString(bytes), null);
        }
        catch (JsonException error)
        {
            string where = error.LineNumber is { } line ? $" (line {line + 1}, byte {error.BytePositionInLine + 1})" : "";
            return Refuse($"The request body is not valid JSON{where}.");
        }
        catch (InvalidOperationException)
        {
            return Refuse("The request body has text with half of a surrogate pair (\\ud800 to \\udfff); that is no Unicode text.");
        }
    }

    /// <summary>What a client sent instead, for a refusal.</summary>
    public static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "text",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };

    /// <summary>
    /// Escapes such as \ud800 pass the parser and throw where the text is used; such text must not reach the replicated log.
    /// </summary>
    /// <exception cref="InvalidOperationException">A text is none.</exception>
    private static void ReadAllText(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            value.GetString();
        }
        else if (value.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in value.EnumerateArray()) ReadAllText(item);
        }
        else if (value.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in value.EnumerateObject())
            {
                _ = property.Name;
                ReadAllText(property.Value);
            }
        }
    }

    private static JsonBody Refuse(string sentence) => new(default, "", sentence);
}
