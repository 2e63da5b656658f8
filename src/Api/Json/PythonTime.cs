using System.Globalization;

namespace Patroni.Raft.Api.Json;

/// <summary>Points in time as Python prints them: microseconds only when there are any, the offset always.</summary>
internal static class PythonTime
{
    /// <summary><c>datetime.isoformat()</c>: <c>2026-11-22T18:13:52.205408+00:00</c>.</summary>
    public static string IsoFormat(DateTimeOffset at) => Format(at, 'T');

    /// <summary><c>isoformat()</c> of Unix milliseconds in UTC.</summary>
    public static string IsoFormat(long unixMs) => IsoFormat(DateTimeOffset.FromUnixTimeMilliseconds(unixMs));

    /// <summary><c>str(datetime)</c> in UTC: <c>2026-11-22 18:13:15.114943+00:00</c>.</summary>
    public static string Text(DateTimeOffset at) => Format(at.ToUniversalTime(), ' ');

    /// <summary>Seconds since 1970 as <c>timedelta.total_seconds()</c> prints them.</summary>
    public static string UnixSeconds(DateTimeOffset at)
    {
        string text = (UnixMicroseconds(at) / 1_000_000m).ToString("0.######", CultureInfo.InvariantCulture);
        return text.Contains('.') ? text : text + ".0";
    }

    /// <summary>Microseconds since 1970, in which the replicated state keeps such times; 0 for none.</summary>
    public static long UnixMicroseconds(DateTimeOffset? at) => at is { } known ? (known.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond : 0;

    /// <summary><c>str(datetime)</c> of Unix microseconds in UTC.</summary>
    public static string Text(long unixMicroseconds) => Text(DateTimeOffset.UnixEpoch.AddTicks(unixMicroseconds * TimeSpan.TicksPerMicrosecond));

    private static string Format(DateTimeOffset at, char between)
    {
        bool whole = at.Ticks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMicrosecond == 0;
        string pattern = whole ? "yyyy-MM-dd'x'HH:mm:sszzz" : "yyyy-MM-dd'x'HH:mm:ss.ffffffzzz";
        return at.ToString(pattern.Replace('x', between), CultureInfo.InvariantCulture);
    }
}
