using System.Collections.Immutable;
using System.Globalization;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Directories;

/// <summary>What a data directory is, before anything is done with it.</summary>
public abstract record DirectoryState
{
    private DirectoryState() { }
    /// <summary>There is none, but it can be created.</summary>
    public sealed record Missing : DirectoryState;
    /// <summary>It is there, empty and writable.</summary>
    public sealed record Empty : DirectoryState;
    /// <summary>We cannot work in it.</summary>
    public sealed record NotWritable(string Reason) : DirectoryState;
    /// <summary>initdb, a clone or a rewind was interrupted: initialize, clone, or rewind again (or clone); never start it.</summary>
    public sealed record HalfDone(DirectoryWork Work) : DirectoryState;
    /// <summary>It has content, but not a PostgreSQL cluster; we do not touch it.</summary>
    public sealed record NotADataDirectory(string Reason) : DirectoryState;
    /// <summary>A cluster that our binaries cannot run.</summary>
    public sealed record WrongVersion(int DirectoryVersion, int BinaryVersion, string Reason) : DirectoryState;
    /// <summary>pg_controldata is missing or fails: nothing is known, so nothing is done.</summary>
    public sealed record Unreadable(string Reason) : DirectoryState;
    /// <summary>A cluster.</summary>
    public sealed record Valid(ControlData Control) : DirectoryState;
}

/// <summary>Looks at the data directory of an instance.</summary>
public static class DataDirectory
{
    /// <summary>Inspects it; changes nothing. About 10 ms.</summary>
    public static async Task<DirectoryState> InspectAsync(PostgresSettings settings, CancellationToken cancel = default)
    {
        string path = settings.DataDir;
        if (Look(path) is { } simple)
        {
            // Whatever was under way left nothing behind: an empty directory is as good as new.
            return simple;
        }
        if (DirectoryWork.Find(settings.StateDirectory, path) is { } work) return new DirectoryState.HalfDone(work);
        if (ReadMajorVersion(path, out string problem) is not { } version)
            return new DirectoryState.NotADataDirectory(problem);
        (int? binary, string? error) = await ServerBinaries.MajorVersionAsync(settings, cancel);
        if (binary is null) return new DirectoryState.Unreadable(error!);
        if (binary != version)
            return new DirectoryState.WrongVersion(version, binary.Value,
                $"{path} was created by PostgreSQL {version}, but {settings.Binary("postgres")} is version {binary}: set postgresql.bin_dir to the binaries of version {version}, or upgrade the data directory with pg_upgrade");
        (ControlData? control, error) = await ReadControlDataAsync(settings, cancel);
        return control is null ? new DirectoryState.Unreadable(error!) : new DirectoryState.Valid(control);
    }

    /// <summary>Runs pg_controldata; null with the reason when that fails.</summary>
    public static async Task<(ControlData? Control, string? Error)> ReadControlDataAsync(PostgresSettings settings, CancellationToken cancel = default)
    {
        if (ReadMajorVersion(settings.DataDir, out string problem) is not { } version) return (null, problem);
        ToolResult result = await Tool.RunAsync(new()
        {
            File = settings.Binary("pg_controldata"),
            Arguments = ["-D", settings.DataDir],
            // Not the data directory: this only reads, and must not count as a process of the instance.
            WorkingDirectory = "/",
            Environment = Tool.CLocale,
        }, TimeSpan.FromSeconds(30), cancel: cancel);
        if (!result.IsSuccess) return (null, $"pg_controldata -D {settings.DataDir} failed: {result.Describe()}");
        ControlData? control = ControlData.Parse(result.Output, version, out string? missing);
        return control is null
            ? (null, $"the output of pg_controldata -D {settings.DataDir} has no understandable \"{missing}\"")
            : (control, null);
    }

    /// <summary>
    /// Moves the content of a data directory away to <c>DIR.failed-TIMESTAMP</c>, so that it can be looked at; nothing is deleted.
    /// Returns the new path; null with the reason when that is impossible (a mount point, a parent that we may not write).
    /// </summary>
    public static (string? MovedTo, string? Error) MoveAway(PostgresSettings settings, VerifiedStopped proof)
    {
        proof.Require(settings.DataDir);
        string target = $"{settings.DataDir.TrimEnd('/')}.failed-{DateTime.UtcNow:yyyyMMddHHmmssfff}";
        try
        {
            Directory.Move(settings.DataDir, target);
            DurableFile.FsyncDirectory(Path.GetDirectoryName(target)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, $"cannot move {settings.DataDir} away to {target}: {e.Message}");
        }
        DirectoryWork.Abandon(settings.StateDirectory);
        return (target, null);
    }

    /// <summary>
    /// Deletes everything in the data directory, and what its tablespace links point to; the directory itself stays (it may be a mount point).
    /// A marker says "half cloned" until it is empty, so that an interrupted wipe is not taken for a cluster.
    /// </summary>
    /// <param name="settings">Whose.</param>
    /// <param name="proof">That nothing of the instance runs.</param>
    /// <param name="reason">Why the data may go; kept in the marker.</param>
    public static void Wipe(PostgresSettings settings, VerifiedStopped proof, string reason)
    {
        proof.Require(settings.DataDir);
        if (!Directory.Exists(settings.DataDir)) return;
        DirectoryWork.Begin(settings.StateDirectory, DirectoryWorkKind.Clone, settings.DataDir, $"wiped: {reason}");
        // A tablespace's place may hold other clusters' versions too: only ours, PG_<major>_<catalog>, goes.
        foreach (string tablespace in LinkTargets(Path.Combine(settings.DataDir, "pg_tblspc")).Where(Directory.Exists))
            foreach (string version in Directory.EnumerateDirectories(tablespace, $"PG_{ReadMajorVersion(settings.DataDir, out _)}_*").ToArray())
                Directory.Delete(version, recursive: true);
        foreach (string wal in LinkTargets(settings.DataDir, "pg_wal")) Clear(wal);
        Clear(settings.DataDir);
        DurableFile.FsyncDirectory(settings.DataDir);
        DirectoryWork.Abandon(settings.StateDirectory);
    }

    /// <summary>
    /// The highest timeline of which <c>pg_wal</c> holds a segment or a history file, replayed or not; unknown (0) when it holds none or cannot be read. A WAL receiver
    /// stores the history of a timeline before the first of its WAL.
    /// </summary>
    public static TimelineId NewestWal(string dataDir)
    {
        uint newest = 0;
        try
        {
            foreach (string path in Directory.EnumerateFiles(Path.Combine(dataDir, "pg_wal")))
            {
                ReadOnlySpan<char> name = Path.GetFileName(path.AsSpan());
                bool isWal = name.Length == 24 || name.EndsWith(".partial", StringComparison.Ordinal) || name.EndsWith(".history", StringComparison.Ordinal);
                if (isWal && name.Length >= 8 && uint.TryParse(name[..8], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint timeline) && timeline > newest)
                    newest = timeline;
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return default;
        }
        return new(newest);
    }

    /// <summary>Reads PG_VERSION.</summary>
    internal static int? ReadMajorVersion(string path, out string problem)
    {
        string file = Path.Combine(path, "PG_VERSION");
        string? text = DurableFile.ReadOrNull(file)?.Trim();
        if (text is null)
        {
            IEnumerable<string> content = Directory.EnumerateFileSystemEntries(path).Select(e => Path.GetFileName(e)!).Order(StringComparer.Ordinal);
            problem = $"{path} is not empty but has no PG_VERSION; it contains {string.Join(", ", content.Take(5))}: empty it, or set postgresql.data_dir to another directory";
            return null;
        }
        problem = $"{file} says '{text}', which is not a version this program knows (12 or later)";
        if (!int.TryParse(text, out int version) || version < 12) return null;
        if (!File.Exists(Path.Combine(path, "global", "pg_control")))
        {
            problem = $"{path} has PG_VERSION but no global/pg_control: it is not a whole data directory";
            return null;
        }
        return version;
    }

    private static DirectoryState? Look(string path)
    {
        if (Libc.Identify(path) is not { } identity)
        {
            int error = Libc.LastError;
            if (error != Libc.ENOENT) return new DirectoryState.NotWritable($"cannot look at {path}: {Libc.Describe(error)}");
            string? parent = Path.GetDirectoryName(path.TrimEnd('/'));
            while (parent is not null && !Directory.Exists(parent)) parent = Path.GetDirectoryName(parent);
            return parent is not null && Libc.Access(parent, 3) == 0
                ? new DirectoryState.Missing()
                : new DirectoryState.NotWritable($"{path} does not exist and cannot be created in {parent} by user {Environment.UserName}");
        }
        if (!Directory.Exists(path)) return new DirectoryState.NotWritable($"{path} is not a directory");
        if (Libc.Access(path, 7) != 0) return new DirectoryState.NotWritable($"user {Environment.UserName} may not write {path}: {Libc.Describe(Libc.LastError)}");
        // The server refuses a directory that another user owns.
        if (identity.Owner != Libc.GetEuid()) return new DirectoryState.NotWritable($"{path} belongs to user id {identity.Owner}, not to {Environment.UserName}");
        return Directory.EnumerateFileSystemEntries(path).Any() ? null : new DirectoryState.Empty();
    }

    private static void Clear(string directory)
    {
        if (!Directory.Exists(directory)) return;
        foreach (string entry in Directory.EnumerateFileSystemEntries(directory).ToArray())
        {
            FileAttributes attributes = File.GetAttributes(entry);
            // A link is removed, never followed: what it points to was cleared by name, or is not ours.
            if ((attributes & FileAttributes.Directory) != 0 && (attributes & FileAttributes.ReparsePoint) == 0) Directory.Delete(entry, recursive: true);
            else File.Delete(entry);
        }
    }

    private static ImmutableArray<string> LinkTargets(string directory, string? only = null)
    {
        if (!Directory.Exists(directory)) return [];
        return [.. Directory.EnumerateFileSystemEntries(directory, only ?? "*")
            .Select(entry => new FileInfo(entry).LinkTarget)
            .Where(target => target is not null && Path.IsPathRooted(target))
            .Select(target => target!)];
    }
}
