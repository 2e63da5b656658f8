using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>The type of a setting; decides which spellings are read and how an error names what was expected.</summary>
public enum SettingType
{
    /// <summary>A boolean in Patroni's spellings.</summary>
    Boolean,

    /// <summary>A boolean or one of <see cref="SettingSchema.Values"/> (<c>synchronous_mode: quorum</c>).</summary>
    BooleanOrChoice,

    /// <summary>A whole number.</summary>
    Integer,

    /// <summary>A time: seconds when bare, or with a unit. Range in milliseconds.</summary>
    Duration,

    /// <summary>A size: bytes when bare, or with a unit. Range in bytes.</summary>
    Bytes,

    /// <summary>Text; a bare number is text too.</summary>
    Text,

    /// <summary>Text that is never shown.</summary>
    Secret,

    /// <summary>One of <see cref="SettingSchema.Values"/>.</summary>
    Choice,

    /// <summary><c>host:port</c>, an IPv6 host in brackets.</summary>
    HostPort,

    /// <summary><c>host[,host...]:port</c>; the port may be left out where the key says so.</summary>
    Listen,

    /// <summary>A list of texts, or one text.</summary>
    TextList,

    /// <summary>A list of texts or maps (<c>initdb</c>, <c>basebackup</c>), or one map.</summary>
    OptionList,

    /// <summary>A list whose items follow <see cref="SettingSchema.Item"/>.</summary>
    List,

    /// <summary>A map with known keys, and user keys where <see cref="SettingSchema.UserKeys"/> says so.</summary>
    Map,

    /// <summary>Any scalar.</summary>
    Scalar,

    /// <summary>Anything at all.</summary>
    Any,
}

/// <summary>Where a setting may stand.</summary>
[Flags]
public enum SettingPlaces
{
    /// <summary>In the node's file or environment.</summary>
    Local = 1,

    /// <summary>In the dynamic configuration of the cluster.</summary>
    Dynamic = 2,

    /// <summary>In both; the local value wins.</summary>
    Both = Local | Dynamic,
}

/// <summary>
/// One setting as data: validation, documentation and the tests that walk every key are all made from this tree.
/// </summary>
/// <param name="Key">The key; <c>*</c> for the item of a list or for user keys.</param>
/// <param name="Type">The type.</param>
/// <param name="Description">One sentence for the documentation.</param>
public sealed record SettingSchema(string Key, SettingType Type, string Description)
{
    /// <summary>Where the setting may stand.</summary>
    public SettingPlaces Places { get; init; } = SettingPlaces.Both;

    /// <summary>Place that the keys below count for, where it changes (<c>bootstrap.dcs</c> in a local file).</summary>
    public SettingPlaces? PlacesBelow { get; init; }

    /// <summary>Smallest allowed value, in the unit of the type.</summary>
    public long? Min { get; init; }

    /// <summary>Largest allowed value, in the unit of the type.</summary>
    public long? Max { get; init; }

    /// <summary>The allowed words.</summary>
    public ImmutableArray<string> Values { get; init; } = [];

    /// <summary>What holds when the setting is absent, for the documentation; empty when nothing does.</summary>
    public string Default { get; init; } = "";

    /// <summary>Known keys of a map.</summary>
    public ImmutableArray<SettingSchema> Children { get; init; } = [];

    /// <summary>Schema of keys that the user names; <c>null</c> when only known keys are allowed.</summary>
    public SettingSchema? UserKeys { get; init; }

    /// <summary>
    /// Schema of sections that the user names and that are told from misspelt keys by having a <c>command</c>
    /// (replica creation and bootstrap methods).
    /// </summary>
    public SettingSchema? CommandSections { get; init; }

    /// <summary>Schema of the items of a list.</summary>
    public SettingSchema? Item { get; init; }

    /// <summary>Must be present (after environment and merges).</summary>
    public bool Required { get; init; }

    /// <summary>The scalar short form (one text instead of a map) is allowed too.</summary>
    public bool ScalarToo { get; init; }

    /// <summary>First version in which the setting has its effect; <c>null</c> while it is only accepted.</summary>
    public string? ImplementedFrom { get; init; } = "0.1";

    /// <summary>The schema that holds for this key with this value; <c>null</c> when the key is unknown.</summary>
    public SettingSchema? Child(string key, SettingValue value) =>
        Known(key) ?? UserKeys ?? (value is SettingMap map && map["command"] is not null ? CommandSections : null);

    /// <summary>The known child with this key.</summary>
    public SettingSchema? Known(string key)
    {
        foreach (var child in Children)
        {
            if (string.Equals(child.Key, key, StringComparison.Ordinal))
            {
                return child;
            }
        }

        return null;
    }

    /// <summary>Every setting below this one with its dotted path, in order.</summary>
    public IEnumerable<(string Path, SettingSchema Setting)> Walk(string prefix = "")
    {
        foreach (var child in Children)
        {
            var path = prefix.Length == 0 ? child.Key : prefix + "." + child.Key;
            yield return (path, child);
            foreach (var below in child.Walk(path))
            {
                yield return below;
            }
        }

        foreach (var (part, below) in new[] { (".*", UserKeys), (".*", CommandSections), ("[]", Item) })
        {
            if (below is { Children.Length: > 0 } or { UserKeys: not null })
            {
                foreach (var inner in below.Walk(prefix + part))
                {
                    yield return inner;
                }
            }
        }
    }
}
