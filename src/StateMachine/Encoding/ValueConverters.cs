using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>JSON form of values that are one text each; also used for keys of maps.</summary>
/// <typeparam name="T">The value type.</typeparam>
public abstract class TextValueConverter<T> : JsonConverter<T>
{
    /// <summary>Text of a value.</summary>
    protected abstract string Format(T value);

    /// <summary>Value of a text.</summary>
    /// <exception cref="FormatException">The text is none.</exception>
    protected abstract T Parse(string text);

    /// <inheritdoc/>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => ParseChecked(reader.GetString());

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(Format(value));

    /// <inheritdoc/>
    public override T ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => ParseChecked(reader.GetString());

    /// <inheritdoc/>
    public override void WriteAsPropertyName(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WritePropertyName(Format(value));

    private T ParseChecked(string? text)
    {
        try
        {
            return Parse(text ?? throw new FormatException("null"));
        }
        catch (Exception error) when (error is FormatException or OverflowException)
        {
            throw new JsonException($"'{text}' is not a {typeof(T).Name}.", error);
        }
    }

    /// <summary>Splits <c>generation.index</c>.</summary>
    protected static (uint Generation, long Index) ParsePair(string text)
    {
        int dot = text.IndexOf('.');
        if (dot <= 0) throw new FormatException(text);
        return (uint.Parse(text.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture),
            long.Parse(text.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture));
    }
}

/// <summary>JSON form of <see cref="NodeName"/>.</summary>
public sealed class NodeNameConverter : TextValueConverter<NodeName>
{
    /// <inheritdoc/>
    protected override string Format(NodeName value) => value.Value;
    /// <inheritdoc/>
    protected override NodeName Parse(string text) => new(text);
}

/// <summary>JSON form of <see cref="Lsn"/>: PostgreSQL's text.</summary>
public sealed class LsnConverter : TextValueConverter<Lsn>
{
    /// <inheritdoc/>
    protected override string Format(Lsn value) => value.ToString();
    /// <inheritdoc/>
    protected override Lsn Parse(string text) => Lsn.Parse(text);
}

/// <summary>JSON form of <see cref="Epoch"/>.</summary>
public sealed class EpochConverter : TextValueConverter<Epoch>
{
    /// <inheritdoc/>
    protected override string Format(Epoch value) => value.ToString();
    /// <inheritdoc/>
    protected override Epoch Parse(string text)
    {
        (uint generation, long index) = ParsePair(text);
        return new(generation, index);
    }
}

/// <summary>JSON form of <see cref="VacancyId"/>.</summary>
public sealed class VacancyIdConverter : TextValueConverter<VacancyId>
{
    /// <inheritdoc/>
    protected override string Format(VacancyId value) => value.ToString();
    /// <inheritdoc/>
    protected override VacancyId Parse(string text)
    {
        (uint generation, long index) = ParsePair(text);
        return new(generation, index);
    }
}

/// <summary>JSON form of <see cref="Incarnation"/>: 16 hexadecimal digits.</summary>
public sealed class IncarnationConverter : TextValueConverter<Incarnation>
{
    /// <inheritdoc/>
    protected override string Format(Incarnation value) => value.ToString();
    /// <inheritdoc/>
    protected override Incarnation Parse(string text) => new(ulong.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
}

/// <summary>JSON form of <see cref="CommandId"/>: proposer, hyphen, sequence.</summary>
public sealed class CommandIdConverter : TextValueConverter<CommandId>
{
    /// <inheritdoc/>
    protected override string Format(CommandId value) => value.ToString();
    /// <inheritdoc/>
    protected override CommandId Parse(string text)
    {
        int hyphen = text.IndexOf('-');
        if (hyphen != 16) throw new FormatException(text);
        return new(ulong.Parse(text.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
            ulong.Parse(text.AsSpan(17), NumberStyles.None, CultureInfo.InvariantCulture));
    }
}

/// <summary>JSON form of <see cref="TimelineId"/>: a number.</summary>
public sealed class TimelineIdConverter : JsonConverter<TimelineId>
{
    /// <inheritdoc/>
    public override TimelineId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetUInt32());
    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, TimelineId value, JsonSerializerOptions options) => writer.WriteNumberValue(value.Value);
}
