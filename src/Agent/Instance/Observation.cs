using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Status;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Agent.Instance;

/// <summary>One look at the local instance.</summary>
/// <param name="ActionNumber">The number of actions begun when the look began; older looks do not count after an action.</param>
/// <param name="BeganMs">When the look began, CLOCK_BOOTTIME milliseconds; an election needs one that began after the vacancy.</param>
/// <param name="Data">The data directory.</param>
/// <param name="Server">The processes.</param>
/// <param name="Status">PostgreSQL's answer, when it gave one.</param>
/// <param name="Control">Control data of a stopped instance, or of the last look at one.</param>
/// <param name="Upstream">Host and port the WAL receiver streams from, when it does.</param>
public sealed record Observation(
    long ActionNumber, long BeganMs, DataView Data, ServerView Server, InstanceStatus? Status, ControlData? Control, (string Host, int Port)? Upstream);
