using System.Collections.Immutable;
using System.Text;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>Bytes of a <see cref="GuardMessage"/>: a kind, then little-endian numbers and length-prefixed UTF-8.</summary>
internal static class GuardCodec
{
    private const byte KindHello = 1, KindWelcome = 2, KindLease = 3, KindLaunch = 4, KindPromote = 5, KindEnd = 6, KindPing = 7, KindDone = 8, KindFenced = 9;
    private const int MaximumItems = 10_000;

    internal static byte[] Encode(GuardMessage message)
    {
        using MemoryStream stream = new();
        using BinaryWriter to = new(stream, Encoding.UTF8);
        Write(to, message);
        return stream.ToArray();
    }

    /// <summary>The message; null when the bytes are none. Bytes after its end are of a later version and are ignored.</summary>
    internal static GuardMessage? Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > GuardMessage.MaximumBytes) return null;
        using MemoryStream stream = new(bytes.ToArray(), writable: false);
        using BinaryReader from = new(stream, new UTF8Encoding(false, throwOnInvalidBytes: true));
        try
        {
            return Read(from);
        }
        catch (Exception error) when (error is IOException or FormatException or ArgumentException or InvalidDataException)
        {
            return null;
        }
    }

    private static void Write(BinaryWriter to, GuardMessage message)
    {
        switch (message)
        {
            case GuardMessage.Hello hello:
                to.Write(KindHello);
                to.Write(hello.Oldest);
                to.Write(hello.Newest);
                to.Write(hello.AgentVersion);
                break;
            case GuardMessage.Welcome welcome:
                to.Write(KindWelcome);
                to.Write(welcome.Version);
                to.Write(welcome.GuardVersion);
                to.Write(welcome.IsArmed);
                WriteEpoch(to, welcome.ArmedUnder);
                to.Write(welcome.DeadlineMs);
                to.Write(welcome.PostmasterPid);
                WriteTexts(to, welcome.Notes);
                break;
            case GuardMessage.Request request:
                WriteRequest(to, request);
                break;
            case GuardMessage.Done done:
                to.Write(KindDone);
                to.Write(done.Id);
                to.Write(done.Refusal is not null);
                to.Write(done.Refusal ?? "");
                to.Write(done.Pid);
                break;
            case GuardMessage.Fenced:
                to.Write(KindFenced);
                break;
            default:
                throw new InvalidOperationException($"{message} has no encoding.");
        }
    }

    private static void WriteRequest(BinaryWriter to, GuardMessage.Request request)
    {
        to.Write(request switch
        {
            GuardMessage.Lease => KindLease,
            GuardMessage.Launch => KindLaunch,
            GuardMessage.Promote => KindPromote,
            GuardMessage.End => KindEnd,
            GuardMessage.Ping => KindPing,
            _ => throw new InvalidOperationException($"{request} has no encoding."),
        });
        to.Write(request.Id);
        switch (request)
        {
            case GuardMessage.Lease lease:
                to.Write(lease.MayBeWritable);
                to.Write(lease.Held is not null);
                if (lease.Held is not { } held) break;
                WriteEpoch(to, held.Epoch);
                to.Write(held.DeadlineMs);
                to.Write(held.Unbounded);
                break;
            case GuardMessage.Launch { Order: var order }:
                to.Write((byte)order.Request.Mode);
                WriteEpoch(to, order.Request.Epoch);
                WriteTexts(to, order.Request.Options);
                to.Write(order.ServerBinary);
                to.Write(order.LogFile);
                WriteTexts(to, order.Environment);
                break;
            case GuardMessage.Promote { Marker: var marker }:
                WriteEpoch(to, marker.Epoch);
                to.Write(marker.TimelineBefore.Value);
                to.Write(marker.Node.Value);
                to.Write(marker.Incarnation.Value);
                break;
        }
    }

    private static GuardMessage? Read(BinaryReader from)
    {
        byte kind = from.ReadByte();
        return kind switch
        {
            KindHello => new GuardMessage.Hello(from.ReadByte(), from.ReadByte(), from.ReadString()),
            KindWelcome => new GuardMessage.Welcome(
                from.ReadByte(), from.ReadString(), from.ReadBoolean(), ReadEpoch(from), from.ReadInt64(), from.ReadInt32(), ReadTexts(from)),
            KindDone => new GuardMessage.Done(from.ReadInt64(), from.ReadBoolean() ? from.ReadString() : Skip(from), from.ReadInt32()),
            KindFenced => new GuardMessage.Fenced(),
            KindLease or KindLaunch or KindPromote or KindEnd or KindPing => ReadRequest(kind, from),
            _ => null,
        };
    }

    private static GuardMessage.Request? ReadRequest(byte kind, BinaryReader from)
    {
        long id = from.ReadInt64();
        switch (kind)
        {
            case KindLease:
                bool writable = from.ReadBoolean();
                return new GuardMessage.Lease(from.ReadBoolean() ? new HeldLease(ReadEpoch(from), from.ReadInt64(), from.ReadBoolean()) : null, writable) { Id = id };
            case KindLaunch:
                var mode = (LaunchMode)from.ReadByte();
                if (!Enum.IsDefined(mode)) return null;
                var request = new LaunchRequest(mode, ReadEpoch(from), ReadTexts(from));
                return new GuardMessage.Launch(new(request, from.ReadString(), from.ReadString(), ReadTexts(from))) { Id = id };
            case KindPromote:
                return new GuardMessage.Promote(
                    new(ReadEpoch(from), new TimelineId(from.ReadUInt32()), new NodeName(from.ReadString()), new Incarnation(from.ReadUInt64()))) { Id = id };
            case KindEnd:
                return new GuardMessage.End { Id = id };
            default:
                return new GuardMessage.Ping { Id = id };
        }
    }

    private static string? Skip(BinaryReader from)
    {
        from.ReadString();
        return null;
    }

    private static void WriteEpoch(BinaryWriter to, Epoch epoch)
    {
        to.Write(epoch.Generation);
        to.Write(epoch.Index);
    }

    private static Epoch ReadEpoch(BinaryReader from) => new(from.ReadUInt32(), from.ReadInt64());

    private static void WriteTexts(BinaryWriter to, ImmutableArray<string> texts)
    {
        to.Write(texts.Length);
        foreach (string text in texts) to.Write(text);
    }

    private static ImmutableArray<string> ReadTexts(BinaryReader from)
    {
        int count = from.ReadInt32();
        if (count is < 0 or > MaximumItems) throw new InvalidDataException($"{count} items");
        string[] texts = new string[count];
        for (int i = 0; i < count; i++) texts[i] = from.ReadString();
        return [.. texts];
    }
}
