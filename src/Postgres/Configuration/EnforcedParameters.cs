using System.Collections.Immutable;
using System.Globalization;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;

namespace Patroni.Raft.Postgres.Configuration;

/// <summary>
/// The parameters that go on the postmaster's command line, where neither a file nor ALTER SYSTEM can change them, with the
/// defaults and minimums that Patroni documents (patroni_configuration, "Important rules").
/// </summary>
public static class EnforcedParameters
{
    private sealed record Rule(string Default, int? Minimum, params string[] Allowed);

    private static readonly ImmutableSortedDictionary<string, Rule> Rules = new Dictionary<string, Rule>
    {
        ["wal_level"] = new("replica", null, "replica", "logical"),
        ["max_connections"] = new("100", 25),
        ["max_wal_senders"] = new("10", 3),
        ["max_prepared_transactions"] = new("0", 0),
        ["max_locks_per_transaction"] = new("64", 32),
        ["track_commit_timestamp"] = new("off", null),
        ["max_replication_slots"] = new("10", 4),
        ["max_worker_processes"] = new("8", 2),
        ["wal_log_hints"] = new("on", null),
    }.ToImmutableSortedDictionary(StringComparer.OrdinalIgnoreCase);

    private static readonly ImmutableHashSet<string> AgentOnly =
        ImmutableHashSet.Create(StringComparer.OrdinalIgnoreCase, "listen_addresses", "port", "cluster_name", "hot_standby", "config_file", "data_directory");

    /// <summary>Whether a parameter is set on the command line, so that a new value needs a restart and pg_settings does not say so.</summary>
    public static bool Contains(string name) => Rules.ContainsKey(name) || AgentOnly.Contains(name);

    /// <summary>Whether users cannot set it at all.</summary>
    public static bool IsAgentOnly(string name) => AgentOnly.Contains(name);

    /// <summary>The command-line parameters as configured.</summary>
    public static ImmutableSortedDictionary<string, string> Configured(PostgresSettings settings)
    {
        var result = ServerParameters.None.ToBuilder();
        result["listen_addresses"] = string.Join(',', settings.ListenAddresses);
        result["port"] = settings.Port.ToString(CultureInfo.InvariantCulture);
        result["cluster_name"] = settings.Scope;
        result["hot_standby"] = "on";
        foreach ((string name, Rule rule) in Rules) result[name] = Value(settings, name, rule);
        return result.ToImmutable();
    }

    /// <summary>
    /// The command-line parameters for a start. A standby with lower limits than its primary had would stop with an error
    /// while it replays: it starts with what its control file says, and keeps the lower value as pending.
    /// </summary>
    public static ImmutableSortedDictionary<string, string> ForStart(PostgresSettings settings, LaunchMode mode, StandbyLimits? limits)
    {
        ImmutableSortedDictionary<string, string> configured = Configured(settings);
        if (mode != LaunchMode.Standby || limits is null) return configured;
        return configured.SetItems(
        [
            AtLeast(configured, "max_connections", limits.MaxConnections),
            AtLeast(configured, "max_worker_processes", limits.MaxWorkerProcesses),
            AtLeast(configured, "max_wal_senders", limits.MaxWalSenders),
            AtLeast(configured, "max_prepared_transactions", limits.MaxPreparedTransactions),
            AtLeast(configured, "max_locks_per_transaction", limits.MaxLocksPerTransaction),
        ]);
    }

    private static KeyValuePair<string, string> AtLeast(ImmutableSortedDictionary<string, string> configured, string name, int minimum) =>
        new(name, Math.Max(int.Parse(configured[name], CultureInfo.InvariantCulture), minimum).ToString(CultureInfo.InvariantCulture));

    private static string Value(PostgresSettings settings, string name, Rule rule)
    {
        if (!settings.Parameters.TryGetValue(name, out string? value)) return rule.Default;
        value = value.Trim().Trim('\'');
        if (name == "wal_level" && value == "hot_standby") value = "replica";
        if (rule.Allowed.Length != 0) return rule.Allowed.Contains(value, StringComparer.OrdinalIgnoreCase) ? value : rule.Default;
        if (rule.Minimum is not { } minimum) return ParameterValue.ParseBool(value) is { } flag ? (flag ? "on" : "off") : rule.Default;
        return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= minimum
            ? number.ToString(CultureInfo.InvariantCulture) : rule.Default;
    }
}
