using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>JSON files to <see cref="SettingValue"/> with line numbers, which <see cref="JsonDocument"/> does not keep.</summary>
internal ref struct JsonDocumentReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly string _source;
    private Utf8JsonReader _reader;
    private long _counted;
    private int _line = 1;

    private JsonDocumentReader(ReadOnlySpan<byte> bytes, string source)
    {
        _bytes = bytes;
        _source = source;
        _reader = new Utf8JsonReader(bytes, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip });
    }

    /// <summary>Reads one JSON object.</summary>
    public static SettingMap? Read(string text, string source, ICollection<ConfigurationProblem> problems)
    {
        var reader = new JsonDocumentReader(Encoding.UTF8.GetBytes(text), source);
        try
        {
            reader._reader.Read();
            var value = reader.Value();
            reader._reader.Read(); // Throws on anything behind the object.
            if (value is SettingMap map)
            {
                return map;
            }

            problems.Add(new("", $"must be an object of settings, not {value.Describe()}", ConfigurationProblemKind.WrongType, value.Line, source));
        }
        catch (JsonException e)
        {
            var message = e.Message.Split(" LineNumber:")[0].TrimEnd('.');
            problems.Add(new("", "is not valid JSON: " + message, ConfigurationProblemKind.Syntax, (int)(e.LineNumber ?? 0) + 1, source));
        }

        return null;
    }

    private SettingValue Value()
    {
        var line = Line();
        switch (_reader.TokenType)
        {
            case JsonTokenType.StartObject:
                return Map(line);
            case JsonTokenType.StartArray:
                var items = ImmutableArray.CreateBuilder<SettingValue>();
                while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
                {
                    items.Add(Value());
                }

                return new SettingList(items.ToImmutable(), line, _source);
            case JsonTokenType.String:
                return new SettingScalar(_reader.GetString()!, SettingScalarKind.Text, line, _source);
            case JsonTokenType.Number:
                return new SettingScalar(Encoding.UTF8.GetString(_reader.ValueSpan), SettingScalarKind.Number, line, _source);
            case JsonTokenType.True:
                return new SettingScalar("true", SettingScalarKind.Boolean, line, _source);
            case JsonTokenType.False:
                return new SettingScalar("false", SettingScalarKind.Boolean, line, _source);
            default:
                return new SettingNull(line, _source);
        }
    }

    private SettingMap Map(int line)
    {
        var entries = ImmutableArray.CreateBuilder<SettingEntry>();
        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = _reader.GetString()!;
            var keyLine = Line();
            if (entries.Any(e => e.Key == key))
            {
                throw new JsonException($"the key '{key}' stands twice in one object", null, keyLine - 1, null);
            }

            _reader.Read();
            entries.Add(new(key, Value(), keyLine));
        }

        return new SettingMap(entries.ToImmutable(), line, _source);
    }

    private int Line()
    {
        var at = _reader.TokenStartIndex;
        _line += _bytes[(int)_counted..(int)at].Count((byte)'\n');
        _counted = at;
        return _line;
    }
}
