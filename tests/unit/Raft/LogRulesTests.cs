using DotNext.IO.Log;
using DotNext.Net.Cluster.Consensus.Raft;
using Patroni.Raft.Consensus;
using Patroni.Raft.Consensus.Log;
using Xunit;

namespace Patroni.Raft.UnitTests.Raft;

/// <summary>The rules that the log itself enforces, whatever the consensus asks for. Finding numbers as in docs/raft-log.md.</summary>
public sealed class LogRulesTests : LogTestBase
{
    [Fact]
    public async Task Finding_1_what_a_follower_answered_is_on_disk()
    {
        var disk = NewDisk();
        await using var log = Open(disk);
        await log.UpdateTermAsync(1);
        for (var i = 1; i <= 5; i++)
        {
            await log.AppendReplicatedAsync(i, [Command(1, $"entry {i}")]);
            await using var reopened = Open(disk.AfterPowerLoss(null));
            Assert.Equal(i, reopened.LastIndex);
        }
    }

    [Fact]
    public async Task Finding_2_entries_sent_again_are_not_written_again_and_stay_what_they_are()
    {
        var disk = NewDisk();
        LogEntry[] entries = [.. Enumerable.Range(1, 20).Select(i => Command(1, $"entry {i}"))];
        await using (var log = Open(disk))
        {
            await log.UpdateTermAsync(1);
            await log.AppendReplicatedAsync(1, entries);
            log.TryCommit(12);
            var steps = disk.Steps;
            await log.AppendReplicatedAsync(5, entries[4..]);
            await log.AppendReplicatedAsync(3, entries[2..8]);
            Assert.Equal(steps, disk.Steps);
        }

        await using var reopened = Open(disk.AfterPowerLoss(null));
        await reopened.AppendReplicatedAsync(21, [.. Enumerable.Range(21, 5).Select(i => Command(1, $"entry {i}"))]);
        for (var i = 1; i <= 25; i++)
        {
            Assert.Equal(Command(1, $"entry {i}").Payload.ToArray(), reopened.EntryAt(i)!.Value.Payload.ToArray());
        }
    }

    [Fact]
    public async Task A_late_request_with_fewer_entries_does_not_shorten_the_log()
    {
        await using var log = Open(NewDisk());
        await log.UpdateTermAsync(1);
        await log.AppendReplicatedAsync(1, [Command(1, "a"), Command(1, "b"), Command(1, "c")]);
        await log.AppendReplicatedAsync(1, [Command(1, "a")]);
        Assert.Equal(3, log.LastIndex);
    }

    [Fact]
    public async Task Finding_3_an_own_entry_is_taken_only_in_the_term_that_this_node_opened()
    {
        var disk = NewDisk();
        await using (var log = Open(disk))
        {
            await Assert.ThrowsAsync<LogRefusedException>(() => log.AppendOwnAsync(Command(0, "no term yet")));
            await log.IncrementTermAsync(Self);
            await Assert.ThrowsAsync<LogRefusedException>(() => log.AppendOwnAsync(Command(1, "candidate only")));
            await log.AppendOwnAsync(NoOp(1));
            await log.AppendOwnAsync(Command(1, "leader"));

            // Another leader was elected while this node was stopped; queued proposals read the new term.
            await log.UpdateTermAsync(2);
            await Assert.ThrowsAsync<LogRefusedException>(() => log.AppendOwnAsync(Command(1, "old term")));
            await Assert.ThrowsAsync<LogRefusedException>(() => log.AppendOwnAsync(Command(2, "new term")));
            await Assert.ThrowsAsync<LogRefusedException>(() => log.AppendOwnAsync(NoOp(2)));
            await log.VoteAsync(Other);
            await Assert.ThrowsAsync<LogRefusedException>(() => log.AppendOwnAsync(NoOp(2)));
            Assert.Equal(2, log.LastIndex);
        }

        await using var restarted = Open(disk);
        await Assert.ThrowsAsync<LogRefusedException>(() => restarted.AppendOwnAsync(Command(2, "after a restart")));
    }

    [Fact]
    public async Task After_a_restart_even_the_own_term_is_closed()
    {
        var disk = NewDisk();
        await using (var log = Open(disk))
        {
            await log.IncrementTermAsync(Self);
            await log.AppendOwnAsync(NoOp(1));
        }

        await using var restarted = Open(disk);
        await Assert.ThrowsAsync<LogRefusedException>(() => restarted.AppendOwnAsync(Command(1, "again")));
    }

    [Fact]
    public async Task A_committed_entry_is_never_replaced()
    {
        await using var log = Open(NewDisk());
        await log.UpdateTermAsync(2);
        await log.AppendReplicatedAsync(1, [Command(1, "a"), Command(1, "b"), Command(1, "c")]);
        log.TryCommit(2);
        await Assert.ThrowsAsync<LogRefusedException>(() => log.AppendReplicatedAsync(2, [Command(2, "other")]));
        await log.AppendReplicatedAsync(3, [Command(2, "other")]);
        Assert.Equal(2, log.TermAt(3));
        Assert.Equal(3, log.LastIndex);
    }

    [Fact]
    public async Task Entries_with_a_gap_or_of_a_wrong_term_are_refused()
    {
        await using var log = Open(NewDisk());
        await log.UpdateTermAsync(2);
        await log.AppendReplicatedAsync(1, [Command(2, "a")]);
        await Assert.ThrowsAsync<LogRefusedException>(() => log.AppendReplicatedAsync(3, [Command(2, "gap")]));
        await Assert.ThrowsAsync<LogRefusedException>(() => log.AppendReplicatedAsync(2, [Command(1, "older than its predecessor")]));
        await Assert.ThrowsAsync<LogRefusedException>(() => log.AppendReplicatedAsync(2, [Command(3, "of a term not heard of")]));
        Assert.Equal(1, log.LastIndex);
    }

    [Fact]
    public async Task One_vote_a_term_also_when_asked_to_forget_it()
    {
        var disk = NewDisk();
        await using (var log = Open(disk))
        {
            await log.UpdateTermAsync(1);
            await log.VoteAsync(Other);
            await log.VoteAsync(Other);
            await Assert.ThrowsAsync<LogRefusedException>(() => log.VoteAsync(Self));
            await log.UpdateTermAsync(1);
            await Assert.ThrowsAsync<LogRefusedException>(() => log.VoteAsync(Self));
            await Assert.ThrowsAsync<LogRefusedException>(() => log.UpdateTermAsync(0));
        }

        await using var reopened = Open(disk.AfterPowerLoss(null));
        await Assert.ThrowsAsync<LogRefusedException>(() => reopened.VoteAsync(Self));
        await reopened.UpdateTermAsync(2);
        await reopened.VoteAsync(Self);
    }

    [Fact]
    public async Task Finding_5_a_member_list_is_in_force_from_the_log_and_gone_with_its_entry_and_survives_restart_and_snapshot()
    {
        var disk = NewDisk();
        await using (var log = Open(disk))
        {
            var told = new List<int>();
            log.ConfigurationChanged += members => told.Add(members.Members.Count);
            await log.UpdateTermAsync(1);
            await log.AppendReplicatedAsync(1, [Command(1, "a"), Members(1, Four)]);
            Assert.Equal(4, log.Configuration.Members.Members.Count);
            await log.UpdateTermAsync(2);
            await log.AppendReplicatedAsync(2, [NoOp(2)]);
            Assert.Equal(3, log.Configuration.Members.Members.Count);
            await log.AppendReplicatedAsync(3, [Members(2, Four), Command(2, "b")]);
            Assert.Equal([4, 3, 4], told);
        }

        disk = disk.AfterPowerLoss(null);
        await using (var reopened = Open(disk))
        {
            Assert.Equal(4, reopened.Configuration.Members.Members.Count);
            reopened.TryCommit(4);
            await reopened.CompactAsync(4, 2, "state"u8.ToArray(), default);
        }

        await using var compacted = Open(disk.AfterPowerLoss(null));
        Assert.Equal(4, compacted.Configuration.Members.Members.Count);
        Assert.Equal(4, compacted.ReadSnapshot()!.Value.Content.Configuration.Members.Count);
    }

    [Fact]
    public async Task Finding_7_a_read_is_capped_by_bytes_but_never_empty()
    {
        await using var log = Open(NewDisk());
        await log.UpdateTermAsync(1);
        await log.AppendReplicatedAsync(1, [.. Enumerable.Range(1, 100).Select(i => Command(1, new string('x', 1000)))]);
        Assert.Equal(10, log.Slice(1, 100, 10_000).Length);
        Assert.Single(log.Slice(1, 100, 10));
        Assert.Equal(100, log.Slice(1, 100, 1_000_000).Length);
        Assert.Empty(log.Slice(101, 120, 10_000));
    }

    [Fact]
    public void Finding_8_the_proposal_id_is_inside_the_entry()
    {
        var id = new ProposalId(7, 9);
        var (found, payload) = CommandEnvelope.Decode(CommandEnvelope.Encode(id, "payload"u8));
        Assert.Equal(id, found);
        Assert.Equal("payload"u8.ToArray(), payload.ToArray());
        Assert.Throws<InvalidDataException>(() => CommandEnvelope.Decode(new byte[3]));
        Assert.Throws<InvalidDataException>(() => CommandEnvelope.Decode(new byte[40]));
    }

    [Fact]
    public async Task Readers_see_only_durable_entries()
    {
        var disk = NewDisk();
        await using var log = Open(disk);
        await log.UpdateTermAsync(1);
        using var entered = new SemaphoreSlim(0);
        using var release = new SemaphoreSlim(0);
        disk.OnStep = kind =>
        {
            if (kind == "flush file")
            {
                entered.Release();
                release.Wait();
            }
        };
        var appending = log.AppendReplicatedAsync(1, [Command(1, "a")]);
        await entered.WaitAsync();
        Assert.Equal(0, log.LastIndex);
        Assert.Null(log.EntryAt(1));
        Assert.Equal(0, log.TryCommit(1));
        disk.OnStep = _ => { };
        release.Release();
        await appending;
        Assert.Equal(1, log.LastIndex);
        Assert.Equal(1, log.TryCommit(1));
    }

    [Fact]
    public async Task Concurrent_appends_share_fsyncs_and_all_are_durable()
    {
        var disk = NewDisk();
        await using var log = Open(disk);
        await log.IncrementTermAsync(Self);
        await log.AppendOwnAsync(NoOp(1));
        var before = disk.FileFlushes;
        disk.OnStep = kind => Thread.Sleep(kind == "flush file" ? 2 : 0);
        await Task.WhenAll(Enumerable.Range(0, 500).Select(i => Task.Run(() => log.AppendOwnAsync(Command(1, $"{i}")))));
        Assert.InRange(disk.FileFlushes - before, 1, 250);
        await using var reopened = Open(disk.AfterPowerLoss(null));
        Assert.Equal(501, reopened.LastIndex);
    }

    [Fact]
    public async Task A_snapshot_behind_the_committed_index_is_refused_and_changes_nothing()
    {
        var disk = NewDisk();
        await using var log = Open(disk);
        await log.UpdateTermAsync(1);
        await log.AppendReplicatedAsync(1, [Command(1, "a"), Command(1, "b")]);
        log.TryCommit(2);
        await Assert.ThrowsAsync<LogRefusedException>(() => log.InstallAsync(1, 1, Snapshot("old")));
        Assert.Equal(0, log.SnapshotIndex);
        Assert.Equal(2, log.LastIndex);
    }

    [Fact]
    public async Task Log_and_snapshot_stay_below_16_MiB_after_100_000_commands()
    {
        var path = Directory.CreateTempSubdirectory("raft-bound").FullName;
        try
        {
            var directory = new Patroni.Raft.Consensus.Storage.PhysicalLogDirectory(path);
            LogStore.Create(directory, Trio);
            await using var log = Open(directory);
            await using var applier = new Patroni.Raft.Consensus.Node.Applier(
                log, new Discarding(), new Patroni.Raft.Consensus.Node.ProposalWaiters(), _ => true, new(new RaftOptions
                {
                    BindEndPoint = new(System.Net.IPAddress.Loopback, 1),
                    SelfEndPoint = RaftAddress.Parse("127.0.0.1:1"),
                    DataDirectory = path,
                }.SnapshotAfterBytes, 50_000));
            applier.Start();
            await log.UpdateTermAsync(1);
            var largest = 0L;
            var command = new LogEntry(1, EntryKind.Command, CommandEnvelope.Encode(new ProposalId(1, 1), new byte[100]));
            for (var i = 0; i < 200; i++)
            {
                await log.AppendReplicatedAsync((i * 500) + 1, Enumerable.Repeat(command, 500).ToArray());
                log.TryCommit((i + 1) * 500);
                applier.Signal();
                await applier.WaitAsync((i + 1) * 500, CancellationToken.None);
                largest = Math.Max(largest, Sizes(path));
            }

            Assert.InRange(largest, 1, 16 * 1024 * 1024);
            Assert.True(log.SnapshotIndex > 0);
        }
        finally
        {
            Directory.Delete(path, true);
        }

        static long Sizes(string path)
        {
            var total = 0L;
            foreach (var file in Directory.GetFiles(path))
            {
                try
                {
                    total += new FileInfo(file).Length;
                }
                catch (FileNotFoundException)
                {
                    // Replaced between listing and asking.
                }
            }

            return total;
        }
    }

    [Fact]
    public async Task The_consensus_sees_our_members_through_the_library_interface()
    {
        var path = Directory.CreateTempSubdirectory("raft-idle").FullName;
        try
        {
            await using var log = Open(NewDisk());
            await using var applier = new Patroni.Raft.Consensus.Node.Applier(
                log, new Discarding(), new Patroni.Raft.Consensus.Node.ProposalWaiters(), _ => true, new(1 << 20, 1000));
            await using var durable = new Patroni.Raft.Consensus.Node.DurableLog(log, applier, null!, RaftAddress.Parse("127.0.0.1:1"), path, 1 << 20);
            IPersistentState state = durable;
            await state.UpdateTermAsync(4, true, default);
            await state.UpdateVotedForAsync(Other, default);
            Assert.Equal(4, state.Term);
            Assert.True(state.IsVotedFor(Other));
            Assert.False(state.IsVotedFor(Self));
            Assert.Equal(5, await state.IncrementTermAsync(Self, default));
            Assert.Equal(1, await state.AppendAsync(new EmptyLogEntry { Term = 5 }, default));
            Assert.Equal(1, ((IAuditTrail)state).LastEntryIndex);
            Assert.Equal(1, log.LastIndex);

            // A snapshot offered again, because the answer to the first offer got lost, is accepted without being fetched.
            log.TryCommit(1);
            Assert.Equal(0, ((IAuditTrail)state).LastCommittedEntryIndex);
            await state.AppendAsync(new LogEntry(5, EntryKind.NoOp, new SnapshotReference(RaftAddress.Parse("127.0.0.1:2")).Encode(), IsSnapshot: true), 1, default);
            Assert.Equal(1, log.LastIndex);
            Assert.Equal(0, log.SnapshotIndex);
            await state.CommitAsync(1, default);
            Assert.Equal(1, ((IAuditTrail)state).LastCommittedEntryIndex);
        }
        finally
        {
            Directory.Delete(path, true);
        }
    }

    private sealed class Discarding : IReplicatedStateMachine
    {
        public AppliedEntry Apply(long index, long term, ReadOnlyMemory<byte> payload) => default;

        public ReadOnlyMemory<byte> CaptureSnapshot() => new byte[100];

        public void InstallSnapshot(long index, long term, ReadOnlyMemory<byte> snapshot)
        {
        }
    }
}
