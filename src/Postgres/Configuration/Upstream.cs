using System.Collections.Immutable;

namespace Patroni.Raft.Postgres.Configuration;

/// <summary>The server that a standby streams from.</summary>
public sealed record Upstream
{
    /// <summary>Its address; several hosts are allowed as libpq writes them, separated by commas, for a standby cluster.</summary>
    public required PostgresAddress Address { get; init; }
    /// <summary>The slot it keeps for us; null streams without one.</summary>
    public string? SlotName { get; init; }
    /// <summary>Only a writable server will do (<c>target_session_attrs=read-write</c>): for a remote primary with several hosts.</summary>
    public bool MustBeWritable { get; init; }
    /// <summary>Recovery settings that take precedence over recovery_conf: those of a standby cluster.</summary>
    public ImmutableSortedDictionary<string, string> RecoveryConf { get; init; } = ServerParameters.None;
}

/// <summary>The role that the configuration is written for.</summary>
public abstract record ConfiguredRole
{
    private ConfiguredRole() { }
    /// <summary>Writable.</summary>
    public sealed record Primary : ConfiguredRole;
    /// <summary>A standby; without an upstream it replays what it has and waits.</summary>
    public sealed record Standby(Upstream? Upstream) : ConfiguredRole;
    /// <summary>Recovery to a target under recovery.signal, as a custom bootstrap asks for.</summary>
    public sealed record Recovery(ImmutableSortedDictionary<string, string> RecoveryConf) : ConfiguredRole;
}
