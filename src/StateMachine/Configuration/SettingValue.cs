using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>
/// A configuration document as a tree that remembers where each value stood. YAML files, JSON requests and
/// environment variables all become this tree, so that one schema and one set of readers serve them.
/// </summary>
/// <param name="Line">Line of the value in its source, from 1; 0 when it has none.</param>
/// <param name="Source">File or environment variable; <c>null</c> for a request.</param>
public abstract record SettingValue(int Line, string? Source)
{
    /// <summary>What a user would call this: "a map", "a list", "text 'x'".</summary>
    public abstract string Describe();
}

/// <summary>An absent value (<c>key:</c> or <c>null</c>); in a patch it removes the key.</summary>
public sealed record SettingNull(int Line = 0, string? Source = null) : SettingValue(Line, Source)
{
    /// <inheritdoc/>
    public override string Describe() => "nothing";
}

/// <summary>How a scalar was written; a quoted <c>"10"</c> is text, a bare <c>10</c> a number.</summary>
public enum SettingScalarKind
{
    /// <summary>Text, quoted or not.</summary>
    Text,

    /// <summary>A whole or fractional number.</summary>
    Number,

    /// <summary>true/false, and in YAML also on/off and yes/no (YAML 1.1, as Patroni reads it).</summary>
    Boolean,
}

/// <summary>A scalar; <paramref name="Text"/> is exactly what the user wrote, because PostgreSQL parameters pass through.</summary>
public sealed record SettingScalar(string Text, SettingScalarKind Kind, int Line = 0, string? Source = null)
    : SettingValue(Line, Source)
{
    /// <inheritdoc/>
    public override string Describe() => Kind switch
    {
        SettingScalarKind.Number => $"the number {Text}",
        SettingScalarKind.Boolean => $"the boolean {Text}",
        _ => $"the text '{(Text.Length > 60 ? Text[..60] + "..." : Text)}'",
    };
}

/// <summary>A list.</summary>
public sealed record SettingList(ImmutableArray<SettingValue> Items, int Line = 0, string? Source = null)
    : SettingValue(Line, Source)
{
    /// <inheritdoc/>
    public override string Describe() => "a list";
}

/// <summary>One key of a map with the line of the key itself.</summary>
public readonly record struct SettingEntry(string Key, SettingValue Value, int KeyLine);

/// <summary>A map in the order in which it was written.</summary>
public sealed record SettingMap(ImmutableArray<SettingEntry> Entries, int Line = 0, string? Source = null)
    : SettingValue(Line, Source)
{
    /// <summary>A map without keys.</summary>
    public static SettingMap Empty { get; } = new([]);

    /// <inheritdoc/>
    public override string Describe() => "a map";

    /// <summary>The value of <paramref name="key"/>, or <c>null</c> when it is absent or written as null.</summary>
    public SettingValue? this[string key]
    {
        get
        {
            foreach (var entry in Entries)
            {
                if (string.Equals(entry.Key, key, StringComparison.Ordinal))
                {
                    return entry.Value is SettingNull ? null : entry.Value;
                }
            }

            return null;
        }
    }

    /// <summary>The value at a dotted path, or <c>null</c>.</summary>
    public SettingValue? Find(string path)
    {
        SettingValue? at = this;
        foreach (var part in path.Split('.'))
        {
            at = at is SettingMap map ? map[part] : null;
        }

        return at;
    }

    /// <summary>The map at a dotted path; an empty one when it is absent or something else.</summary>
    public SettingMap Section(string path) => Find(path) as SettingMap ?? Empty;

    /// <summary>This map with <paramref name="key"/> set: in place when it exists, else at the end.</summary>
    public SettingMap With(string key, SettingValue value)
    {
        for (var i = 0; i < Entries.Length; i++)
        {
            if (string.Equals(Entries[i].Key, key, StringComparison.Ordinal))
            {
                return this with { Entries = Entries.SetItem(i, Entries[i] with { Value = value }) };
            }
        }

        return this with { Entries = Entries.Add(new SettingEntry(key, value, value.Line)) };
    }

    /// <summary>This map without <paramref name="key"/>.</summary>
    public SettingMap Without(string key) =>
        this with { Entries = Entries.RemoveAll(e => string.Equals(e.Key, key, StringComparison.Ordinal)) };

    /// <summary>
    /// Deep merge: maps merge key by key, anything else in <paramref name="over"/> replaces, null removes -
    /// the rule of Patroni's PATCH /config and of its configuration directories.
    /// </summary>
    public SettingMap Merge(SettingMap over)
    {
        var result = this;
        foreach (var entry in over.Entries)
        {
            result = entry.Value switch
            {
                SettingNull => result.Without(entry.Key),
                // A patch into nothing is merged into an empty map, so that its own nulls do not become values.
                SettingMap map => result.With(entry.Key, (result[entry.Key] as SettingMap ?? (map with { Entries = [] })).Merge(map)),
                _ => result.With(entry.Key, entry.Value),
            };
        }

        return result;
    }
}
