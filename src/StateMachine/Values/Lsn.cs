using System.Globalization;
using System.Text.Json.Serialization;

namespace Patroni.Raft.StateMachine;

/// <summary>A position in the write-ahead log, in bytes; PostgreSQL's <c>pg_lsn</c>.</summary>
/// <param name="Value">Byte position since the beginning of the WAL; 0 is PostgreSQL's InvalidXLogRecPtr.</param>
[JsonConverter(typeof(LsnConverter))]
public readonly record struct Lsn(ulong Value) : IComparable<Lsn>
{
    /// <summary>The invalid position (0/0).</summary>
    public static Lsn Zero => default;

    /// <summary>Whether this is not the invalid position.</summary>
    public bool IsValid => Value != 0;

    /// <inheritdoc/>
    public int CompareTo(Lsn other) => Value.CompareTo(other.Value);

    /// <summary>Bytes from <paramref name="from"/> to <paramref name="to"/>; 0 when <paramref name="to"/> is behind.</summary>
    public static long Lag(Lsn from, Lsn to) => to.Value > from.Value ? (long)Math.Min(to.Value - from.Value, long.MaxValue) : 0;

    /// <summary>Reads PostgreSQL's text form, two hexadecimal numbers and a slash.</summary>
    public static bool TryParse(string? text, out Lsn lsn)
    {
        lsn = default;
        if (text is null) return false;
        int slash = text.IndexOf('/');
        if (slash <= 0
            || !uint.TryParse(text.AsSpan(0, slash), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint high)
            || !uint.TryParse(text.AsSpan(slash + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint low))
            return false;
        lsn = new(((ulong)high << 32) | low);
        return true;
    }

    /// <summary>Reads PostgreSQL's text form.</summary>
    /// <exception cref="FormatException">The text is not a WAL position.</exception>
    public static Lsn Parse(string text) =>
        TryParse(text, out Lsn lsn) ? lsn : throw new FormatException($"'{text}' is not a WAL position such as 0/3000060.");

    /// <summary>PostgreSQL's text form, for example <c>0/3000060</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Value >> 32:X}/{(uint)Value:X}");

    /// <summary>Orders positions.</summary>
    public static bool operator <(Lsn left, Lsn right) => left.Value < right.Value;
    /// <summary>Orders positions.</summary>
    public static bool operator >(Lsn left, Lsn right) => left.Value > right.Value;
    /// <summary>Orders positions.</summary>
    public static bool operator <=(Lsn left, Lsn right) => left.Value <= right.Value;
    /// <summary>Orders positions.</summary>
    public static bool operator >=(Lsn left, Lsn right) => left.Value >= right.Value;

    /// <summary>The greater of two positions.</summary>
    public static Lsn Max(Lsn left, Lsn right) => left.Value >= right.Value ? left : right;
}
