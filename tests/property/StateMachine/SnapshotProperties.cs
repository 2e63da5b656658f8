using FsCheck.Xunit;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.PropertyTests.StateMachine;

/// <summary>Snapshots: faithful, ordered alike everywhere, bounded, and refused when they are not whole.</summary>
[Properties(Arbitrary = [typeof(CommandScripts)], QuietOnSuccess = true)]
public sealed class SnapshotProperties
{
    [Property(MaxTest = 60)]
    public void A_state_survives_the_round_trip_field_by_field(CommandScript script)
    {
        ClusterState state = ScriptPlayer.Play(script).State;
        byte[] bytes = SnapshotCodec.Encode(state);
        ClusterState read = SnapshotCodec.Decode(bytes);
        Assert.Equal(AnyValue.Describe(state with { Config = new(state.Config.Json, state.Config.Version) }), AnyValue.Describe(read));
        Assert.True(bytes.AsSpan().SequenceEqual(SnapshotCodec.Encode(read)));
        Assert.Equal(SnapshotCodec.Hash(state), SnapshotCodec.Hash(read));
    }

    [Fact]
    public void Names_are_ordered_ordinally_before_and_after()
    {
        string[] names = ["Z", "a", "ä", "b", "\U0001F418", "\uFFFD", "名", "aa", "A"];
        ClusterState state = ClusterState.Empty;
        for (int i = 0; i < names.Length; i++)
            state = ClusterStateMachine.Apply(state, new(new(1, (ulong)i + 1), 0, new RegisterPeer(new(new(names[i]), $"{i}:1", "", PeerKind.Data))), i + 1).State;
        string[] ordinal = [.. names.Order(StringComparer.Ordinal)];
        Assert.Equal(ordinal, state.Peers.Keys.Select(static name => name.Value));
        Assert.Equal(ordinal, SnapshotCodec.Decode(SnapshotCodec.Encode(state)).Peers.Keys.Select(static name => name.Value));
    }

    [Fact]
    public void Truncated_foreign_and_damaged_snapshots_are_refused()
    {
        var random = new Random(7);
        byte[] bytes = SnapshotCodec.Encode(ScriptPlayer.Play(new([.. Enumerable.Range(0, 40).Select(_ => random.Next())])).State);
        for (int length = 0; length < bytes.Length; length += Math.Max(1, length / 50))
            Assert.Throws<UndecodableException>(() => SnapshotCodec.Decode(bytes.AsSpan(0, length)));
        Assert.Throws<UndecodableException>(() => SnapshotCodec.Decode([.. bytes, (byte)'{']));
        Assert.Throws<UndecodableException>(() => SnapshotCodec.Decode([(byte)(bytes[0] + 1), .. bytes[1..]]));
        for (int i = 0; i < 1000; i++)
        {
            byte[] damaged = [.. bytes];
            for (int flips = random.Next(1, 3); flips > 0; flips--) damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            DecodesOrRefuses(damaged);
        }
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{\"unknown\":1}")]
    [InlineData("{\"lineage\":null}")]
    [InlineData("{\"proposers\":{\"1\":{\"last_index\":1,\"highest\":1,\"outcomes\":null}}}")]
    [InlineData("{\"leadership\":{\"phase\":\"led\"}}")]
    [InlineData("{\"leadership\":{\"phase\":\"retired\"}}")]
    [InlineData("{\"leadership\":null}")]
    [InlineData("{\"sync\":{\"leader\":5}}")]
    [InlineData("{\"config\":{\"json\":null,\"version\":0}}")]
    [InlineData("{\"config\":{\"version\":0}}")]
    public void A_snapshot_with_holes_is_refused(string json) =>
        Assert.Throws<UndecodableException>(() => SnapshotCodec.Decode([1, .. System.Text.Encoding.UTF8.GetBytes(json)]));

    [Fact]
    public void After_a_hundred_thousand_commands_a_snapshot_is_far_below_16_MiB()
    {
        var random = new Random(11);
        ClusterState state = ScriptPlayer.Play(new([2])).State;
        long index = state.AppliedIndex;
        for (ulong i = 1; i <= 100_000; i++)
        {
            CommandId id = new((ulong)random.Next(100, 103), i);
            Command command = Routine(state, random, (int)(i % 60));
            state = ClusterStateMachine.Apply(state, new(id, 1_790_000_000_000 + (long)i, command), ++index).State;
        }
        Assert.Equal(1000, state.Events.Length);
        int bytes = SnapshotCodec.Encode(state).Length;
        Assert.True(bytes < 2 * 1024 * 1024, $"{bytes} bytes");
    }

    /// <summary>A busy day: renewals and reports, now and then a failover, a change of configuration, of the synchronous set.</summary>
    private static Command Routine(ClusterState state, Random random, int turn)
    {
        if (state.Vacancy is { } vacancy)
        {
            NodeName stander = state.Members.Keys.ElementAt(random.Next(state.Members.Count));
            var history = state.Lineage.Where(static p => p.ParentTimeline.IsKnown).TakeLast(100).Select(static p => new TimelineFork(p.ParentTimeline, p.ForkLsn));
            return turn % 3 == 0
                ? new CloseElection(vacancy.Id)
                : new StandForElection(vacancy.Id, stander, state.Members[stander].Report.Incarnation, state.LatestPromotion!.Timeline, Lsn.Max(vacancy.LastLeaderLsn, new(1)), default, 1, [.. history]);
        }
        LeaderLease lease = state.Lease!;
        if (!lease.OwnRenewal) return new RenewLeader(lease.Epoch, lease.Holder, 10_000, false, default, []);
        if (state.Leadership is Elected)
            return new ReportPromoted(lease.Epoch, lease.Holder, state.LatestPromotion!.Timeline.Next, state.LatestPromotion.Timeline, Lsn.Max(lease.LastLsn, new(1)));
        return turn switch
        {
            0 when random.Next(4) == 0 => new ExpireLeader(lease.Epoch, lease.LastRenewalIndex, false),
            1 => new PatchConfig("{\"postgresql\":{\"parameters\":{\"work_mem\":\"" + random.Next(4, 64) + "MB\"}}}", 0),
            2 => new SetSyncState(lease.Epoch, state.Sync.Version, lease.Holder, [], 0),
            3 => new PatchConfig("""{"ttl":-5}""", 0),
            < 20 => new RenewLeader(lease.Epoch, lease.Holder, 10_000, false, new(lease.LastLsn.Value + 100_000), [new("slot_b", lease.LastLsn), new("slot_c", lease.LastLsn)]),
            _ => Touch(state, random),
        };
    }

    private static TouchMember Touch(ClusterState state, Random random)
    {
        Member member = state.Members.Values.ElementAt(random.Next(state.Members.Count));
        return new(member.Name, member.Report with { ReplayLsn = new((ulong)random.NextInt64(long.MaxValue)), Note = random.Next(30) == 0 ? $"waits {random.Next(9)}" : "" });
    }

    private static void DecodesOrRefuses(byte[] bytes)
    {
        try
        {
            SnapshotCodec.Encode(SnapshotCodec.Decode(bytes));
        }
        catch (UndecodableException)
        {
            // The only exception allowed.
        }
    }
}
