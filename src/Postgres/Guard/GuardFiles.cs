using System.Globalization;
using System.Text;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>
/// The volatile files of one instance, in a directory that only its user can enter, on tmpfs where there is one: nothing here need outlive
/// the kernel, and reading it must never wait for a disk.
/// </summary>
public sealed class GuardFiles
{
    private const string Prefix = "patroni-raft-";

    /// <summary>Names the files of a data directory; touches nothing.</summary>
    public GuardFiles(string dataDir)
    {
        DataDir = Path.GetFullPath(dataDir);
        string parent = System.IO.Directory.Exists("/dev/shm") ? "/dev/shm" : "/tmp";
        string key = string.Create(CultureInfo.InvariantCulture, $"{DataDir} {Libc.GetEuid()}");
        Directory = Path.Combine(parent, $"{Prefix}{StableHash.Of(Encoding.UTF8.GetBytes(key)):x16}");
    }

    /// <summary>The data directory.</summary>
    public string DataDir { get; }
    /// <summary>The directory of the files below.</summary>
    public string Directory { get; }
    /// <summary>The deadline of the held lease, see <see cref="LeaseFile"/>.</summary>
    public string Lease => Path.Combine(Directory, "lease");
    /// <summary>The guard's socket; far below the 108 bytes that a socket's path may have.</summary>
    public string Socket => Path.Combine(Directory, "guard");
    /// <summary>Locked by the one guard of the instance while it lives.</summary>
    public string Lock => Path.Combine(Directory, "guard.lock");
    /// <summary>What the guard did while no agent listened, for the next one to tell: a <see cref="GuardReport"/>.</summary>
    public string Report => Path.Combine(Directory, "fenced");
    /// <summary>Output of the guard: empty unless it broke down.</summary>
    public string Log => Path.Combine(Directory, "guard.log");
    /// <summary>Holds <see cref="DataDir"/>, so that a person (or a script that cleans up) can tell whose directory this is.</summary>
    public string Instance => Path.Combine(Directory, "instance");

    /// <summary>Makes the directory; a string says why it cannot be used.</summary>
    public string? Prepare()
    {
        try
        {
            System.IO.Directory.CreateDirectory(Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            // Anybody may write to /dev/shm: a directory that another user made first could tell us leases that do not exist.
            if (!Libc.IsPrivateDirectory(Directory))
                return $"{Directory} is not a directory of this user with mode 0700; remove it";
            File.WriteAllText(Instance, DataDir + "\n");
            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return $"cannot use {Directory}: {error.Message}";
        }
    }

    /// <summary>The report that a guard left, if there is one.</summary>
    public FenceFacts? ReadReport()
    {
        try
        {
            return GuardReport.Parse(File.ReadAllText(Report));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Removes the report, unless there is another one by now.</summary>
    public void Forget(FenceFacts report)
    {
        try
        {
            if (ReadReport() == report) File.Delete(Report);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It is told once more, and accepted as known.
        }
    }

    /// <summary>Removes everything; only when neither a guard nor PostgreSQL is left.</summary>
    public void Remove()
    {
        try
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A few bytes on tmpfs; the next agent uses them again.
        }
    }
}
