using System.Collections.Immutable;
using System.Net;
using Patroni.Raft.Consensus.Log;
using Patroni.Raft.Consensus.Storage;

namespace Patroni.Raft.Consensus.Identity;

/// <summary>
/// The file <c>meta.raft</c>: what this directory is. Written before anything else, replaced atomically.
/// </summary>
/// <param name="Incarnation">Random; made with the directory, so that a lost and recreated directory is another node.</param>
/// <param name="Self">The address that this directory belongs to.</param>
/// <param name="HasLog">Whether a log was created: from then on a missing log is a loss, not a new node.</param>
/// <param name="Identity">Group and generation, once known.</param>
/// <param name="Formation">Incarnations of all nodes of the first formation, this one included.</param>
internal sealed record NodeMeta(Guid Incarnation, EndPoint Self, bool HasLog, GroupIdentity Identity, ImmutableArray<Guid> Formation)
{
    public const string FileName = "meta.raft";
    private const int Version = 1;

    private static ReadOnlySpan<byte> Magic => "PRAFTMET"u8;

    /// <exception cref="LogDamagedException">Damaged or of a later version.</exception>
    public static NodeMeta? Read(ILogDirectory directory)
    {
        if (!directory.Exists(FileName))
        {
            return null;
        }

        try
        {
            return Decode(directory.ReadAll(FileName));
        }
        catch (Exception e) when (e is InvalidDataException or FormatException)
        {
            throw new LogDamagedException($"{Path.Combine(directory.Path, FileName)} cannot be read: {e.Message}.");
        }
    }

    public void Write(ILogDirectory directory) => AtomicFile.Write(directory, FileName, Encode());

    private byte[] Encode()
    {
        var body = new ByteWriter();
        body.Raw(Incarnation.ToByteArray());
        body.Text(RaftAddress.Format(Self));
        body.Byte(HasLog ? (byte)1 : (byte)0);
        body.Identity(Identity);
        body.Int32(Formation.Length);
        foreach (var incarnation in Formation)
        {
            body.Raw(incarnation.ToByteArray());
        }

        var file = new ByteWriter();
        file.Raw(Magic);
        file.Int32(Version);
        file.UInt32(Crc32C.Compute(body.Written));
        file.Raw(body.Written);
        return file.ToArray();
    }

    private static NodeMeta Decode(ReadOnlySpan<byte> file)
    {
        var reader = new ByteReader(file);
        if (!reader.Take(8).SequenceEqual(Magic))
        {
            throw new InvalidDataException("it does not begin like a meta file");
        }

        if (reader.Int32() is var version && version != Version)
        {
            throw new InvalidDataException($"it has format version {version}; this program reads version {Version}");
        }

        var checksum = reader.UInt32();
        if (Crc32C.Compute(file[^reader.Remaining..]) != checksum)
        {
            throw new InvalidDataException("its checksum is wrong");
        }

        var incarnation = new Guid(reader.Take(16));
        var self = RaftAddress.Parse(reader.Text());
        var hasLog = reader.Byte() != 0;
        var identity = reader.Identity();
        var formation = ImmutableArray.CreateBuilder<Guid>();
        for (var count = reader.Int32(); count > 0; count--)
        {
            formation.Add(new Guid(reader.Take(16)));
        }

        return new NodeMeta(incarnation, self, hasLog, identity, formation.ToImmutable());
    }
}
