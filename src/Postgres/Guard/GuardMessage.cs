using System.Collections.Immutable;
using Patroni.Raft.Postgres.Directories;
using Patroni.Raft.Postgres.Processes;
using Patroni.Raft.StateMachine;

namespace Patroni.Raft.Postgres.Guard;

/// <summary>
/// What agent and guard say to each other, one message a packet. Either may be of another version than the other, because PostgreSQL and its
/// guard live on while the agent is replaced: <see cref="Hello"/> and <see cref="Welcome"/> never change their beginning, and a reader
/// ignores what a later version appended to a message.
/// </summary>
internal abstract record GuardMessage
{
    /// <summary>Oldest version of the protocol that this program speaks.</summary>
    internal const byte OldestVersion = 1;
    /// <summary>Newest version of the protocol that this program speaks.</summary>
    internal const byte NewestVersion = 1;
    /// <summary>Longest message, bytes: command line and environment of PostgreSQL are the longest.</summary>
    internal const int MaximumBytes = 128 * 1024;

    private GuardMessage() { }

    /// <summary>Agent: the first message of a connection.</summary>
    internal sealed record Hello(byte Oldest, byte Newest, string AgentVersion) : GuardMessage;

    /// <summary>Guard: the answer.</summary>
    /// <param name="Version">The version spoken from here on; 0 when there is none that both speak.</param>
    /// <param name="GuardVersion">Version of the program.</param>
    /// <param name="IsArmed">Whether the instance may be writable.</param>
    /// <param name="ArmedUnder">The epoch of that.</param>
    /// <param name="DeadlineMs">Deadline of the lease known, CLOCK_BOOTTIME milliseconds; 0 for none.</param>
    /// <param name="PostmasterPid">The postmaster, or 0.</param>
    /// <param name="Notes">What was not permitted on this machine (memory lock, priority, ...), one sentence each.</param>
    internal sealed record Welcome(
        byte Version, string GuardVersion, bool IsArmed, Epoch ArmedUnder, long DeadlineMs, int PostmasterPid, ImmutableArray<string> Notes) : GuardMessage;

    /// <summary>A request of the agent; every one is answered by <see cref="Done"/> with its number.</summary>
    internal abstract record Request : GuardMessage
    {
        /// <summary>Number of the request.</summary>
        internal long Id { get; init; }
    }

    /// <summary>The lease in force, and whether the instance may be writable under it.</summary>
    internal sealed record Lease(HeldLease? Held, bool MayBeWritable) : Request;

    /// <summary>Start PostgreSQL.</summary>
    internal sealed record Launch(LaunchOrder Order) : Request;

    /// <summary>Promote it.</summary>
    internal sealed record Promote(PromotionMarker Marker) : Request;

    /// <summary>End, if no process of the instance is left.</summary>
    internal sealed record End : Request;

    /// <summary>Is anybody there?</summary>
    internal sealed record Ping : Request;

    /// <summary>Guard: a request was carried out.</summary>
    /// <param name="Id">Which.</param>
    /// <param name="Refusal">Why it was not; null when it was.</param>
    /// <param name="Pid">The postmaster that was started, or 0.</param>
    internal sealed record Done(long Id, string? Refusal, int Pid) : GuardMessage;

    /// <summary>Guard: it fenced; the report is in the file.</summary>
    internal sealed record Fenced : GuardMessage;
}
