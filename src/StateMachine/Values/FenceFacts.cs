namespace Patroni.Raft.StateMachine;

/// <summary>What a guard did when it fenced its PostgreSQL.</summary>
/// <param name="Epoch">The leadership under which PostgreSQL might have been writable.</param>
/// <param name="AtUnixMs">When it began, by the wall clock of its machine in Unix milliseconds; with the node it names this fence.</param>
/// <param name="Reason">Why, in words.</param>
/// <param name="Killed">Processes killed.</param>
/// <param name="SignalledMs">Milliseconds until the last of them was signalled: none of them committed anything after that.</param>
/// <param name="ElapsedMs">Milliseconds until a scan found none left, or until it was given up for the time being.</param>
/// <param name="Left">Processes that could not be killed; 0 when none was left.</param>
public sealed record FenceFacts(Epoch Epoch, long AtUnixMs, string Reason, int Killed, long SignalledMs, long ElapsedMs, int Left);
