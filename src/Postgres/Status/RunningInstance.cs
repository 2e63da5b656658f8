using System.Collections.Immutable;
using System.Net.Sockets;
using Npgsql;
using Patroni.Raft.Postgres.Configuration;
using Patroni.Raft.Postgres.Processes;

namespace Patroni.Raft.Postgres.Status;

/// <summary>A running PostgreSQL as its own configuration describes it, for a node's first configuration file.</summary>
public sealed record RunningInstance
{
    /// <summary>server_version_num.</summary>
    public required int Version { get; init; }
    /// <summary>Whether it is a standby.</summary>
    public required bool InRecovery { get; init; }
    /// <summary>Values that somebody set (not defaults, not internal ones), by name, as <c>current_setting</c> shows them.</summary>
    public required ImmutableSortedDictionary<string, string> Settings { get; init; }
    /// <summary>Every value that was asked for by name, set or not.</summary>
    public required ImmutableSortedDictionary<string, string> Always { get; init; }
    /// <summary>Roles that may replicate and log in and are no superusers, by name.</summary>
    public required ImmutableArray<string> ReplicationRoles { get; init; }
    /// <summary>Lines of pg_hba.conf without comments; empty when the file cannot be read.</summary>
    public required ImmutableArray<string> PgHba { get; init; }
    /// <summary>Lines of pg_ident.conf without comments.</summary>
    public required ImmutableArray<string> PgIdent { get; init; }
    /// <summary>Directory of its programs; null when it cannot be told.</summary>
    public required string? BinDirectory { get; init; }
    /// <summary>What could not be read, in sentences.</summary>
    public required ImmutableArray<string> Notes { get; init; }

    // Set by somebody: not built in, not by this very session, not fixed at compile time or by initdb.
    private const string SettingsSql = """
        SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.pg_settings
        WHERE context <> 'internal' AND source IN ('configuration file', 'command line', 'environment variable', 'global') ORDER BY name
        """;

    private static readonly string[] AlwaysAsked =
        ["cluster_name", "listen_addresses", "port", "data_directory", "config_file", "hba_file", "ident_file", "wal_log_hints", "data_checksums", "password_encryption", "wal_level"];

    /// <summary>Reads it; null with a sentence when it cannot be reached or does not let the user see its configuration.</summary>
    public static async Task<(RunningInstance? Instance, string Problem)> ReadAsync(ClientTarget target, CancellationToken cancel)
    {
        await using LocalServer server = LocalServer.At(target.Address, target.User, target.Database, TimeSpan.FromSeconds(30));
        try
        {
            await using NpgsqlConnection connection = await server.OpenAsync(cancel).ConfigureAwait(false);
            if (await ColumnAsync(connection, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper", cancel).ConfigureAwait(false) is [])
                return (null, $"{target.User.Username} is no superuser; the agent needs one, and only a superuser sees all settings");
            var settings = await PairsAsync(connection, SettingsSql, cancel).ConfigureAwait(false);
            var always = await PairsAsync(connection, $"SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.pg_settings WHERE name IN ({string.Join(", ", AlwaysAsked.Select(static name => $"'{name}'"))})", cancel).ConfigureAwait(false);
            var roles = await ColumnAsync(connection, "SELECT rolname FROM pg_catalog.pg_roles WHERE rolreplication AND rolcanlogin AND NOT rolsuper ORDER BY rolname", cancel).ConfigureAwait(false);
            string recovery = (await ColumnAsync(connection, "SELECT pg_catalog.pg_is_in_recovery()::text", cancel).ConfigureAwait(false))[0];
            return (Describe(connection, settings, always, roles, recovery == "true"), "");
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or IOException or TimeoutException)
        {
            return (null, $"PostgreSQL at {target.Address.Host}:{target.Address.Port} cannot be asked as {target.User.Username}: {e.InnerException?.Message ?? e.Message}");
        }
    }

    private static RunningInstance Describe(
        NpgsqlConnection connection, ImmutableSortedDictionary<string, string> settings, ImmutableSortedDictionary<string, string> always, ImmutableArray<string> roles, bool inRecovery)
    {
        var notes = ImmutableArray.CreateBuilder<string>();
        int version = (connection.PostgreSqlVersion.Major * 10000) + connection.PostgreSqlVersion.Minor;
        var hba = Lines(always["hba_file"], notes);
        var ident = Lines(always["ident_file"], notes);
        return new()
        {
            Version = version,
            InRecovery = inRecovery,
            Settings = settings,
            Always = always,
            ReplicationRoles = roles,
            PgHba = hba,
            PgIdent = ident,
            BinDirectory = Programs(always["data_directory"], version, notes),
            Notes = notes.ToImmutable(),
        };
    }

    private static ImmutableArray<string> Lines(string file, ImmutableArray<string>.Builder notes)
    {
        try
        {
            return [.. File.ReadLines(file).Select(static line => line.Trim()).Where(static line => line.Length > 0 && line[0] != '#')];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            notes.Add($"{file} cannot be read ({e.Message}); its lines are missing");
            return [];
        }
    }

    /// <summary>Where the postmaster's program lies; only its own user and root may see that, so Debian's and Red Hat's places are tried too.</summary>
    private static string? Programs(string dataDirectory, int version, ImmutableArray<string>.Builder notes)
    {
        try
        {
            if (PostmasterPidFile.Read(dataDirectory) is { } running && File.ResolveLinkTarget($"/proc/{running.Pid}/exe", false) is { } program)
                return Path.GetDirectoryName(program.FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another user's process.
        }
        string[] usual = [$"/usr/lib/postgresql/{version / 10000}/bin", $"/usr/pgsql-{version / 10000}/bin"];
        string? found = usual.FirstOrDefault(directory => File.Exists(Path.Combine(directory, "postgres")));
        if (found is null) notes.Add("the directory of the PostgreSQL programs could not be found; set postgresql.bin_dir");
        return found;
    }

    private static async Task<ImmutableArray<string>> ColumnAsync(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
        await using NpgsqlCommand command = new(sql, connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancel).ConfigureAwait(false);
        var values = ImmutableArray.CreateBuilder<string>();
        while (await reader.ReadAsync(cancel).ConfigureAwait(false)) values.Add(Convert.ToString(reader.GetValue(0), System.Globalization.CultureInfo.InvariantCulture) ?? "");
        return values.ToImmutable();
    }

    private static async Task<ImmutableSortedDictionary<string, string>> PairsAsync(NpgsqlConnection connection, string sql, CancellationToken cancel)
    {
        await using NpgsqlCommand command = new(sql, connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancel).ConfigureAwait(false);
        var values = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.OrdinalIgnoreCase);
        while (await reader.ReadAsync(cancel).ConfigureAwait(false)) values[reader.GetString(0)] = reader.IsDBNull(1) ? "" : reader.GetString(1);
        return values.ToImmutable();
    }
}
