using System.Buffers.Binary;
using System.Globalization;
using Patroni.Raft.Postgres.Processes;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>
/// Gives back what the start of the program needed and the guard does not: pages of code and constants that nobody changed come from the file
/// again when they are used. Done before memory is locked.
/// </summary>
internal static unsafe class OwnMemory
{
    private const int PageSize = 4096;
    private const ulong Present = 1UL << 63, FromFile = 1UL << 61;

    internal static void DropUnchangedPages()
    {
        try
        {
            using FileStream pagemap = new("/proc/self/pagemap", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            foreach (string line in File.ReadAllLines("/proc/self/maps"))
            {
                // address perms offset device inode path
                string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length < 6 || !fields[5].StartsWith('/') || fields[1].Contains('w', StringComparison.Ordinal)) continue;
                string[] ends = fields[0].Split('-');
                Drop(pagemap, ulong.Parse(ends[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture), ulong.Parse(ends[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Then it stays larger.
        }
    }

    private static void Drop(FileStream pagemap, ulong begin, ulong end)
    {
        byte[] entries = new byte[(end - begin) / PageSize * 8];
        pagemap.Seek((long)(begin / PageSize * 8), SeekOrigin.Begin);
        int pages = pagemap.ReadAtLeast(entries, entries.Length, throwOnEndOfStream: false) / 8;
        for (int first = 0; first < pages;)
        {
            int next = first;
            // A page that was written to before it was made read-only (relocations) is no longer the file's: it must stay.
            while (next < pages && (BinaryPrimitives.ReadUInt64LittleEndian(entries.AsSpan(next * 8)) & (Present | FromFile)) == (Present | FromFile)) next++;
            if (next > first) Libc.DropPages(begin + ((ulong)first * PageSize), (ulong)(next - first) * PageSize);
            first = next + 1;
        }
    }
}
