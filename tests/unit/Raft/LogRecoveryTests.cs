using System.Text;
using Patroni.Raft.Consensus.Log;
using Patroni.Raft.Consensus.Storage;
using Xunit;

namespace Patroni.Raft.UnitTests.Raft;

/// <summary>What recovery repairs, and what it refuses.</summary>
public sealed class LogRecoveryTests : LogTestBase
{
    [Fact]
    public void Crc32C_gives_the_check_value_of_its_specification()
        => Assert.Equal(0xE3069283u, Crc32C.Compute("123456789"u8));

    [Fact]
    public async Task A_torn_last_record_is_cut_off_wherever_it_is_torn()
    {
        var disk = await WithEntriesAsync();
        var whole = disk.ReadAll(SegmentHeader.NameOf(1));
        await using (var log = Open(disk.AfterPowerLoss(null)))
        {
            await log.AppendReplicatedAsync(4, [Command(1, "the last")]);
        }

        var longer = await LengthWithAsync(disk, "the last");
        for (var length = whole.Length + 1; length < longer.Length; length++)
        {
            var torn = disk.AfterPowerLoss(null);
            torn.Damage(SegmentHeader.NameOf(1), _ => longer[..length]);
            await using var log = Open(torn);
            Assert.Equal(3, log.LastIndex);
            Assert.Equal(length - whole.Length, log.CutBytes);
            await log.AppendReplicatedAsync(4, [Command(1, "another")]);
            await using var again = Open(torn.AfterPowerLoss(null));
            Assert.Equal(4, again.LastIndex);
        }
    }

    [Fact]
    public async Task A_tail_of_zeros_is_cut_off()
    {
        var disk = await WithEntriesAsync();
        disk.Damage(SegmentHeader.NameOf(1), bytes => [.. bytes, .. new byte[5000]]);
        await using var log = Open(disk);
        Assert.Equal(3, log.LastIndex);
    }

    [Fact]
    public async Task Damage_before_sound_records_is_refused_naming_file_and_offset_and_changes_nothing()
    {
        var disk = await WithEntriesAsync();
        var name = SegmentHeader.NameOf(1);
        var start = SegmentHeader.Decode(disk.ReadAll(name)).End;
        var firstFrameEnd = start + RecordCodec.FrameHeaderBytes + RecordCodec.TryReadFrame(disk.ReadAll(name), start).Length;
        for (var offset = start; offset < firstFrameEnd; offset++)
        {
            var damaged = disk.AfterPowerLoss(null);
            damaged.Damage(name, bytes =>
            {
                bytes[offset] ^= 0x10;
                return bytes;
            });
            var before = damaged.ReadAll(name);
            var error = Assert.Throws<LogDamagedException>(() => Open(damaged));
            Assert.Contains($"/disk/{name}", error.Message, StringComparison.Ordinal);
            Assert.Contains($"offset {start}", error.Message, StringComparison.Ordinal);
            Assert.Equal(before, damaged.ReadAll(name));
        }
    }

    [Fact]
    public async Task Damage_of_the_header_is_refused_at_every_byte()
    {
        var disk = await WithEntriesAsync();
        var name = SegmentHeader.NameOf(1);
        var end = SegmentHeader.Decode(disk.ReadAll(name)).End;
        for (var offset = 0; offset < end; offset++)
        {
            var damaged = disk.AfterPowerLoss(null);
            damaged.Damage(name, bytes =>
            {
                bytes[offset] ^= 0x01;
                return bytes;
            });
            Assert.Throws<LogDamagedException>(() => Open(damaged));
        }

        for (var length = 0; length < end; length++)
        {
            var cut = disk.AfterPowerLoss(null);
            cut.Damage(name, bytes => bytes[..length]);
            Assert.Throws<LogDamagedException>(() => Open(cut));
        }
    }

    [Fact]
    public async Task A_payload_that_looks_like_a_record_does_not_make_a_torn_tail_look_like_corruption()
    {
        var disk = await WithEntriesAsync();
        var image = disk.ReadAll(SegmentHeader.NameOf(1))[SegmentHeader.Decode(disk.ReadAll(SegmentHeader.NameOf(1))).End..];
        var before = disk.ReadAll(SegmentHeader.NameOf(1)).Length;
        await using (var log = Open(disk))
        {
            await log.AppendReplicatedAsync(4, [new LogEntry(1, EntryKind.Command, (byte[])[.. image, .. image])]);
        }

        var torn = disk.AfterPowerLoss(null);
        torn.Damage(SegmentHeader.NameOf(1), bytes => bytes[..^3]);
        await using var recovered = Open(torn);
        Assert.Equal(3, recovered.LastIndex);
        Assert.Equal(before, torn.ReadAll(SegmentHeader.NameOf(1)).Length);
    }

    [Fact]
    public async Task Finding_4_a_missing_or_damaged_snapshot_is_refused()
    {
        var disk = await WithSnapshotAsync();
        var name = SnapshotFile.NameOf(3);
        var bytes = disk.ReadAll(name);
        for (var offset = 0; offset < bytes.Length; offset++)
        {
            var damaged = disk.AfterPowerLoss(null);
            damaged.Damage(name, content =>
            {
                content[offset] ^= 0x80;
                return content;
            });
            Assert.Throws<LogDamagedException>(() => Open(damaged));
            var half = disk.AfterPowerLoss(null);
            half.Damage(name, content => content[..offset]);
            Assert.Throws<LogDamagedException>(() => Open(half));
        }

        var missing = disk.AfterPowerLoss(null);
        missing.Remove(name);
        Assert.Contains("missing", Assert.Throws<LogDamagedException>(() => Open(missing)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Finding_4_a_snapshot_has_its_final_name_only_when_it_is_whole_and_durable()
    {
        var disk = await WithEntriesAsync();
        var content = Snapshot(new string('s', 20_000)).Encode();
        var undisturbed = disk.AfterPowerLoss(null);
        SnapshotFile.Write(undisturbed, 3, 1, content);
        var used = undisturbed.Steps;
        for (var step = 1; step <= used; step++)
        {
            for (var seed = 0; seed < 20; seed++)
            {
                var interrupted = disk.AfterPowerLoss(null).WithLossAt(step);
                Assert.Throws<PowerLoss>(() => SnapshotFile.Write(interrupted, 3, 1, content));
                var after = interrupted.AfterPowerLoss(new Random(seed));
                if (after.Exists(SnapshotFile.NameOf(3)))
                {
                    Assert.Equal(content, SnapshotFile.Read(after, 3).Content.ToArray());
                }
            }
        }
    }

    [Fact]
    public async Task A_snapshot_without_its_log_is_refused()
    {
        var disk = await WithSnapshotAsync();
        foreach (var name in disk.List().Where(name => SegmentHeader.SequenceOf(name) is not null))
        {
            disk.Remove(name);
        }

        Assert.Throws<LogDamagedException>(() => Open(disk));
    }

    [Fact]
    public async Task A_log_that_lost_entries_which_its_snapshot_covers_is_refused()
    {
        var disk = await WithSnapshotAsync(retained: 1_000_000);
        var name = disk.List().Single(name => SegmentHeader.SequenceOf(name) is not null);
        var end = SegmentHeader.Decode(disk.ReadAll(name)).End;
        disk.Damage(name, bytes => bytes[..end]);
        Assert.Contains("before its snapshot", Assert.Throws<LogDamagedException>(() => Open(disk)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Leftovers_of_a_crash_are_removed_and_nothing_else()
    {
        var disk = await WithSnapshotAsync();
        disk.Create(SnapshotFile.NameOf(99) + AtomicFile.TemporarySuffix).Dispose();
        SnapshotFile.Write(disk, 77, 1, Snapshot("never acknowledged").Encode());
        disk.Create("meta.raft").Dispose();
        var expected = await DescribeAsync(disk);
        Assert.Equal(expected, await DescribeAsync(disk));
        Assert.Equal(
            ["log-0000000002.raft", "meta.raft", SnapshotFile.NameOf(3)],
            disk.List().Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Seeded_histories_with_power_losses_keep_everything_acknowledged()
    {
        for (var seed = 0; seed < 150; seed++)
        {
            await RunHistoryAsync(seed);
        }
    }

    private static async Task RunHistoryAsync(int seed)
    {
        var random = new Random(seed);
        var disk = NewDisk();
        var model = new List<(long Term, string Text)>();
        var term = 1L;
        var acknowledgedTerm = 0L;
        for (var life = 0; life < 4; life++)
        {
            var living = disk.AfterPowerLoss(null).WithLossAt(random.Next(3, 60));
            (long Term, string Text)[]? inFlight = null;
            try
            {
                await using var log = Open(living, new LogStoreOptions(RetainedBytes: random.Next(400)));
                term++;
                await log.UpdateTermAsync(term);
                acknowledgedTerm = term;
                for (var operation = 0; operation < 30; operation++)
                {
                    var from = random.Next(5) == 0 && model.Count > log.CommitIndex ? random.Next((int)log.CommitIndex, model.Count) : model.Count;
                    if (from < model.Count)
                    {
                        term++;
                        await log.UpdateTermAsync(term);
                        acknowledgedTerm = term;
                    }

                    var added = Enumerable.Range(0, random.Next(1, 5)).Select(_ => (term, new string((char)random.Next('a', 'z'), random.Next(1, 900)))).ToArray();
                    inFlight = [.. model.Take(from), .. added];
                    await log.AppendReplicatedAsync(from + 1, [.. added.Select(item => Command(item.term, item.Item2))]);
                    model = [.. inFlight];
                    inFlight = null;
                    if (random.Next(6) == 0)
                    {
                        log.TryCommit(random.Next((int)log.CommitIndex, model.Count + 1));
                        if (log.CommitIndex > log.SnapshotIndex)
                        {
                            await log.CompactAsync(log.CommitIndex, model[(int)log.CommitIndex - 1].Term, Encoding.UTF8.GetBytes($"{log.CommitIndex}"), default);
                        }
                    }
                }
            }
            catch (Exception e) when (e is Patroni.Raft.Consensus.RaftStoppedException or PowerLoss)
            {
            }

            disk = living.AfterPowerLoss(random);
            await using var recovered = Open(disk);
            if (inFlight is not null && !Matches(recovered, model) && Matches(recovered, inFlight))
            {
                model = [.. inFlight];
            }

            Assert.True(Matches(recovered, model), $"seed {seed}, life {life}: the log does not hold what was acknowledged");
            Assert.InRange(recovered.Term.Term, acknowledgedTerm, term);
            term = Math.Max(term, recovered.Term.Term);
        }
    }

    private static bool Matches(LogStore log, IReadOnlyList<(long Term, string Text)> model)
    {
        if (log.LastIndex != model.Count)
        {
            return false;
        }

        for (var index = log.BaseIndex + 1; index <= log.LastIndex; index++)
        {
            var entry = log.EntryAt(index)!.Value;
            if (entry.Term != model[(int)index - 1].Term || Encoding.UTF8.GetString(entry.Payload.Span) != model[(int)index - 1].Text)
            {
                return false;
            }
        }

        return log.ReadSnapshot() is not { } snapshot || Encoding.UTF8.GetString(snapshot.Content.State.Span) == $"{snapshot.Index}";
    }

    private static async Task<FaultDisk> WithEntriesAsync()
    {
        var disk = NewDisk();
        await using var log = Open(disk);
        await log.UpdateTermAsync(1);
        await log.AppendReplicatedAsync(1, [Command(1, "one")]);
        await log.AppendReplicatedAsync(2, [Command(1, "two"), Command(1, "three")]);
        return disk;
    }

    private static async Task<FaultDisk> WithSnapshotAsync(long retained = 0)
    {
        var disk = await WithEntriesAsync();
        await using var log = Open(disk, new LogStoreOptions(retained));
        log.TryCommit(3);
        await log.CompactAsync(3, 1, "state"u8.ToArray(), default);
        return disk;
    }

    private static async Task<byte[]> LengthWithAsync(FaultDisk disk, string text)
    {
        var copy = disk.AfterPowerLoss(null);
        await using (var log = Open(copy))
        {
            await log.AppendReplicatedAsync(4, [Command(1, text)]);
        }

        return copy.ReadAll(SegmentHeader.NameOf(1));
    }
}
