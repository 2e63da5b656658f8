namespace Patroni.Raft.Consensus.Storage;

/// <summary>Writes a whole file so that after a crash either the old or the new content is there, never a part.</summary>
internal static class AtomicFile
{
    public const string TemporarySuffix = ".tmp";

    public static void Write(ILogDirectory directory, string name, ReadOnlySpan<byte> content)
    {
        var temporary = name + TemporarySuffix;
        using (var file = directory.Create(temporary))
        {
            file.Write(0, content);
            file.Flush();
        }

        directory.Rename(temporary, name);
        directory.Flush();
    }
}
