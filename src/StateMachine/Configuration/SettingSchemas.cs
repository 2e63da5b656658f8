using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>Short constructors, so that a schema reads as a table.</summary>
public static class SettingSchemas
{
    /// <summary>A setting of a type that needs nothing else.</summary>
    public static SettingSchema Of(string key, SettingType type, string description, string @default = "",
        SettingPlaces places = SettingPlaces.Both, string? from = "0.1", bool required = false) =>
        new(key, type, description) { Default = @default, Places = places, ImplementedFrom = from, Required = required };

    /// <summary>A number, time or size with a range (in the unit of the type: ms, bytes).</summary>
    public static SettingSchema Ranged(string key, SettingType type, string description, long? min, long? max, string @default = "",
        SettingPlaces places = SettingPlaces.Both, string? from = "0.1") =>
        new(key, type, description) { Min = min, Max = max, Default = @default, Places = places, ImplementedFrom = from };

    /// <summary>One of some words.</summary>
    public static SettingSchema Choice(string key, string description, ImmutableArray<string> values, string @default = "",
        SettingPlaces places = SettingPlaces.Both, string? from = "0.1", SettingType type = SettingType.Choice) =>
        new(key, type, description) { Values = values, Default = @default, Places = places, ImplementedFrom = from };

    /// <summary>A map with known keys.</summary>
    public static SettingSchema Section(string key, string description, ImmutableArray<SettingSchema> children,
        SettingPlaces places = SettingPlaces.Both, SettingSchema? userKeys = null, string? from = "0.1", bool required = false) =>
        new(key, SettingType.Map, description) { Children = children, Places = places, UserKeys = userKeys, ImplementedFrom = from, Required = required };

    /// <summary>A map whose keys the user names, each a single value.</summary>
    public static SettingSchema UserMap(string key, string description, SettingPlaces places = SettingPlaces.Both, string? from = "0.1",
        ImmutableArray<SettingSchema> known = default) =>
        new(key, SettingType.Map, description)
        {
            Places = places,
            ImplementedFrom = from,
            Children = known.IsDefault ? [] : known,
            UserKeys = new SettingSchema("*", SettingType.Scalar, "a value of the user's own"),
        };
}
