using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>The <c>name</c> of a node, unique in its cluster; compared ordinally.</summary>
/// <param name="Value">The name as configured; never empty in a valid instance.</param>
[JsonConverter(typeof(NodeNameConverter))]
public readonly record struct NodeName(string Value) : IComparable<NodeName>
{
    /// <inheritdoc/>
    public int CompareTo(NodeName other) => string.CompareOrdinal(Value, other.Value);

    /// <inheritdoc/>
    public bool Equals(NodeName other) => string.Equals(Value, other.Value, StringComparison.Ordinal);

    /// <inheritdoc/>
    public override int GetHashCode() => StableHash.Of(Value);

    /// <inheritdoc/>
    public override string ToString() => Value ?? "";
}
