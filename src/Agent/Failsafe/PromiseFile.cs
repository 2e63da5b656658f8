using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Guard;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Failsafe;

/// <summary>
/// The promise of failsafe mode on disk, beside the Raft log: it binds the next life of the agent too. On another boot of the machine the clock says
/// nothing about it, and it runs once more in full.
/// </summary>
public sealed class PromiseFile(string directory)
{
    private readonly string path = Path.Combine(directory, "failsafe-promise");

    /// <summary>Writes it durably; only then may the promise be given.</summary>
    /// <exception cref="IOException">It may not be on disk.</exception>
    /// <exception cref="UnauthorizedAccessException">It is not on disk.</exception>
    public void Write(FailsafePromise promise, long nowMs)
    {
        string body = string.Create(CultureInfo.InvariantCulture,
            $"{BootClock.BootId} {promise.Epoch} {promise.UntilMs} {promise.UntilMs - nowMs} {promise.Holder}");
        DurableFile.Write(path, $"{Checksum(body)} {body}");
    }

    /// <summary>Whether what an earlier life promised cannot be known: the file is damaged, or it is not there although every life leaves one.</summary>
    public bool IsLost { get; private set; }

    /// <summary>What an earlier life promised; null when nothing is left of it, or when it is lost.</summary>
    /// <param name="nowMs">CLOCK_BOOTTIME milliseconds.</param>
    public FailsafePromise? Read(long nowMs)
    {
        try
        {
            string? text = DurableFile.ReadOrNull(path);
            FailsafePromise? promise = text is null ? null : Parse(text, nowMs);
            IsLost = promise is null;
            if (text is null) Write(new(new("nobody"), Epoch.None, nowMs), nowMs);
            return promise is { } known && known.UntilMs > nowMs ? known : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            IsLost = true;
            return null;
        }
    }

    private static FailsafePromise? Parse(string text, long nowMs)
    {
        int space = text.IndexOf(' ');
        if (space < 0 || Checksum(text[(space + 1)..]) != text[..space]) return null;
        string[] fields = text[(space + 1)..].Split(' ', 5);
        if (fields.Length < 5 || !Epoch.TryParse(fields[1], out Epoch epoch)) return null;
        long until = fields[0] == BootClock.BootId ? Number(fields[2]) : nowMs + Number(fields[3]);
        return new(new(fields[4]), epoch, until);
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static string Checksum(string body) => Crc32.HashToUInt32(Encoding.UTF8.GetBytes(body)).ToString("x8", CultureInfo.InvariantCulture);
}
