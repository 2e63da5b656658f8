using System.Collections.Immutable;
using System.Globalization;

namespace Patroni.Raft.Postgres.Configuration;

/// <summary>Where a client connects to, by libpq's rules: the connection string, else the PG* variables, else libpq's defaults.</summary>
/// <param name="Address">Server; a directory is a unix socket's.</param>
/// <param name="User">User with password and libpq options.</param>
/// <param name="Database">Database.</param>
public sealed record ClientTarget(PostgresAddress Address, Credentials User, string Database)
{
    private static readonly (string Key, string Variable)[] Options =
    [
        ("sslmode", "PGSSLMODE"), ("sslcert", "PGSSLCERT"), ("sslkey", "PGSSLKEY"), ("sslrootcert", "PGSSLROOTCERT"), ("sslcrl", "PGSSLCRL"),
        ("sslcrldir", "PGSSLCRLDIR"), ("gssencmode", "PGGSSENCMODE"), ("channel_binding", "PGCHANNELBINDING"), ("sslpassword", ""), ("sslnegotiation", "PGSSLNEGOTIATION"),
    ];

    /// <summary>Reads a connection string (keyword=value or postgresql://) over the environment; null with a sentence when it is malformed.</summary>
    /// <param name="dsn">The connection string; null for none.</param>
    /// <param name="environment">The environment variables.</param>
    /// <param name="operatingSystemUser">libpq's default user.</param>
    public static (ClientTarget? Target, string Problem) Read(string? dsn, IReadOnlyDictionary<string, string> environment, string operatingSystemUser)
    {
        IReadOnlyDictionary<string, string>? given = dsn is null ? ImmutableDictionary<string, string>.Empty
            : dsn.StartsWith("postgresql://", StringComparison.Ordinal) || dsn.StartsWith("postgres://", StringComparison.Ordinal) ? FromUri(dsn) : Conninfo.Parse(dsn);
        if (given is null) return (null, "the connection string is malformed; write 'host=127.0.0.1 port=5432 user=postgres' or postgresql://postgres@127.0.0.1:5432/postgres");
        string? Of(string key, string variable) => given.GetValueOrDefault(key) is { Length: > 0 } value ? value
            : variable.Length > 0 && environment.GetValueOrDefault(variable) is { Length: > 0 } set ? set : null;

        string portText = Of("port", "PGPORT") ?? "5432";
        if (!int.TryParse(portText, NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port is 0 or > 65535) return (null, $"'{portText}' is no port");
        string user = Of("user", "PGUSER") ?? operatingSystemUser;
        string host = Of("hostaddr", "PGHOSTADDR") ?? Of("host", "PGHOST") ?? DefaultHost(port);
        if (host.Contains(',')) return (null, "the connection string must name one server");
        var options = Options.Select(option => (option.Key, Value: Of(option.Key, option.Variable))).Where(static option => option.Value is not null)
            .ToImmutableSortedDictionary(static option => option.Key, static option => option.Value!, StringComparer.OrdinalIgnoreCase);
        return (new(new(host, port), new() { Username = user, Password = Of("password", "PGPASSWORD"), Options = options }, Of("dbname", "PGDATABASE") ?? "postgres"), "");
    }

    private static string DefaultHost(int port)
    {
        string[] directories = ["/var/run/postgresql", "/tmp"];
        return directories.FirstOrDefault(directory => File.Exists($"{directory}/.s.PGSQL.{port}")) ?? "localhost";
    }

    private static Dictionary<string, string>? FromUri(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? uri)) return null;
        var result = new Dictionary<string, string>(StringComparer.Ordinal);
        string[] user = uri.UserInfo.Split(':', 2);
        if (user[0].Length > 0) result["user"] = Uri.UnescapeDataString(user[0]);
        if (user.Length > 1) result["password"] = Uri.UnescapeDataString(user[1]);
        if (uri.Host.Length > 0) result["host"] = Uri.UnescapeDataString(uri.Host.Trim('[', ']'));
        if (uri.Port > 0) result["port"] = uri.Port.ToString(CultureInfo.InvariantCulture);
        if (uri.AbsolutePath.Length > 1) result["dbname"] = Uri.UnescapeDataString(uri.AbsolutePath[1..]);
        foreach (string pair in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = pair.Split('=', 2);
            if (parts.Length != 2) return null;
            result[Uri.UnescapeDataString(parts[0])] = Uri.UnescapeDataString(parts[1]);
        }
        return result;
    }
}
