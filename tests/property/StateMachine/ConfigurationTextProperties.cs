using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Patroni.Raft.StateMachine;
using Xunit;

namespace Patroni.Raft.PropertyTests.StateMachine;

/// <summary>A text that is almost a configuration.</summary>
public sealed record ConfigurationText(string Json);

/// <summary>Builds such texts out of known keys, values of every kind, and the breakages that JSON allows.</summary>
public static class ConfigurationTexts
{
    private static readonly string[] Keys =
    [
        "ttl", "loop_wait", "retry_timeout", "maximum_lag_on_failover", "synchronous_mode", "postgresql", "parameters", "slots", "standby_cluster",
        "pause", "max_timelines_history", "wal_keep_size", "a", "", "\\ud800", "\\u0000", "ß",
    ];

    private static readonly string[] Scalars =
    [
        "null", "true", "false", "0", "-1", "10", "1e3", "1e400", "-0.5", "99999999999999999999", "1E-400", "\"\"", "\"10s\"", "\"16MB\"", "\"1e99TB\"",
        "\"on\"", "\"quorum\"", "\"\\udc00\"", "\"\\ud83d\\udc18\"", "\"0x7fffffffffffffff\"", "[]", "{}", "[1,[2,{}]]", "{\"a\":1,\"a\":2}", "nul", "\u0001", "//",
    ];

    public static Arbitrary<ConfigurationText> Texts()
    {
        Gen<string> value = Gen.Sized(size => Value(Math.Min(size, 4)));
        Gen<string> whole = Gen.Frequency((8, Object(3)), (2, value), (1, Gen.Constant(string.Concat(Enumerable.Repeat("{\"a\":", 200)))));
        return Arb.From(whole.Select(static json => new ConfigurationText(json)));
    }

    private static Gen<string> Value(int depth) =>
        depth <= 0 ? Gen.Elements(Scalars) : Gen.Frequency((3, Gen.Elements(Scalars)), (1, Object(depth - 1)), (1, Value(depth - 1).Select(static item => $"[{item}]")));

    private static Gen<string> Object(int depth) =>
        from count in Gen.Choose(0, 4)
        from keys in Gen.ArrayOf(Gen.Elements(Keys), count)
        from values in Gen.ArrayOf(Value(depth), count)
        select "{" + string.Join(",", keys.Zip(values, static (key, value) => $"\"{key}\":{value}")) + "}";
}

/// <summary>Whatever an operator sends as a configuration, the log goes on and every replica says the same.</summary>
[Properties(Arbitrary = [typeof(ConfigurationTexts)], QuietOnSuccess = true)]
public sealed class ConfigurationTextProperties
{
    [Property(MaxTest = 1500)]
    public void Any_text_is_accepted_or_refused_and_never_thrown_across_the_log(ConfigurationText first, ConfigurationText second)
    {
        ClusterState state = ClusterState.Empty;
        Command[] commands = [new ReplaceConfig(first.Json, 0), new PatchConfig(second.Json, 0), new PatchConfig(first.Json, 0), new ReplaceConfig(second.Json, 0)];
        for (int i = 0; i < commands.Length; i++)
        {
            ApplyResult result = ClusterStateMachine.Apply(state, new(new(1, (ulong)i + 1), 0, commands[i]), i + 1);
            Assert.True(result.Outcome.Code is OutcomeCode.Accepted or OutcomeCode.InvalidConfiguration, $"{result.Outcome}");
            state = result.State;
            Assert.Empty(DynamicConfiguration.Validate(state.Config.Json));
            Assert.True(state.Settings.TtlMs > 0);
            ClusterState read = SnapshotCodec.Decode(SnapshotCodec.Encode(state));
            Assert.Equal(state.Config.Json, read.Config.Json);
            Assert.Equal(state.Settings.TtlMs, read.Settings.TtlMs);
        }
    }
}
