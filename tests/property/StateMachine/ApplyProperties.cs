using FsCheck.Xunit;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.PropertyTests.StateMachine;

/// <summary>Properties of Apply over random logs with late, repeated and outdated proposals.</summary>
[Properties(Arbitrary = [typeof(CommandScripts)], QuietOnSuccess = true)]
public sealed class ApplyProperties
{
    [Property(MaxTest = 120)]
    public void Every_invariant_holds_after_every_entry(CommandScript script)
    {
        var invariants = new ApplyInvariants();
        ScriptPlayer.Play(script, invariants.Check);
    }

    [Property(MaxTest = 40)]
    public void Replay_equals_a_snapshot_and_the_entries_after_it(CommandScript script)
    {
        ScriptPlayer player = ScriptPlayer.Play(script);
        byte[] whole = SnapshotCodec.Encode(player.State);
        int step = Math.Max(1, player.Log.Count / 5);
        ClusterState state = ClusterState.Empty;
        for (int cut = 0; cut < player.Log.Count; cut++)
        {
            if (cut % step == 0) AssertSame(whole, SnapshotCodec.Encode(Continue(SnapshotCodec.Decode(SnapshotCodec.Encode(state)), player.Log, cut)));
            state = ClusterStateMachine.Apply(state, player.Log[cut].Envelope, player.Log[cut].Index).State;
        }
        AssertSame(whole, SnapshotCodec.Encode(state));
    }

    [Property(MaxTest = 30)]
    public void Two_replicas_that_decode_the_same_log_agree_byte_for_byte(CommandScript script)
    {
        ScriptPlayer player = ScriptPlayer.Play(script);
        var log = player.Log.Select(static entry => (entry.Index, CommandCodec.Decode(CommandCodec.Encode(entry.Envelope)))).ToList();
        AssertSame(SnapshotCodec.Encode(player.State), SnapshotCodec.Encode(Continue(ClusterState.Empty, log, 0)));
    }

    [Property(MaxTest = 30)]
    public void A_log_with_every_entry_repeated_ends_in_the_same_state(CommandScript script)
    {
        ScriptPlayer player = ScriptPlayer.Play(script);
        ClusterState state = ClusterState.Empty;
        foreach ((long index, CommandEnvelope envelope) in player.Log)
        {
            ApplyResult first = ClusterStateMachine.Apply(state, envelope, index);
            ApplyResult again = ClusterStateMachine.Apply(first.State with { AppliedIndex = index - 1 }, envelope, index);
            Assert.True(again.Outcome == first.Outcome || again.Outcome.Code == OutcomeCode.TooOld);
            Assert.Empty(again.Events);
            state = again.State;
        }
        AssertSame(SnapshotCodec.Encode(player.State), SnapshotCodec.Encode(state));
    }

    /// <summary>A generator that never gets a command accepted, or never refused, would prove nothing about it.</summary>
    [Fact]
    public void The_scripts_reach_acceptance_and_refusal_of_every_command()
    {
        var invariants = new ApplyInvariants();
        Dictionary<string, (int Accepted, int Refused)> reach = [];
        var random = new Random(20_240_229);
        for (int i = 0; i < 150; i++)
        {
            invariants = new ApplyInvariants();
            ScriptPlayer.Play(new([.. Enumerable.Range(0, 150).Select(_ => random.Next())]), invariants.Check);
            foreach ((string name, (int accepted, int refused)) in invariants.Reach)
            {
                reach.TryGetValue(name, out (int Accepted, int Refused) sum);
                reach[name] = (sum.Accepted + accepted, sum.Refused + refused);
            }
        }
        string[] all = [.. typeof(Command).Assembly.GetTypes().Where(static type => type.IsSubclassOf(typeof(Command))).Select(static type => type.Name)];
        Assert.True(all.All(name => reach.GetValueOrDefault(name).Accepted >= 5), string.Join(", ", reach));
        Assert.True(all.All(name => reach.GetValueOrDefault(name).Refused >= 5), string.Join(", ", reach));
    }

    private static void AssertSame(byte[] expected, byte[] actual) => Assert.True(expected.AsSpan().SequenceEqual(actual), "the states differ");

    private static ClusterState Continue(ClusterState state, List<(long Index, CommandEnvelope Envelope)> log, int from)
    {
        for (int i = from; i < log.Count; i++) state = ClusterStateMachine.Apply(state, log[i].Envelope, log[i].Index).State;
        return state;
    }
}
