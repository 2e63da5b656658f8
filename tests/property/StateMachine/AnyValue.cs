using System.Collections;
using System.Collections.Immutable;
using System.Globalization;
using System.Reflection;
using System.Text;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.PropertyTests.StateMachine;

/// <summary>
/// Builds any command with extreme values by reflection over its constructor, so that a new command or field is covered the moment it
/// exists; and writes any value out field by field, so that a field lost on both ways of a round trip is seen.
/// </summary>
internal sealed class AnyValue(Random random)
{
    private static readonly string[] Texts = ["", "x", "node-1", "Grüße, 世界", "\0\u2028\"\\\r\n", "\U0001F418\U0001F418", new('ß', 300)];

    public static ImmutableArray<Type> CommandTypes { get; } =
        [.. typeof(Command).Assembly.GetTypes().Where(static type => type.IsSubclassOf(typeof(Command))).OrderBy(static type => type.Name, StringComparer.Ordinal)];

    public CommandEnvelope Envelope(Type command) => new(new(UInt64(), UInt64()), (long)UInt64(), (Command)Of(command)!);

    public object? Of(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner) return random.Next(3) == 0 ? null : Of(inner);
        if (type == typeof(string)) return Texts[random.Next(Texts.Length)];
        if (type == typeof(bool)) return random.Next(2) == 0;
        if (type == typeof(int)) return (int)UInt64();
        if (type == typeof(uint)) return (uint)UInt64();
        if (type == typeof(long)) return (long)UInt64();
        if (type == typeof(ulong)) return UInt64();
        if (type.IsEnum) return Enum.GetValues(type).GetValue(random.Next(Enum.GetValues(type).Length));
        if (type == typeof(ImmutableSortedDictionary<NodeName, string>))
            return Enumerable.Range(0, random.Next(4)).Select(i => i).ToImmutableSortedDictionary(i => new NodeName(Texts[random.Next(Texts.Length)] + i), _ => (string)Of(typeof(string))!);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ImmutableArray<>)) return ArrayOf(type.GetGenericArguments()[0]);
        ConstructorInfo constructor = type.GetConstructors().OrderByDescending(static c => c.GetParameters().Length).First();
        object made = constructor.Invoke([.. constructor.GetParameters().Select(parameter => Optional(parameter) ? null : Of(parameter.ParameterType))]);
        if (constructor.GetParameters().Length > 0) return made;
        foreach (PropertyInfo property in type.GetProperties().Where(static p => p.SetMethod is not null)) property.SetValue(made, Of(property.PropertyType));
        return made;
    }

    private bool Optional(ParameterInfo parameter) =>
        parameter.ParameterType == typeof(string)
        && new NullabilityInfoContext().Create(parameter).ReadState == NullabilityState.Nullable
        && random.Next(2) == 0;

    private object ArrayOf(Type item)
    {
        var items = Array.CreateInstance(item, random.Next(4));
        for (int i = 0; i < items.Length; i++) items.SetValue(Of(item), i);
        return typeof(ImmutableArray).GetMethods()
            .Single(static method => method.Name == nameof(ImmutableArray.Create) && method.GetParameters() is [{ ParameterType.IsArray: true }])
            .MakeGenericMethod(item).Invoke(null, [items])!;
    }

    private ulong UInt64() => random.Next(5) switch
    {
        0 => 0,
        1 => ulong.MaxValue,
        2 => (ulong)random.Next(300),
        3 => 1ul << random.Next(64),
        _ => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
    };

    /// <summary>A value written out field by field.</summary>
    public static string Describe(object? value)
    {
        var text = new StringBuilder();
        Describe(text, value);
        return text.ToString();
    }

    private static void Describe(StringBuilder text, object? value)
    {
        switch (value)
        {
            case null: text.Append("null"); break;
            case string s: text.Append('"').Append(s).Append('"'); break;
            case IFormattable or bool: text.Append(CultureInfo.InvariantCulture, $"{value}"); break;
            case IEnumerable items:
                text.Append('[');
                foreach (object? item in items) { Describe(text, item); text.Append(','); }
                text.Append(']');
                break;
            default:
                text.Append(value.GetType().Name).Append('{');
                foreach (PropertyInfo property in value.GetType().GetProperties(BindingFlags.Instance | BindingFlags.Public).Where(static p => p.SetMethod is not null))
                {
                    text.Append(property.Name).Append('=');
                    Describe(text, property.GetValue(value));
                    text.Append(';');
                }
                text.Append('}');
                break;
        }
    }
}
