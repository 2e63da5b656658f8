using System.Globalization;
using Patroni.Raft.Api.Json;

namespace Patroni.Raft.Api.Failover;

/// <summary>A time at which something is to happen, or why the text is none.</summary>
/// <param name="At">The time; meaningless when refused.</param>
/// <param name="Status">HTTP status of the refusal, 0 when accepted.</param>
/// <param name="Refusal">Patroni's sentence.</param>
internal readonly record struct Schedule(DateTimeOffset At, int Status, string Refusal)
{
    /// <summary>As the replicated state and <c>/cluster</c> show it.</summary>
    public string Text => PythonTime.IsoFormat(At);

    private static readonly string[] Dates = ["yyyy-MM-dd", "yyyyMMdd"];
    private static readonly string[] Times = ["HH:mm:ss.FFFFFFF", "HH:mm:ss,FFFFFFF", "HH:mm", "HHmmss.FFFFFFF", "HHmm"];

    /// <summary>Reads ISO 8601 with an offset (or Z); refusals as Patroni's parse_schedule gives them.</summary>
    /// <param name="text">What was sent.</param>
    /// <param name="action">switchover or restart.</param>
    /// <param name="now">Wall clock.</param>
    public static Schedule Parse(string text, string action, DateTimeOffset now)
    {
        var unparsable = new Schedule(default, 422, "Unable to parse scheduled timestamp. It should be in an unambiguous format, e.g. ISO 8601");
        string trimmed = text.Trim();
        int split = trimmed.IndexOfAny(['T', 't', ' ']);
        ReadOnlySpan<char> date = split < 0 ? trimmed : trimmed.AsSpan(0, split);
        ReadOnlySpan<char> rest = split < 0 ? default : trimmed.AsSpan(split + 1).Trim();
        if (!DateOnly.TryParseExact(date, Dates, CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly day)) return unparsable;

        int zoneAt = rest.IndexOfAny("Zz+-U");
        ReadOnlySpan<char> clock = (zoneAt < 0 ? rest : rest[..zoneAt]).TrimEnd();
        TimeOnly time = default;
        if (!clock.IsEmpty && !TimeOnly.TryParseExact(clock, Times, CultureInfo.InvariantCulture, DateTimeStyles.None, out time)) return unparsable;
        if (zoneAt < 0) return new(default, 400, $"Timezone information is mandatory for the scheduled {action}");
        if (clock.IsEmpty || Offset(rest[zoneAt..]) is not { } offset) return unparsable;

        DateTime local = day.ToDateTime(time);
        if (local.Ticks - offset.Ticks < DateTimeOffset.MinValue.Ticks || local.Ticks - offset.Ticks > DateTimeOffset.MaxValue.Ticks) return unparsable;
        var at = new DateTimeOffset(local, offset);
        return at < now ? new(at, 422, $"Cannot schedule {action} in the past") : new(at, 0, "");
    }

    /// <summary>Z, UTC, +02, +0200, +02:00.</summary>
    private static TimeSpan? Offset(ReadOnlySpan<char> text)
    {
        if (text is "Z" or "z" or "UTC") return TimeSpan.Zero;
        ReadOnlySpan<char> digits = text[1..];
        Span<char> plain = stackalloc char[4];
        plain.Fill('0');
        if (text[0] is not ('+' or '-') || !(digits.Length is 2 or 4 || (digits.Length == 5 && digits[2] == ':'))) return null;
        digits[..2].CopyTo(plain);
        if (digits.Length > 2) digits[^2..].CopyTo(plain[2..]);
        foreach (char c in plain)
            if (!char.IsAsciiDigit(c)) return null;
        int minutes = (int.Parse(plain[..2]) * 60) + int.Parse(plain[2..]);
        if (minutes > 14 * 60 || int.Parse(plain[2..]) > 59) return null;
        return TimeSpan.FromMinutes(text[0] == '-' ? -minutes : minutes);
    }
}
