using System.Globalization;
using System.Text;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>
/// The deadline of the held lease, for the guard and for the next life of the agent on this boot of the machine: PostgreSQL may go on as
/// primary until then. Replaced whole by rename, with a checksum, the boot's id and CLOCK_BOOTTIME; not flushed: it need not outlive the kernel.
/// </summary>
public sealed class LeaseFile
{
    private readonly string path;

    /// <summary>The file of a data directory.</summary>
    public LeaseFile(string dataDir) => path = new GuardFiles(dataDir).Lease;

    /// <summary>Writes the deadline; null removes it. When writing fails the old one goes too: without one the next life fences at once, which is safe.</summary>
    /// <returns>Whether no lease that lasts longer is left in the file.</returns>
    public bool Write(HeldLease? lease)
    {
        if (lease is null) return Discard();
        try
        {
            string temporary = path + ".new";
            File.WriteAllText(temporary, Format(lease, BootClock.BootId));
            File.Move(temporary, path, true);
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return Discard();
        }
    }

    /// <summary>Reads the deadline; null when there is none, it is damaged, or it is of another boot.</summary>
    public HeldLease? Read()
    {
        try
        {
            return Parse(File.ReadAllText(path), BootClock.BootId);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    internal static string Format(HeldLease lease, string bootId)
    {
        string body = string.Create(CultureInfo.InvariantCulture, $"{bootId} {lease.Epoch.Generation} {lease.Epoch.Index} {lease.DeadlineMs} {(lease.Unbounded ? 1 : 0)}");
        return $"{body} {Checksum(body)}";
    }

    internal static HeldLease? Parse(string text, string bootId)
    {
        string[] fields = text.Split(' ');
        if (fields.Length != 6 || fields[0] != bootId || Checksum(string.Join(' ', fields[..5])) != fields[5]) return null;
        return uint.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint generation)
            && long.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out long index)
            && long.TryParse(fields[3], NumberStyles.None, CultureInfo.InvariantCulture, out long deadline)
            && fields[4] is "0" or "1"
            ? new(new(generation, index), deadline, fields[4] == "1")
            : null;
    }

    private bool Discard()
    {
        try
        {
            File.Delete(path);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string Checksum(string body) => StableHash.Of(Encoding.UTF8.GetBytes(body)).ToString("x16", CultureInfo.InvariantCulture);
}
