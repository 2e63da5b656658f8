using System.Collections.Immutable;

namespace Patroni.Raft.Postgres;

/// <summary>Maps of server parameters: names compared without case, as PostgreSQL does, in a stable order.</summary>
public static class ServerParameters
{
    /// <summary>No parameters.</summary>
    public static ImmutableSortedDictionary<string, string> None { get; } =
        ImmutableSortedDictionary.Create<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>A map of parameters.</summary>
    public static ImmutableSortedDictionary<string, string> Of(IEnumerable<KeyValuePair<string, string>> pairs) => None.SetItems(pairs);
}
