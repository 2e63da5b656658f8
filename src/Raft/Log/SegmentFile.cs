using Patroni.Raft.Consensus.Storage;

namespace Patroni.Raft.Consensus.Log;

/// <summary>Creates segments.</summary>
internal static class SegmentFile
{
    /// <summary>Writes header and the entries of the tail; on return the file is durable under its name and open for more.</summary>
    public static (ILogFile File, long Length) Create(ILogDirectory directory, SegmentHeader header, LogTail tail, int frameBytesLimit)
    {
        var temporary = header.FileName + AtomicFile.TemporarySuffix;
        var file = directory.Create(temporary);
        try
        {
            var content = new ByteWriter(64 * 1024);
            content.Raw(header.Encode());
            var body = new ByteWriter(64 * 1024);
            for (var index = header.BaseIndex + 1; index <= tail.LastIndex; index++)
            {
                RecordCodec.Entry(body, index, tail.EntryAt(index)!.Value);
                if (body.Length >= frameBytesLimit || index == tail.LastIndex)
                {
                    RecordCodec.Frame(content, content.Length, body.Written);
                    body.Clear();
                }
            }

            file.Write(0, content.Written);
            file.Flush();
            directory.Rename(temporary, header.FileName);
            directory.Flush();
            return (file, content.Length);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
