using System.Globalization;
using System.Security.Cryptography;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Directories;

/// <summary>
/// The incarnation of a data directory, kept in it together with the node's name: a directory copied from another node
/// carries that node's file, which does not count.
/// </summary>
public static class DataIncarnation
{
    /// <summary>Name of the file in the data directory.</summary>
    public const string FileName = "patroni.raft.incarnation";

    /// <summary>The directory's incarnation for this node; <see cref="Incarnation.None"/> when it has none yet.</summary>
    public static Incarnation Read(string dataDir, NodeName self)
    {
        string[]? lines = DurableFile.ReadOrNull(Path.Combine(dataDir, FileName))?.Split('\n');
        return lines is [var value, var node, ..] && node == self.Value
            && ulong.TryParse(value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong number)
            ? new(number) : Incarnation.None;
    }

    /// <summary>The directory's incarnation; draws and stores one for an adopted directory that has none.</summary>
    public static Incarnation ReadOrDraw(string dataDir, NodeName self) =>
        Read(dataDir, self) is { Value: not 0 } known ? known : Draw(dataDir, self);

    /// <summary>Begins a new life: after initdb, clone and rewind.</summary>
    public static Incarnation Draw(string dataDir, NodeName self)
    {
        Span<byte> bytes = stackalloc byte[8];
        ulong value;
        do
        {
            RandomNumberGenerator.Fill(bytes);
            value = BitConverter.ToUInt64(bytes);
        }
        while (value == 0);
        DurableFile.Write(Path.Combine(dataDir, FileName), string.Create(CultureInfo.InvariantCulture, $"{value:x16}\n{self.Value}\n"));
        return new(value);
    }
}
