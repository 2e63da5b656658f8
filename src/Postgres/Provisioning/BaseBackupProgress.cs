using System.Globalization;

namespace Patroni.Raft.Postgres.Provisioning;

/// <summary>How far a clone is.</summary>
/// <param name="DoneBytes">Copied so far.</param>
/// <param name="TotalBytes">Estimated size; 0 when unknown.</param>
public readonly record struct CloneProgress(long DoneBytes, long TotalBytes)
{
    /// <summary>0 to 100; null when the size is unknown.</summary>
    public int? Percent => TotalBytes > 0 ? (int)Math.Min(100, DoneBytes * 100 / TotalBytes) : null;

    /// <summary>
    /// Reads a progress line of <c>pg_basebackup --progress</c>: <c>12345/67890 kB (18%), 0/1 tablespace (...)</c>, or without
    /// total <c>12345 kB (100%), 1/1 tablespace</c>. Null for any other line.
    /// </summary>
    public static CloneProgress? Parse(string line)
    {
        ReadOnlySpan<char> text = line.AsSpan().Trim();
        int unit = text.IndexOf(" kB");
        if (unit <= 0) return null;
        ReadOnlySpan<char> numbers = text[..unit];
        int slash = numbers.IndexOf('/');
        ReadOnlySpan<char> done = slash < 0 ? numbers : numbers[..slash], total = slash < 0 ? "0" : numbers[(slash + 1)..];
        return long.TryParse(done, NumberStyles.None, CultureInfo.InvariantCulture, out long doneKiB)
            && long.TryParse(total, NumberStyles.None, CultureInfo.InvariantCulture, out long totalKiB)
            ? new(doneKiB * 1024, totalKiB * 1024) : null;
    }
}
