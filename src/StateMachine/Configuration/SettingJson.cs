using System.Buffers;
using System.Collections.Immutable;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Patroni.Raft.StateMachine;

/// <summary>JSON to and from <see cref="SettingValue"/>; numbers keep their digits, keys their order.</summary>
public static class SettingJson
{
    private static readonly JsonDocumentOptions ReadOptions = new() { AllowDuplicateProperties = false };

    // Dynamic configuration is shown to people: text stays readable, and equal input gives equal bytes on every node.
    private static readonly JsonWriterOptions WriteOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads a JSON object; anything else is reported as a problem.</summary>
    public static SettingMap? ParseObject(string json, ICollection<ConfigurationProblem> problems)
    {
        try
        {
            using var document = JsonDocument.Parse(json, ReadOptions);
            var value = Convert(document.RootElement);
            if (value is SettingMap map)
            {
                return map;
            }

            problems.Add(new("", $"must be a JSON object, not {value.Describe()}", ConfigurationProblemKind.WrongType));
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // Escaped halves of surrogate pairs are syntactically JSON and cannot be a text: a refusal like any other, for every node alike.
            problems.Add(new("", "contains a text that is not Unicode", ConfigurationProblemKind.Syntax));
        }
        catch (JsonException e)
        {
            problems.Add(new("", $"is not valid JSON (line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1})",
                ConfigurationProblemKind.Syntax, (int)(e.LineNumber + 1 ?? 0)));
        }

        return null;
    }

    /// <summary>The tree of a JSON element.</summary>
    public static SettingValue Convert(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => new SettingMap(
            [.. element.EnumerateObject().Select(p => new SettingEntry(p.Name, Convert(p.Value), 0))]),
        JsonValueKind.Array => new SettingList([.. element.EnumerateArray().Select(Convert)]),
        JsonValueKind.String => new SettingScalar(element.GetString()!, SettingScalarKind.Text),
        JsonValueKind.Number => new SettingScalar(element.GetRawText(), SettingScalarKind.Number),
        JsonValueKind.True => new SettingScalar("true", SettingScalarKind.Boolean),
        JsonValueKind.False => new SettingScalar("false", SettingScalarKind.Boolean),
        _ => new SettingNull(),
    };

    /// <summary>Compact JSON of a tree.</summary>
    public static string Write(SettingValue value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, WriteOptions))
        {
            Write(writer, value);
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void Write(Utf8JsonWriter writer, SettingValue value)
    {
        switch (value)
        {
            case SettingMap map:
                writer.WriteStartObject();
                foreach (var entry in map.Entries)
                {
                    writer.WritePropertyName(entry.Key);
                    Write(writer, entry.Value);
                }

                writer.WriteEndObject();
                break;
            case SettingList list:
                writer.WriteStartArray();
                foreach (var item in list.Items)
                {
                    Write(writer, item);
                }

                writer.WriteEndArray();
                break;
            case SettingScalar { Kind: SettingScalarKind.Boolean } scalar:
                writer.WriteBooleanValue(SettingReader.Boolean(scalar) ?? false);
                break;
            case SettingScalar { Kind: SettingScalarKind.Number } scalar when SettingReader.IsJsonNumber(scalar.Text):
                writer.WriteRawValue(scalar.Text);
                break;
            case SettingScalar scalar:
                writer.WriteStringValue(scalar.Text);
                break;
            default:
                writer.WriteNullValue();
                break;
        }
    }
}
