using FsCheck.Xunit;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.PropertyTests.StateMachine;

/// <summary>The log's entries: what was written is read, and nothing else is.</summary>
[Properties(QuietOnSuccess = true)]
public sealed class CommandCodecProperties
{
    public static TheoryData<string> Commands => [.. AnyValue.CommandTypes.Select(static type => type.Name)];

    private static Type TypeOf(string name) => AnyValue.CommandTypes.Single(type => type.Name == name);

    [Theory]
    [MemberData(nameof(Commands))]
    public void Every_command_survives_the_round_trip_field_by_field(string command)
    {
        var any = new AnyValue(new Random(1));
        for (int i = 0; i < 300; i++)
        {
            CommandEnvelope envelope = any.Envelope(TypeOf(command));
            byte[] bytes = CommandCodec.Encode(envelope);
            CommandEnvelope read = CommandCodec.Decode(bytes);
            Assert.Equal(AnyValue.Describe(envelope), AnyValue.Describe(read));
            Assert.Equal(bytes, CommandCodec.Encode(read));
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Truncated_and_longer_entries_are_refused(string command)
    {
        var any = new AnyValue(new Random(2));
        for (int i = 0; i < 10; i++)
        {
            byte[] bytes = CommandCodec.Encode(any.Envelope(TypeOf(command)));
            for (int length = 0; length < bytes.Length; length++)
                Assert.Throws<UndecodableException>(() => CommandCodec.Decode(bytes.AsSpan(0, length)));
            Assert.Throws<UndecodableException>(() => CommandCodec.Decode([.. bytes, 0]));
            Assert.Throws<UndecodableException>(() => CommandCodec.Decode([.. bytes, 7, 255, 1]));
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void A_flipped_byte_gives_a_command_or_a_refusal_and_nothing_else(string command)
    {
        var random = new Random(3);
        var any = new AnyValue(random);
        for (int i = 0; i < 5; i++)
        {
            byte[] bytes = CommandCodec.Encode(any.Envelope(TypeOf(command)));
            for (int at = 0; at < bytes.Length; at++)
            {
                byte kept = bytes[at];
                bytes[at] ^= (byte)(1 << random.Next(8));
                DecodesOrRefuses(bytes);
                bytes[at] = 255;
                DecodesOrRefuses(bytes);
                bytes[at] = kept;
            }
        }
    }

    [Fact]
    public void Unknown_versions_and_kinds_are_refused()
    {
        var any = new AnyValue(new Random(4));
        HashSet<byte> known = [];
        foreach (Type type in AnyValue.CommandTypes)
        {
            byte[] bytes = CommandCodec.Encode(any.Envelope(type));
            Assert.True(known.Add(bytes[1]), $"{type.Name} shares a tag");
            for (int version = 0; version < 256; version++)
            {
                if (version == CommandCodec.Version) continue;
                bytes[0] = (byte)version;
                Assert.Throws<UndecodableException>(() => CommandCodec.Decode(bytes));
            }
        }
        for (int tag = 0; tag < 256; tag++)
        {
            if (known.Contains((byte)tag)) continue;
            byte[] bytes = CommandCodec.Encode(any.Envelope(typeof(WipeCluster)));
            bytes[1] = (byte)tag;
            Assert.Throws<UndecodableException>(() => CommandCodec.Decode(bytes));
        }
    }

    /// <summary>The numbers in the log never change their meaning: the table is written down here a second time.</summary>
    [Fact]
    public void Tags_are_the_ones_that_logs_in_the_field_contain()
    {
        string[] inOrder =
        [
            "ClaimInitialization", "AbandonInitialization", "ExpireInitialization", "CompleteInitialization", "StandForElection",
            "DeclineElection", "WithdrawFromElection", "CloseElection", "RenewLeader", "ReleaseLeader", "ExpireLeader", "ReportPromoted",
            "ReportCheckpointed", "TouchMember", "ExpireMember", "PatchConfig", "ReplaceConfig", "RequestFailover", "ClearFailover",
            "SetSyncState", "AppendHistory", "SetFailsafeTopology", "RegisterPeer", "RemovePeer", "RaiseFeatureLevel", "RaiseGeneration",
            "WipeCluster", "ScheduleRestart", "ClearRestart", "ReportFenced",
        ];
        var any = new AnyValue(new Random(5));
        for (int i = 0; i < inOrder.Length; i++)
            Assert.Equal(i + 1, CommandCodec.Encode(any.Envelope(TypeOf(inOrder[i])))[1]);
    }

    [Property(MaxTest = 2000)]
    public void Random_bytes_are_never_anything_but_a_refusal_or_a_command(byte[] bytes, byte tag)
    {
        DecodesOrRefuses(bytes);
        DecodesOrRefuses([CommandCodec.Version, (byte)(tag % 31), .. new byte[24], .. bytes]);
    }

    [Property(MaxTest = 500)]
    public void Outcomes_survive_the_round_trip_and_random_bytes_are_refused(long index, byte[] bytes)
    {
        foreach (OutcomeCode code in Enum.GetValues<OutcomeCode>())
        {
            var outcome = new Outcome(code, index, $"Grund {index} 世界");
            byte[] encoded = CommandCodec.EncodeOutcome(outcome);
            Assert.Equal(outcome, CommandCodec.DecodeOutcome(encoded));
            Assert.Throws<UndecodableException>(() => CommandCodec.DecodeOutcome([.. encoded, 0]));
            Assert.Throws<UndecodableException>(() => CommandCodec.DecodeOutcome(encoded.AsSpan(0, encoded.Length - 1)));
            encoded[2] = 1;
            Assert.Throws<UndecodableException>(() => CommandCodec.DecodeOutcome(encoded));
        }
        try
        {
            CommandCodec.DecodeOutcome(bytes);
        }
        catch (UndecodableException)
        {
            // The only exception allowed.
        }
    }

    private static void DecodesOrRefuses(byte[] bytes)
    {
        try
        {
            CommandEnvelope read = CommandCodec.Decode(bytes);
            Assert.Equal(AnyValue.Describe(read), AnyValue.Describe(CommandCodec.Decode(CommandCodec.Encode(read))));
        }
        catch (UndecodableException)
        {
            // The only exception allowed.
        }
    }
}
