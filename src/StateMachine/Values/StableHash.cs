namespace Patroni.Raft.StateMachine;

/// <summary>FNV-1a: the same number in every process, unlike <c>string.GetHashCode</c>, so that nothing in the core depends on a seed.</summary>
public static class StableHash
{
    private const ulong OffsetBasis = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    /// <summary>32-bit hash of a text's UTF-16 units.</summary>
    public static int Of(string? text)
    {
        ulong hash = OffsetBasis;
        foreach (char unit in text ?? "") hash = (hash ^ unit) * Prime;
        return (int)(hash ^ (hash >> 32));
    }

    /// <summary>64-bit hash of bytes; used to compare states between nodes.</summary>
    public static ulong Of(ReadOnlySpan<byte> bytes)
    {
        ulong hash = OffsetBasis;
        foreach (byte unit in bytes) hash = (hash ^ unit) * Prime;
        return hash;
    }
}
