using System.Globalization;

namespace Patroni.Raft.StateMachine;

/// <summary>Splits <c>host:port</c> as people write it; resolves nothing.</summary>
public static class Endpoint
{
    /// <summary>
    /// Reads <c>host</c>, <c>host:port</c>, <c>[v6]:port</c> or <c>host,host:port</c>. Several hosts stay comma separated in <paramref name="host"/>;
    /// brackets are taken off a single IPv6 address.
    /// </summary>
    public static bool TryParse(string? text, out string host, out int? port)
    {
        host = "";
        port = null;
        text = text?.Trim() ?? "";
        if (text.Length == 0 || text.Any(char.IsWhiteSpace) || text.Contains('/'))
        {
            return false;
        }

        var colon = text.LastIndexOf(':');
        var bare = text.IndexOf(':') != colon && !text.Contains('[') && !text.Contains(','); // fe80::1 without brackets: no port
        if (colon >= 0 && !bare && !text.EndsWith(']'))
        {
            if (!int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is < 1 or > 65535)
            {
                return false;
            }

            port = number;
            text = text[..colon];
        }

        host = text is ['[', .., ']'] && text.IndexOf(']') == text.Length - 1 ? text[1..^1] : text;
        return host.Length > 0 && host.Split(',').All(h => h.Length > 0);
    }
}
