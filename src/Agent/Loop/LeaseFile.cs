using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Loop;

/// <summary>
/// The deadline of the held lease, for the next life of the agent on this boot of the machine: it may go on with a running primary until then,
/// and must fence it at that time if no renewal of its own was accepted. Not flushed: it need not outlive the kernel. Lies on tmpfs where there is one.
/// </summary>
public sealed class LeaseFile
{
    private readonly string path;

    /// <summary>The file of a data directory.</summary>
    public LeaseFile(string dataDir)
    {
        string directory = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        ulong name = StableHash.Of(Encoding.UTF8.GetBytes($"{Path.GetFullPath(dataDir)} {Environment.UserName}"));
        path = Path.Combine(directory, $"patroni-raft-lease-{name:x16}");
    }

    /// <summary>Writes the deadline. When that fails the old one goes too: without one the next life fences at once, which is safe.</summary>
    public void Write(HeldLease? lease)
    {
        try
        {
            if (lease is null)
            {
                File.Delete(path);
                return;
            }
            string body = string.Create(CultureInfo.InvariantCulture, $"{BootClock.BootId} {lease.Epoch} {lease.DeadlineMs} {(lease.Unbounded ? 1 : 0)}");
            string temporary = path + ".new";
            File.WriteAllText(temporary, $"{body} {Checksum(body)}");
            File.SetUnixFileMode(temporary, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            File.Move(temporary, path, true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Discard();
        }
    }

    /// <summary>Reads the deadline that an earlier life left on this boot; null when there is none or it is damaged.</summary>
    public HeldLease? Read()
    {
        try
        {
            string[] fields = File.ReadAllText(path).Split(' ');
            if (fields.Length != 5 || fields[0] != BootClock.BootId || Checksum(string.Join(' ', fields[..4])) != fields[4]) return null;
            string[] epoch = fields[1].Split('.');
            return new(new(uint.Parse(epoch[0], CultureInfo.InvariantCulture), long.Parse(epoch[1], CultureInfo.InvariantCulture)),
                long.Parse(fields[2], CultureInfo.InvariantCulture), fields[3] == "1");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or FormatException or IndexOutOfRangeException or OverflowException)
        {
            return null;
        }
    }

    private void Discard()
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A file that can be neither replaced nor removed ends at its own deadline; only an unbounded one lasts, and pause has no fence.
        }
    }

    private static string Checksum(string body) => Crc32.HashToUInt32(Encoding.UTF8.GetBytes(body)).ToString("x8", CultureInfo.InvariantCulture);
}
