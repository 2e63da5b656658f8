using System.Text;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Configuration;

/// <summary>
/// <c>patroni.dynamic.json</c> in the data directory: a copy of the dynamic configuration, which seeds a new group that
/// adopts this directory. Replaced by rename, so that a reader sees the old or the new content whole.
/// </summary>
public static class DynamicConfigurationCache
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "patroni.dynamic.json";

    /// <summary>
    /// The cached configuration; <c>null</c> without a problem when there is no file, and with one when it is unreadable or invalid.
    /// </summary>
    public static (string? Json, ConfigurationProblem? Problem) Read(string dataDirectory)
    {
        var path = Path.Combine(dataDirectory, FileName);
        try
        {
            if (!File.Exists(path))
            {
                return (null, null);
            }

            var json = File.ReadAllText(path);
            return DynamicConfiguration.Validate(json) is [var first, ..] ? (null, first with { Source = path }) : (json, null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, new("", "cannot be read: " + e.Message, ConfigurationProblemKind.Syntax, 0, path));
        }
    }

    /// <summary>
    /// Writes the file; a problem is reported and harmless, since the replicated log is what counts. The directory is not synced
    /// for the same reason: after a power loss the older copy may be back.
    /// </summary>
    public static ConfigurationProblem? Write(string dataDirectory, string json)
    {
        var path = Path.Combine(dataDirectory, FileName);
        var temporary = path + ".tmp"; // One writer: the agent's loop. A leftover of a crash is simply overwritten.
        try
        {
            // Group access follows the data directory (initdb --allow-group-access), as PostgreSQL's own files do.
            var mode = UnixFileMode.UserRead | UnixFileMode.UserWrite
                | (File.GetUnixFileMode(dataDirectory) & UnixFileMode.GroupRead);
            File.Delete(temporary);
            using (var stream = new FileStream(temporary, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, UnixCreateMode = mode,
            }))
            {
                stream.Write(Encoding.UTF8.GetBytes(json));
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new("", "cannot be written: " + e.Message, ConfigurationProblemKind.Syntax, 0, path);
        }
    }
}
