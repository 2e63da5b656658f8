using Microsoft.AspNetCore.WebUtilities;

namespace Patroni.Raft.Api.HealthChecks;

/// <summary>The parameters of a health check. As in Patroni the first of several equal names counts and empty values count as absent.</summary>
internal struct HealthQuery
{
    /// <summary>Accepted lag in bytes; null when absent or unreadable, which Patroni treats alike.</summary>
    public long? LagBytes { get; private set; }
    /// <summary><c>replication_state</c>; null when absent.</summary>
    public string? ReplicationState { get; private set; }
    /// <summary><c>mode=write</c>: lag of received rather than of replayed WAL.</summary>
    public bool ModeWrite { get; private set; }
    /// <summary>Wanted tags; null when none.</summary>
    public List<KeyValuePair<string, string>>? Tags { get; private set; }

    /// <summary>Reads a query string with its question mark; the usual empty one costs nothing.</summary>
    public static HealthQuery Parse(string? queryString)
    {
        var query = default(HealthQuery);
        if (string.IsNullOrEmpty(queryString)) return query;
        bool sawLag = false, sawMode = false;
        foreach (QueryStringEnumerable.EncodedNameValuePair pair in new QueryStringEnumerable(queryString))
        {
            ReadOnlySpan<char> value = pair.DecodeValue().Span;
            if (value.IsEmpty) continue;
            ReadOnlySpan<char> name = pair.DecodeName().Span;
            if (name.SequenceEqual("lag") && !sawLag)
            {
                sawLag = true;
                if (SizeText.TryParse(value, out long bytes)) query.LagBytes = bytes;
            }
            else if (name.SequenceEqual("replication_state"))
            {
                query.ReplicationState ??= value.ToString();
            }
            else if (name.SequenceEqual("mode") && !sawMode)
            {
                sawMode = true;
                query.ModeWrite = value.SequenceEqual("write");
            }
            else if (name.StartsWith("tag_"))
            {
                query.AddTag(name[4..].ToString(), value.ToString());
            }
        }
        return query;
    }

    private void AddTag(string name, string value)
    {
        Tags ??= [];
        foreach (KeyValuePair<string, string> known in Tags)
            if (known.Key == name) return;
        Tags.Add(new(name, value));
    }
}

/// <summary>Sizes as Patroni reads them: <c>1048576</c>, <c>16kB</c>, <c>1.5 MB</c>, <c>1GB</c>; units are case-sensitive powers of 1024.</summary>
internal static class SizeText
{
    public static bool TryParse(ReadOnlySpan<char> text, out long bytes)
    {
        bytes = 0;
        text = text.Trim();
        int end = text.Length;
        while (end > 0 && char.IsAsciiLetter(text[end - 1])) end--;
        long factor = text[end..] switch
        {
            "" or "B" => 1,
            "kB" => 1L << 10,
            "MB" => 1L << 20,
            "GB" => 1L << 30,
            "TB" => 1L << 40,
            _ => 0,
        };
        const System.Globalization.NumberStyles Style = System.Globalization.NumberStyles.AllowLeadingSign | System.Globalization.NumberStyles.AllowDecimalPoint;
        if (factor == 0 || !decimal.TryParse(text[..end].TrimEnd(), Style, System.Globalization.CultureInfo.InvariantCulture, out decimal number)) return false;
        // Anything beyond long is "no limit" (or "never") all the same.
        decimal limit = long.MaxValue / factor;
        bytes = number > limit ? long.MaxValue : number < -limit ? long.MinValue : (long)decimal.Round(number * factor);
        return true;
    }
}
