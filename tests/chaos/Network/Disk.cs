namespace Patroni.Raft.ChaosTests.Network;

/// <summary>A small filesystem of its own in memory, that can be filled up.</summary>
internal sealed class Disk
{
    private readonly string ballast;

    public Disk(string directory, int megabytes)
    {
        Path = directory;
        ballast = System.IO.Path.Combine(directory, "ballast");
        Directory.CreateDirectory(directory);
        Shell.Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m,mode=700", "tmpfs", directory);
    }

    public string Path { get; }

    /// <summary>Takes all the space that is left but this, and again what was freed meanwhile.</summary>
    public void Fill(int leaveMegabytes = 0)
    {
        if (leaveMegabytes > 0)
        {
            using var part = new FileStream(ballast, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, 0);
            byte[] megabyte = new byte[1024 * 1024];
            part.Seek(0, SeekOrigin.End);
            while (new DriveInfo(Path).AvailableFreeSpace > (leaveMegabytes + 1L) * megabyte.Length) part.Write(megabyte);
            return;
        }
        using var file = new FileStream(ballast, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, 0);
        file.Seek(0, SeekOrigin.End);
        byte[] block = new byte[1024 * 1024];
        foreach (int size in new[] { block.Length, 4096 })
        {
            try
            {
                while (true) file.Write(block, 0, size);
            }
            catch (IOException)
            {
                // Full for this size.
            }
        }
    }

    public void Free() => File.Delete(ballast);

    /// <summary>Unmounts it; the files of a killed process may hold it for a moment, which a lazy unmount does not mind.</summary>
    public void Remove() => Shell.Can("umount", "--lazy", Path);
}
