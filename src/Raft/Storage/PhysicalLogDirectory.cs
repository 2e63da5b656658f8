using Microsoft.Win32.SafeHandles;

namespace Patroni.Raft.Consensus.Storage;

/// <summary>The real thing.</summary>
internal sealed class PhysicalLogDirectory(string path) : ILogDirectory
{
    public string Path { get; } = path;

    public IReadOnlyList<string> List()
        => [.. Directory.EnumerateFiles(Path).Select(file => System.IO.Path.GetFileName(file))];

    public bool Exists(string name) => File.Exists(Full(name));

    public ILogFile Create(string name)
        => new PhysicalLogFile(File.OpenHandle(Full(name), FileMode.Create, FileAccess.ReadWrite, FileShare.Read));

    public ILogFile Open(string name)
        => new PhysicalLogFile(File.OpenHandle(Full(name), FileMode.Open, FileAccess.ReadWrite, FileShare.Read));

    public byte[] ReadAll(string name) => File.ReadAllBytes(Full(name));

    public void Rename(string name, string target) => File.Move(Full(name), Full(target), overwrite: true);

    public void Delete(string name) => File.Delete(Full(name));

    public void Flush() => PosixCalls.FlushDirectory(Path);

    private string Full(string name) => System.IO.Path.Combine(Path, name);

    private sealed class PhysicalLogFile(SafeFileHandle handle) : ILogFile
    {
        public long Length => RandomAccess.GetLength(handle);

        public void Write(long position, ReadOnlySpan<byte> data) => RandomAccess.Write(handle, data, position);

        public int Read(long position, Span<byte> buffer) => RandomAccess.Read(handle, buffer, position);

        public void Truncate(long length) => RandomAccess.SetLength(handle, length);

        public void Flush() => RandomAccess.FlushToDisk(handle);

        public void Dispose() => handle.Dispose();
    }
}
