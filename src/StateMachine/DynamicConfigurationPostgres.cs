using System.Collections.Immutable;

namespace Patroni.Raft.StateMachine;

/// <summary>The <c>postgresql</c> section of the dynamic configuration; <c>null</c> means "not set here", so that local values can win.</summary>
public sealed record DynamicPostgres
{
    /// <summary>Nothing set.</summary>
    public static DynamicPostgres Default { get; } = new();

    /// <summary>The section as written, for the merge with the local file.</summary>
    public SettingMap Document { get; private init; } = SettingMap.Empty;

    /// <summary>Former primaries rejoin by pg_rewind.</summary>
    public bool? UsePgRewind { get; private init; }

    /// <summary>Replication slots for members; only settable here, so that all nodes agree.</summary>
    public bool UseSlots { get; private init; } = true;

    /// <summary>PostgreSQL parameters as written, by name.</summary>
    public ImmutableSortedDictionary<string, string> Parameters { get; private init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Lines of pg_hba.conf.</summary>
    public ImmutableArray<string>? PgHba { get; private init; }

    /// <summary>Lines of pg_ident.conf.</summary>
    public ImmutableArray<string>? PgIdent { get; private init; }

    /// <summary>Further recovery settings.</summary>
    public ImmutableSortedDictionary<string, string> RecoveryConf { get; private init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Longest start, stop or restart.</summary>
    public long? PgCtlTimeoutMs { get; private init; }

    /// <summary>Clone again when pg_rewind fails.</summary>
    public bool? RemoveDataDirectoryOnRewindFailure { get; private init; }

    /// <summary>Clone again when timelines diverged.</summary>
    public bool? RemoveDataDirectoryOnDivergedTimelines { get; private init; }

    internal static DynamicPostgres From(SettingMap p) => new()
    {
        Document = p,
        UsePgRewind = SettingReader.Boolean(p["use_pg_rewind"]),
        UseSlots = SettingReader.Boolean(p["use_slots"]) ?? true,
        Parameters = Texts(p.Section("parameters")),
        PgHba = Lines(p["pg_hba"]),
        PgIdent = Lines(p["pg_ident"]),
        RecoveryConf = Texts(p.Section("recovery_conf")),
        PgCtlTimeoutMs = SettingReader.Milliseconds(p["pg_ctl_timeout"]),
        RemoveDataDirectoryOnRewindFailure = SettingReader.Boolean(p["remove_data_directory_on_rewind_failure"]),
        RemoveDataDirectoryOnDivergedTimelines = SettingReader.Boolean(p["remove_data_directory_on_diverged_timelines"]),
    };

    private static ImmutableArray<string>? Lines(SettingValue? value) =>
        SettingReader.Texts(value) is { } lines ? [.. lines] : null;

    private static ImmutableSortedDictionary<string, string> Texts(SettingMap map)
    {
        // GUC names are case-insensitive (PostgreSQL); the last spelling of a name wins.
        var result = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var entry in map.Entries)
        {
            if (entry.Value is SettingScalar scalar)
            {
                result[entry.Key] = scalar.Text;
            }
        }

        return result.ToImmutable();
    }
}
