using System.Collections.Immutable;
using Patroni.Raft.Postgres.Directories;

namespace Patroni.Raft.Postgres.Configuration;

/// <summary>One line of a password file.</summary>
/// <param name="Address">Server.</param>
/// <param name="User">Whose password; users without one need no line.</param>
public sealed record PassFileEntry(PostgresAddress Address, Credentials User);

/// <summary>
/// The password file through which libpq programs and the WAL receiver get passwords (manual, "The Password File"):
/// command lines and primary_conninfo can be read by others, this file has mode 0600.
/// </summary>
public static class PassFile
{
    /// <summary>Replaces the file. Returns whether its content changed.</summary>
    public static bool Write(string path, ImmutableArray<PassFileEntry> entries)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return DurableFile.WriteIfChanged(path, Format(entries));
    }

    /// <summary>The content: any database, exactly that server and user.</summary>
    public static string Format(ImmutableArray<PassFileEntry> entries) => string.Concat(entries
        .Where(entry => entry.User.Password is not null)
        .Select(entry => $"{Escape(HostOf(entry.Address))}:{entry.Address.Port}:*:{Escape(entry.User.Username)}:{Escape(entry.User.Password!)}\n")
        .Distinct());

    // libpq reads one line for each entry: a line break cannot be expressed and would split the entry.
    internal static string Escape(string field) => field.Replace("\\", @"\\").Replace(":", @"\:").ReplaceLineEndings("");

    // libpq looks for "localhost" when it connects through the default socket directory; both names are harmless elsewhere.
    private static string HostOf(PostgresAddress address) => address.Host.Length == 0 ? "localhost" : address.Host;
}
