using System.Text;

namespace Patroni.Raft.Postgres.Configuration;

/// <summary>libpq's keyword=value connection strings (manual, "Connection Strings").</summary>
public static class Conninfo
{
    // Options of postgresql.authentication that libpq knows only from a version on.
    private static readonly Dictionary<string, int> FirstVersion = new(StringComparer.Ordinal)
    {
        ["gssencmode"] = 12, ["channel_binding"] = 13, ["sslpassword"] = 13, ["sslcrldir"] = 14, ["sslnegotiation"] = 17,
    };

    /// <summary>Joins pairs; values that need it are quoted. Pairs with an empty value are kept: they override defaults.</summary>
    public static string Format(IEnumerable<KeyValuePair<string, string>> pairs) =>
        string.Join(' ', pairs.Select(pair => $"{pair.Key}={Quote(pair.Value)}"));

    /// <summary>Quotes a value if it is empty or holds blanks, quotes or backslashes.</summary>
    public static string Quote(string value)
    {
        if (value.Length != 0 && !value.Any(c => char.IsWhiteSpace(c) || c is '\'' or '\\')) return value;
        return $"'{value.Replace("\\", @"\\").Replace("'", @"\'")}'";
    }

    /// <summary>Splits a keyword=value string; null when it is malformed.</summary>
    public static IReadOnlyDictionary<string, string>? Parse(string text)
    {
        Dictionary<string, string> result = new(StringComparer.Ordinal);
        int i = 0;
        while (true)
        {
            while (i < text.Length && char.IsWhiteSpace(text[i])) i++;
            if (i == text.Length) return result;
            int start = i;
            while (i < text.Length && text[i] != '=' && !char.IsWhiteSpace(text[i])) i++;
            string key = text[start..i];
            while (i < text.Length && char.IsWhiteSpace(text[i])) i++;
            if (i == text.Length || text[i] != '=' || key.Length == 0) return null;
            i++;
            while (i < text.Length && char.IsWhiteSpace(text[i])) i++;
            if (ReadValue(text, ref i) is not { } value) return null;
            result[key] = value;
        }
    }

    /// <summary>The pairs that reach a server as a user; the password is left out, it belongs into the password file.</summary>
    /// <param name="address">Server.</param>
    /// <param name="user">User.</param>
    /// <param name="database">Database; null for none (physical replication).</param>
    /// <param name="passFile">Password file; null when the user has no password.</param>
    /// <param name="majorVersion">Version of the libpq that will read it.</param>
    public static List<KeyValuePair<string, string>> Pairs(
        PostgresAddress address, Credentials user, string? database, string? passFile, int majorVersion)
    {
        List<KeyValuePair<string, string>> pairs = [];
        if (database is not null) pairs.Add(new("dbname", database));
        pairs.Add(new("user", user.Username));
        if (passFile is not null && user.Password is not null) pairs.Add(new("passfile", passFile));
        pairs.Add(new("host", address.Host));
        pairs.Add(new("port", address.Port.ToString()));
        foreach ((string name, string value) in user.Options)
            if (FirstVersion.GetValueOrDefault(name) <= majorVersion) pairs.Add(new(name, value));
        return pairs;
    }

    private static string? ReadValue(string text, ref int i)
    {
        StringBuilder value = new();
        bool quoted = i < text.Length && text[i] == '\'';
        if (quoted) i++;
        for (; i < text.Length; i++)
        {
            char c = text[i];
            if (quoted && c == '\'')
            {
                i++;
                return value.ToString();
            }
            if (!quoted && char.IsWhiteSpace(c)) break;
            if (c == '\\' && ++i == text.Length) break;
            value.Append(text[i]);
        }
        return quoted ? null : value.ToString();
    }
}
