using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Patroni.Raft.Api.Json;

/// <summary>
/// JSON exactly as Python's <c>json.dumps</c> prints it: <c>", "</c> and <c>": "</c> between the parts, everything beyond ASCII escaped.
/// Scripts that grep Patroni's answers depend on it, and System.Text.Json cannot write it.
/// </summary>
/// <param name="output">Where the bytes go.</param>
internal sealed class PythonJsonWriter(IBufferWriter<byte> output)
{
    private bool separate;

    /// <summary>The bytes that <paramref name="write"/> produces.</summary>
    public static byte[] ToBytes<T>(T argument, Action<PythonJsonWriter, T> write)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        write(new(buffer), argument);
        return buffer.WrittenSpan.ToArray();
    }

    public PythonJsonWriter BeginObject() => Open('{');

    public PythonJsonWriter EndObject() => Close('}');

    public PythonJsonWriter BeginArray() => Open('[');

    public PythonJsonWriter EndArray() => Close(']');

    public PythonJsonWriter Key(string name)
    {
        Separate();
        Quote(name);
        output.Write(": "u8);
        separate = false;
        return this;
    }

    public PythonJsonWriter Text(string? value)
    {
        if (value is null) return Null();
        Separate();
        Quote(value);
        return this;
    }

    public PythonJsonWriter Number(long value)
    {
        Separate();
        Span<byte> to = output.GetSpan(20);
        Utf8Formatter.TryFormat(value, to, out int written);
        output.Advance(written);
        return this;
    }

    public PythonJsonWriter Number(ulong value)
    {
        Separate();
        Span<byte> to = output.GetSpan(20);
        Utf8Formatter.TryFormat(value, to, out int written);
        output.Advance(written);
        return this;
    }

    public PythonJsonWriter Boolean(bool value) => Literal(value ? "true"u8 : "false"u8);

    public PythonJsonWriter Null() => Literal("null"u8);

    /// <summary>Writes JSON text again in this spacing; numbers keep their digits, keys their order.</summary>
    /// <exception cref="JsonException">The text is not JSON.</exception>
    public PythonJsonWriter Raw(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read()) Token(ref reader);
        return this;
    }

    /// <summary>As <see cref="Raw(ReadOnlySpan{byte})"/>.</summary>
    public PythonJsonWriter Raw(string json) => Raw(Encoding.UTF8.GetBytes(json));

    private void Token(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject: BeginObject(); break;
            case JsonTokenType.EndObject: EndObject(); break;
            case JsonTokenType.StartArray: BeginArray(); break;
            case JsonTokenType.EndArray: EndArray(); break;
            case JsonTokenType.PropertyName: Key(reader.GetString()!); break;
            case JsonTokenType.String: Text(reader.GetString()); break;
            case JsonTokenType.Number: Literal(reader.ValueSpan); break;
            case JsonTokenType.True: Boolean(true); break;
            case JsonTokenType.False: Boolean(false); break;
            default: Null(); break;
        }
    }

    private PythonJsonWriter Open(char bracket)
    {
        Separate();
        Byte((byte)bracket);
        separate = false;
        return this;
    }

    private PythonJsonWriter Close(char bracket)
    {
        Byte((byte)bracket);
        separate = true;
        return this;
    }

    private PythonJsonWriter Literal(ReadOnlySpan<byte> text)
    {
        Separate();
        output.Write(text);
        return this;
    }

    private void Separate()
    {
        if (separate) output.Write(", "u8);
        separate = true;
    }

    private void Byte(byte value)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }

    private void Quote(string text)
    {
        Span<byte> to = output.GetSpan((text.Length * 6) + 2);
        int at = 0;
        to[at++] = (byte)'"';
        foreach (char c in text) at = Escape(c, to, at);
        to[at++] = (byte)'"';
        output.Advance(at);
    }

    private static int Escape(char c, Span<byte> to, int at)
    {
        char letter = c switch { '"' => '"', '\\' => '\\', '\n' => 'n', '\r' => 'r', '\t' => 't', '\f' => 'f', '\b' => 'b', _ => '\0' };
        if (letter != '\0')
        {
            to[at++] = (byte)'\\';
            to[at++] = (byte)letter;
        }
        else if (c is >= ' ' and < (char)0x7f or (char)0x7f)
        {
            to[at++] = (byte)c;
        }
        else
        {
            to[at++] = (byte)'\\';
            to[at++] = (byte)'u';
            Utf8Formatter.TryFormat((ushort)c, to[at..], out _, new StandardFormat('x', 4));
            at += 4;
        }
        return at;
    }
}
