namespace Patroni.Raft.Consensus.Storage;

/// <summary>
/// The few file operations that the log stands on, so that tests can lose, tear and refuse writes. A write is durable
/// after <see cref="ILogFile.Flush"/>; a created, renamed or deleted name after <see cref="Flush"/>.
/// </summary>
internal interface ILogDirectory
{
    /// <summary>Where the files are, for messages.</summary>
    string Path { get; }

    IReadOnlyList<string> List();

    bool Exists(string name);

    /// <summary>Creates an empty file; an existing one of that name is emptied.</summary>
    ILogFile Create(string name);

    ILogFile Open(string name);

    byte[] ReadAll(string name);

    /// <summary>Atomically replaces <paramref name="target"/>.</summary>
    void Rename(string name, string target);

    void Delete(string name);

    /// <summary>Makes names durable.</summary>
    void Flush();
}

/// <summary>One file of the log.</summary>
internal interface ILogFile : IDisposable
{
    long Length { get; }

    void Write(long position, ReadOnlySpan<byte> data);

    int Read(long position, Span<byte> buffer);

    void Truncate(long length);

    /// <summary>Makes content and length durable. After a failure nothing more may be written to the file.</summary>
    void Flush();
}
