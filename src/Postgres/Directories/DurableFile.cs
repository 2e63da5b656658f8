using System.Text;
using Patroni.Raft.Postgres.Processes;

namespace Patroni.Raft.Postgres.Directories;

/// <summary>Small files whose presence or content must survive a crash at any moment.</summary>
public static class DurableFile
{
    /// <summary>Replaces a file whole: temporary file, fsync, rename, fsync of the directory. The mode is 0600 unless given.</summary>
    /// <exception cref="IOException">Nothing was changed, or the change may not be durable; the message names the path.</exception>
    public static void Write(string path, string content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        string temporary = path + ".tmp";
        File.Delete(temporary);
        using (FileStream stream = new(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = mode,
        }))
        {
            stream.Write(Encoding.UTF8.GetBytes(content));
            stream.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
        FsyncDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>Writes only when the content differs. Returns whether it did.</summary>
    public static bool WriteIfChanged(string path, string content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        if (ReadOrNull(path) == content) return false;
        Write(path, content, mode);
        return true;
    }

    /// <summary>Removes a file durably; it may be missing.</summary>
    public static void Delete(string path)
    {
        if (!File.Exists(path)) return;
        File.Delete(path);
        FsyncDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>The content; null when there is no such file.</summary>
    public static string? ReadOrNull(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Makes creations, renames and removals in a directory durable.</summary>
    public static void FsyncDirectory(string path)
    {
        int fd = Libc.Open(path, Libc.ORdonly | Libc.ODirectory | Libc.OCloexec, 0);
        if (fd < 0) throw new IOException($"Cannot open directory {path}: {Libc.Describe(Libc.LastError)}");
        try
        {
            if (Libc.Fsync(fd) != 0) throw new IOException($"Cannot fsync directory {path}: {Libc.Describe(Libc.LastError)}");
        }
        finally
        {
            Libc.Close(fd);
        }
    }

    /// <summary>Makes everything written to the file system of <paramref name="path"/> durable.</summary>
    public static void SyncFileSystem(string path)
    {
        int fd = Libc.Open(path, Libc.ORdonly | Libc.OCloexec, 0);
        if (fd < 0) throw new IOException($"Cannot open {path}: {Libc.Describe(Libc.LastError)}");
        try
        {
            if (Libc.SyncFs(fd) != 0) throw new IOException($"Cannot sync the file system of {path}: {Libc.Describe(Libc.LastError)}");
        }
        finally
        {
            Libc.Close(fd);
        }
    }

    /// <summary>The end of a log file, whole lines; empty when it cannot be read.</summary>
    public static string Tail(string path, int maximumBytes)
    {
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            long skipped = Math.Max(0, stream.Length - maximumBytes);
            stream.Seek(skipped, SeekOrigin.Begin);
            byte[] buffer = new byte[maximumBytes];
            string text = Encoding.UTF8.GetString(buffer, 0, stream.ReadAtLeast(buffer, maximumBytes, throwOnEndOfStream: false));
            return skipped == 0 ? text : text[(text.IndexOf('\n') + 1)..];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
