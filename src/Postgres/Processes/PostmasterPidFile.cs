using System.Globalization;

namespace Patroni.Raft.Postgres.Processes;

/// <summary>What the last line of postmaster.pid says (PostgreSQL's pidfile.h).</summary>
public enum PostmasterState
{
    /// <summary>Not written yet, or an unknown word.</summary>
    Unknown,
    /// <summary>Starting up, not yet accepting connections.</summary>
    Starting,
    /// <summary>Shutting down.</summary>
    Stopping,
    /// <summary>Accepts connections.</summary>
    Ready,
    /// <summary>Up as a standby, but not accepting connections (hot_standby off).</summary>
    Standby,
}

/// <summary>The content of postmaster.pid.</summary>
/// <param name="Pid">The postmaster; a standalone backend (postgres --single) writes its number negated, here made positive.</param>
/// <param name="IsStandalone">Whether it is a standalone backend.</param>
/// <param name="StartedAt">When it wrote the file, whole seconds.</param>
/// <param name="State">Its progress.</param>
public sealed record PostmasterPidFile(int Pid, bool IsStandalone, DateTimeOffset? StartedAt, PostmasterState State)
{
    /// <summary>Name of the file in the data directory.</summary>
    public const string FileName = "postmaster.pid";

    /// <summary>Null when there is no such file or no number in it (it is being written).</summary>
    public static PostmasterPidFile? Read(string dataDir)
    {
        try
        {
            return Parse(File.ReadAllText(Path.Combine(dataDir, FileName)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Parses the file's text; lines: pid, data directory, start time, port, socket directory, listen address, shared memory, state.</summary>
    public static PostmasterPidFile? Parse(string text)
    {
        string[] lines = text.Split('\n');
        if (!int.TryParse(lines[0].Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int pid) || pid is 0 or int.MinValue)
            return null;
        DateTimeOffset? started = lines.Length > 2 && long.TryParse(lines[2].Trim(), out long seconds) && seconds is > 0 and < 253402300800
            ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
        PostmasterState state = lines.Length > 7
            ? lines[7].Trim() switch
            {
                "starting" => PostmasterState.Starting,
                "stopping" => PostmasterState.Stopping,
                "ready" => PostmasterState.Ready,
                "standby" => PostmasterState.Standby,
                _ => PostmasterState.Unknown,
            }
            : PostmasterState.Unknown;
        return new(Math.Abs(pid), pid < 0, started, state);
    }
}
