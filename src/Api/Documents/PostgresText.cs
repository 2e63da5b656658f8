using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Api.Documents;

/// <summary>States and roles of PostgreSQL in Patroni's words and numbers (postgresql/misc.py).</summary>
internal static class PostgresText
{
    public static string Of(PostgresState state) => state switch
    {
        PostgresState.Uninitialized => "stopped",
        PostgresState.Initializing => "initializing new cluster",
        PostgresState.InitdbFailed => "initdb failed",
        PostgresState.CustomBootstrap => "running custom bootstrap script",
        PostgresState.CustomBootstrapFailed => "custom bootstrap failed",
        PostgresState.CreatingReplica => "creating replica",
        PostgresState.Running => "running",
        PostgresState.Starting => "starting",
        PostgresState.BootstrapStarting => "starting after custom bootstrap",
        PostgresState.StartFailed => "start failed",
        PostgresState.Restarting => "restarting",
        PostgresState.RestartFailed => "restart failed",
        PostgresState.Stopping => "stopping",
        PostgresState.Stopped => "stopped",
        PostgresState.StopFailed => "stop failed",
        PostgresState.Crashed => "crashed",
        _ => throw new InvalidOperationException($"State {state} has no text."),
    };

    /// <summary>The value of the metric patroni_postgres_state; never to change.</summary>
    public static int NumberOf(PostgresState state) => state switch
    {
        PostgresState.Initializing => 0,
        PostgresState.InitdbFailed => 1,
        PostgresState.CustomBootstrap => 2,
        PostgresState.CustomBootstrapFailed => 3,
        PostgresState.CreatingReplica => 4,
        PostgresState.Running => 5,
        PostgresState.Starting => 6,
        PostgresState.BootstrapStarting => 7,
        PostgresState.StartFailed => 8,
        PostgresState.Restarting => 9,
        PostgresState.RestartFailed => 10,
        PostgresState.Stopping => 11,
        PostgresState.Uninitialized or PostgresState.Stopped => 12,
        PostgresState.StopFailed => 13,
        PostgresState.Crashed => 14,
        _ => throw new InvalidOperationException($"State {state} has no number."),
    };

    public static string Of(PostgresRole role) => role switch
    {
        PostgresRole.Uninitialized => "uninitialized",
        PostgresRole.Replica => "replica",
        PostgresRole.Primary => "primary",
        PostgresRole.StandbyLeader => "standby_leader",
        _ => throw new InvalidOperationException($"Role {role} has no text."),
    };
}
