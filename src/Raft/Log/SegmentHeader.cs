using System.Buffers.Binary;
using Patroni.Raft.Consensus.Storage;

namespace Patroni.Raft.Consensus.Log;

/// <summary>
/// The head of a segment file <c>log-(sequence).raft</c>: what holds before its first record.
/// </summary>
/// <param name="Sequence">Counts the segments of this directory up; the highest one is in force.</param>
/// <param name="BaseIndex">Last index that is not in this file.</param>
/// <param name="BaseTerm">Its term.</param>
/// <param name="SnapshotIndex">The snapshot that this segment stands on, at or after the base; 0 if none.</param>
/// <param name="Term">Term and vote.</param>
/// <param name="ConfigurationIndex">Where the member list at the base came from.</param>
/// <param name="Configuration">The member list at the base.</param>
internal sealed record SegmentHeader(
    long Sequence,
    long BaseIndex,
    long BaseTerm,
    long SnapshotIndex,
    TermState Term,
    long ConfigurationIndex,
    GroupConfiguration Configuration)
{
    private const int Version = 1;
    private const int PrefixBytes = 8 + 4 + 4 + 4;
    private const string Prefix = "log-";
    private const string Suffix = ".raft";

    private static ReadOnlySpan<byte> Magic => "PRAFTSEG"u8;

    public string FileName => NameOf(Sequence);

    public static string NameOf(long sequence) => $"{Prefix}{sequence:D10}{Suffix}";

    public static long? SequenceOf(string name)
        => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(Suffix, StringComparison.Ordinal)
            && long.TryParse(name.AsSpan()[Prefix.Length..^Suffix.Length], out var sequence) ? sequence : null;

    public byte[] Encode()
    {
        var body = new ByteWriter();
        body.Int64(Sequence);
        body.Int64(BaseIndex);
        body.Int64(BaseTerm);
        body.Int64(SnapshotIndex);
        Term.Write(body);
        body.Int64(ConfigurationIndex);
        body.Block(Configuration.Encoded.Span);
        var file = new ByteWriter();
        file.Raw(Magic);
        file.Int32(Version);
        file.Int32(body.Length);
        file.UInt32(Crc32C.Compute(body.Written));
        file.Raw(body.Written);
        return file.ToArray();
    }

    /// <summary>Reads a header and tells where the frames begin.</summary>
    /// <exception cref="InvalidDataException">Damaged, or of a later version.</exception>
    public static (SegmentHeader Header, int End) Decode(ReadOnlySpan<byte> file)
    {
        var prefix = new ByteReader(file);
        if (file.Length < PrefixBytes || !prefix.Take(8).SequenceEqual(Magic))
        {
            throw new InvalidDataException("it does not begin like a log segment");
        }

        if (prefix.Int32() is var version && version != Version)
        {
            throw new InvalidDataException($"it has format version {version}; this program reads version {Version}");
        }

        var length = prefix.Int32();
        var checksum = prefix.UInt32();
        var body = prefix.Take(length);
        if (Crc32C.Compute(body) != checksum)
        {
            throw new InvalidDataException("the checksum of its header is wrong");
        }

        var reader = new ByteReader(body);
        var header = new SegmentHeader(
            reader.Int64(),
            reader.Int64(),
            reader.Int64(),
            reader.Int64(),
            TermState.Read(ref reader),
            reader.Int64(),
            GroupConfiguration.Decode(reader.Block()));
        return (header, PrefixBytes + length);
    }
}
