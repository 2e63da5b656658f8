using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>Rules that see more than one key of the dynamic configuration.</summary>
public static class DynamicConfigurationRules
{
    /// <summary>Adds the problems of values that are fine each and cannot go together.</summary>
    /// <param name="document">The configuration.</param>
    /// <param name="problems">Where problems are added.</param>
    /// <param name="electionUpperMs">Upper election timeout of Raft; nodes that replicate the configuration use the default, so that they agree.</param>
    public static void Check(SettingMap document, ICollection<ConfigurationProblem> problems, long electionUpperMs = LeaseTimings.DefaultElectionUpperMs)
    {
        CheckTimings(document, problems, electionUpperMs);
        CheckSlots(document, problems);
        CheckWalKeepSize(document, problems);
    }

    /// <summary>What is accepted and deserves a word all the same.</summary>
    public static ImmutableArray<string> Notices(DynamicConfiguration read)
    {
        var notices = ImmutableArray.CreateBuilder<string>();
        if (read.RenewalIntervalMs < read.LoopWaitMs)
        {
            notices.Add($"loop_wait {SettingHints.Seconds(read.LoopWaitMs)} s leaves no reserve in ttl {SettingHints.Seconds(read.TtlMs)} s "
                + $"with retry_timeout {SettingHints.Seconds(read.RetryTimeoutMs)} s: the lease is renewed every {SettingHints.Seconds(read.RenewalIntervalMs)} s instead");
        }

        foreach (var name in PostgresqlSchema.AgentParameters)
        {
            if (read.Postgresql.Parameters.TryGetValue(name, out var value)
                && !(name is "hot_standby" or "wal_log_hints" && SettingReader.Boolean(new SettingScalar(value, SettingScalarKind.Text)) == true))
            {
                notices.Add($"postgresql.parameters.{name} is set by the agent; '{value}' is ignored");
            }
        }

        return notices.ToImmutable();
    }

    private static void CheckTimings(SettingMap document, ICollection<ConfigurationProblem> problems, long electionUpperMs)
    {
        var blamed = new[] { "ttl", "loop_wait", "retry_timeout" };
        if (problems.Any(p => blamed.Contains(p.Path, StringComparer.Ordinal)))
        {
            return; // A value that is wrong by itself was named; what it would do to the others means nothing.
        }

        var conflict = LeaseTimings.Conflict(
            SettingReader.Milliseconds(document["ttl"]) ?? 10_000,
            SettingReader.Milliseconds(document["loop_wait"]) ?? 2_000,
            SettingReader.Milliseconds(document["retry_timeout"]) ?? 3_000,
            electionUpperMs);
        if (conflict is not null)
        {
            var first = blamed.Select(k => (Key: k, Value: document[k])).FirstOrDefault(f => f.Value is not null);
            problems.Add(new(first.Key ?? "ttl", conflict, ConfigurationProblemKind.Conflict, first.Value?.Line ?? 0, first.Value?.Source));
        }
    }

    private static void CheckSlots(SettingMap document, ICollection<ConfigurationProblem> problems)
    {
        foreach (var section in new[] { "slots", "permanent_slots", "permanent_replication_slots" })
        {
            foreach (var slot in document.Section(section).Entries)
            {
                if (slot.Value is SettingMap map
                    && string.Equals(SettingReader.Text(map["type"]), "logical", StringComparison.OrdinalIgnoreCase)
                    && (map["database"] is null || map["plugin"] is null))
                {
                    problems.Add(new($"{section}.{slot.Key}", "a logical slot needs both database and plugin",
                        ConfigurationProblemKind.Missing, slot.KeyLine, map.Source));
                }
            }
        }
    }

    private static void CheckWalKeepSize(SettingMap document, ICollection<ConfigurationProblem> problems)
    {
        // PostgreSQL's unit of a bare wal_keep_size is MB, unlike every other size here.
        if (document.Find("postgresql.parameters.wal_keep_size") is not SettingScalar value)
        {
            return;
        }

        var bytes = SettingReader.Integer(value) is { } megabytes && megabytes < int.MaxValue ? megabytes * 1_048_576 : SettingReader.Bytes(value);
        if (bytes is null or < 16 * 1_048_576)
        {
            problems.Add(new("postgresql.parameters.wal_keep_size", $"must be a size of at least 16MB, not '{value.Text}'",
                ConfigurationProblemKind.OutOfRange, value.Line, value.Source));
        }
    }
}
